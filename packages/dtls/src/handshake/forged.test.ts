import { createECDH } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { certificateOf, type DtlsCertificate, newCertificate } from "../certificate.ts";
import { nodeCrypto } from "../node-crypto.ts";
import { DTLS_SRTP_SUITES, type DtlsSrtpKeys } from "../suites.ts";
import type { HandshakeMessage } from "../wire/fragments.ts";
import { MESSAGE } from "../wire/messages.ts";
import { ClientHandshake } from "./client.ts";
import type { Flight, Handshake, HandshakeOptions, Step } from "./conversation.ts";
import { ServerHandshake } from "./server.ts";

let alice: DtlsCertificate;
let bob: DtlsCertificate;
beforeAll(async () => {
	[alice, bob] = await Promise.all([newCertificate(), newCertificate()]);
});

type Change = (message: HandshakeMessage) => HandshakeMessage | undefined;
interface Outcome {
	client?: DtlsSrtpKeys | string;
	server?: DtlsSrtpKeys | string;
}

const options = (own: DtlsCertificate, theirs: DtlsCertificate): HandshakeOptions => ({
	...{ certificate: own, fingerprints: [{ algorithm: "sha-256", value: theirs.fingerprint }] },
	...{ suites: DTLS_SRTP_SUITES, crypto: nodeCrypto },
});

/** Client and server without records; somebody between them changes messages of one type. */
function meet(
	change: Change = (message) => message,
	client: Handshake = new ClientHandshake(options(alice, bob)),
	server: Handshake = new ServerHandshake({ ...options(bob, alice), cookieExchange: true }),
): Outcome {
	const outcome: Outcome = {};
	const waiting: { to: "client" | "server"; message: HandshakeMessage }[] = [];
	const say = (to: "client" | "server", flight: Flight | undefined): void => {
		for (const item of flight?.items ?? []) {
			const message = item === "change-cipher-spec" ? undefined : change(item);
			if (message !== undefined) waiting.push({ to, message });
		}
	};
	say("server", client.begin());
	for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
		const { to, message } = next;
		if (outcome[to] !== undefined) continue;
		const step: Step = (to === "client" ? client : server).onMessage(message);
		const done = step.failed?.reason ?? step.connected;
		if (done !== undefined) outcome[to] = done;
		say(to === "client" ? "server" : "client", step.flight);
	}
	return outcome;
}

const flipped = (body: Buffer, at: number): Buffer => {
	const copy = Buffer.from(body);
	const index = at < 0 ? copy.length + at : at;
	copy[index] = (copy[index] ?? 0) ^ 1;
	return copy;
};
/** Changes messages of one type. */
const changing =
	(type: number, change: (body: Buffer) => Buffer | undefined): Change =>
	(message) => {
		if (message.type !== type) return message;
		const body = change(message.body);
		return body && { ...message, body };
	};
/** group of ServerKeyExchange: 1 curve type, 2 group, 1 length, key, 2 scheme, 2 length, signature */
const schemeAt = (body: Buffer): number => 4 + (body[3] ?? 0);
const withScheme = (body: Buffer, at: number, scheme: number): Buffer => {
	const copy = Buffer.from(body);
	copy.writeUInt16BE(scheme, at);
	return copy;
};

it("nobody between them: both have the same keys", () => {
	const { client, server } = meet();
	expect(client).toHaveProperty("local");
	expect((client as DtlsSrtpKeys).local).toEqual((server as DtlsSrtpKeys).remote);
});

describe("whoever changes a message between them gets no association", () => {
	const { clientHello, serverHello, serverKeyExchange, certificateRequest, certificateVerify, clientKeyExchange, finished } = MESSAGE;
	it.each<[string, Change, "client" | "server", RegExp]>([
		["the server's key", changing(serverKeyExchange, (body) => flipped(body, 20)), "client", /signature of the key exchange is wrong/],
		["its group", changing(serverKeyExchange, (body) => flipped(body, 2)), "client", /group that we did not offer|signature/],
		["its signature", changing(serverKeyExchange, (body) => flipped(body, -1)), "client", /signature of the key exchange is wrong/],
		[
			"its signature's hash",
			changing(serverKeyExchange, (body) => withScheme(body, schemeAt(body), 0x0503)),
			"client",
			/signature of the key exchange is wrong/,
		],
		[
			"a scheme of SHA-1",
			changing(serverKeyExchange, (body) => withScheme(body, schemeAt(body), 0x0203)),
			"client",
			/signature of the key exchange is wrong/,
		],
		[
			"a scheme of another kind of key",
			changing(serverKeyExchange, (body) => withScheme(body, schemeAt(body), 0x0401)),
			"client",
			/signature of the key exchange is wrong/,
		],
		[
			"the suite is RSA's and the key is not",
			changing(serverHello, (body) => withScheme(body, 35, 0xc02f)),
			"client",
			/signature of the key exchange/,
		],
		[
			"a suite that was not offered",
			changing(serverHello, (body) => withScheme(body, 35, 0x009c)),
			"client",
			/cipher suite that we did not offer/,
		],
		["DTLS 1.0", changing(serverHello, (body) => withScheme(body, 0, 0xfeff)), "client", /cannot be read/],
		["no certificate is asked for", changing(certificateRequest, () => undefined), "client", /asks for no certificate/],
		["what the client offered", changing(clientHello, (body) => withoutEcdsa(body)), "server", /no cipher suite, group or signature/],
		["the client's random", changing(clientHello, (body) => flipped(body, 5)), "client", /signature of the key exchange is wrong/],
		[
			"the client's key",
			changing(clientKeyExchange, (body) => Buffer.concat([body.subarray(0, 1), otherKey()])),
			"server",
			/signature of the handshake is wrong/,
		],
		["the client's signature", changing(certificateVerify, (body) => flipped(body, -1)), "server", /signature of the handshake is wrong/],
		["its scheme", changing(certificateVerify, (body) => withScheme(body, 0, 0x0401)), "server", /signature of the handshake is wrong/],
		[
			"no certificate of the client",
			(message) =>
				message.type === MESSAGE.certificate && message.sequence === 2 && message.body.length > 3 ? replaced(message) : message,
			"server",
			/shown no certificate/,
		],
		["none of it", changing(certificateVerify, () => undefined), "server", /has not proven that the certificate is its own/],
		["a Finished", changing(finished, (body) => flipped(body, 0)), "server", /Finished does not fit/],
		["the last bit of it", changing(finished, (body) => flipped(body, -1)), "server", /Finished does not fit/],
		["a shorter Finished", changing(finished, (body) => body.subarray(0, 0)), "server", /Finished does not fit/],
	])("%s", (_name, change, side, reason) => {
		const outcome = meet(change);
		expect(outcome[side]).toMatch(reason);
		expect(typeof outcome.server).not.toBe("object");
	});

	it.each([0xfeff, 0xfd00, 0x0303, 0xfefe])("a ClientHello of version %i", (version) => {
		const server = new ServerHandshake({ ...options(bob, alice), cookieExchange: false });
		const outcome = meet(
			changing(clientHello, (body) => withScheme(body, 0, version)),
			undefined,
			server,
		);
		expect(outcome.server).toMatch(/cannot be read/);
	});

	it("parameters of a curve of its own (RFC 8422 §5.4)", () => {
		const outcome = meet(changing(serverKeyExchange, (body) => Buffer.concat([Buffer.from([1]), body.subarray(1)])));
		expect(outcome.client).toMatch(/cannot be read/);
	});

	it("the server's Finished alone", () => {
		let seen = 0;
		const outcome = meet(changing(finished, (body) => (++seen === 2 ? flipped(body, 11) : body)));
		expect(outcome.client).toMatch(/Finished does not fit/);
	});

	// What is not signed is in Finished (RFC 5246 §7.4.9): extensions taken away are an attack that only it shows.
	it("the extended master secret taken away on both sides", () => {
		const outcome = meet((message) =>
			message.type === clientHello || message.type === serverHello
				? { ...message, body: Buffer.from(message.body.toString("latin1").replace("\x00\x17\x00\x00", "\x0a\x0a\x00\x00"), "latin1") }
				: message,
		);
		expect(typeof outcome.server).toBe("string");
		expect(outcome.client).toBeUndefined();
	});

	function replaced(message: HandshakeMessage): HandshakeMessage {
		return { ...message, body: message.body.includes(alice.der) ? Buffer.alloc(3) : message.body };
	}
	function otherKey(): Buffer {
		return createECDH("prime256v1").generateKeys();
	}
	function withoutEcdsa(body: Buffer): Buffer {
		return Buffer.from(body.toString("latin1").replace("\xc0\x2b", "\xc0\x2f"), "latin1");
	}
});

describe("order and number of messages", () => {
	const only = (type: number): HandshakeMessage => ({ type, sequence: 0, body: Buffer.alloc(0) });
	it.each([
		["client", 0],
		["client", 11],
		["client", 12],
		["client", 14],
		["client", 20],
		["server", 11],
		["server", 15],
		["server", 16],
		["server", 20],
	] as const)("to a %s that has heard nothing yet: message %i", (side, type) => {
		const client = new ClientHandshake(options(alice, bob));
		client.begin();
		const handshake = side === "client" ? client : new ServerHandshake({ ...options(bob, alice), cookieExchange: false });
		expect(handshake.onMessage(only(type)).failed?.reason).toMatch(/where it has no place/);
	});

	it("the server's key before its certificate, and a certificate again", () => {
		const twice = (type: number): string => {
			let seen: HandshakeMessage | undefined;
			const client = new ClientHandshake(options(alice, bob));
			const server = new ServerHandshake({ ...options(bob, alice), cookieExchange: false });
			const flight = server.onMessage(client.begin().items[0] as HandshakeMessage).flight;
			for (const item of (flight?.items ?? []) as HandshakeMessage[]) {
				const { failed } = client.onMessage(item);
				if (failed !== undefined) return failed.reason;
				if (item.type === type) {
					seen = item;
					break;
				}
			}
			return client.onMessage(seen as HandshakeMessage).failed?.reason ?? "taken";
		};
		for (const type of [
			MESSAGE.serverHello,
			MESSAGE.certificate,
			MESSAGE.serverKeyExchange,
			MESSAGE.certificateRequest,
			MESSAGE.serverHelloDone,
		])
			expect(twice(type), `message ${type} twice`).toMatch(/where it has no place/);
		expect(meet(changing(MESSAGE.certificate, () => undefined)).client).toMatch(/where it has no place/);
	});
});

describe("keys that are none (RFC 8422 §5.11, RFC 7748 §6.1)", () => {
	const p256 = nodeCrypto.keyExchange(23);
	const ecdh = createECDH("prime256v1");
	const point = ecdh.generateKeys();
	it("P-256: points of another curve, at infinity, and every form but the uncompressed one", () => {
		expect(p256.agree(point)).toHaveLength(32);
		for (const [name, key] of [
			["off the curve", flipped(point, 40)],
			["infinity", Buffer.from([0])],
			["nothing", Buffer.alloc(0)],
			["compressed", ecdh.getPublicKey(null, "compressed")],
			["hybrid", ecdh.getPublicKey(null, "hybrid")],
			["too long", Buffer.concat([point, Buffer.alloc(1)])],
		] as const)
			expect(p256.agree(key as Buffer), name).toBeUndefined();
	});
	it("X25519: points of small order, and other lengths", () => {
		const x25519 = nodeCrypto.keyExchange(29);
		const one = Buffer.alloc(32);
		one[0] = 1;
		for (const key of [Buffer.alloc(32), one, Buffer.alloc(31, 9), Buffer.alloc(33, 9)]) expect(x25519.agree(key)).toBeUndefined();
	});
});

describe("use_srtp (RFC 5764 §4.1)", () => {
	const answering = (from: string, to: string): Outcome =>
		meet(changing(MESSAGE.serverHello, (body) => Buffer.from(body.toString("hex").replace(from, to), "hex")));
	it("a profile that was not offered, and none", () => {
		expect(answering("000e000500020007", "000e000500020002").client).toMatch(/no SRTP profile/);
		expect(answering("000e0005", "0a0a0005").client).toMatch(/no SRTP profile/);
	});
	it("a profile that we know and did not offer", () => {
		const client = new ClientHandshake({ ...options(alice, bob), suites: ["AEAD_AES_128_GCM"] });
		const outcome = meet(
			changing(MESSAGE.serverHello, (body) => Buffer.from(body.toString("hex").replace("000e000500020007", "000e000500020001"), "hex")),
			client,
		);
		expect(outcome.client).toMatch(/no SRTP profile/);
	});
	it("two profiles, of which nobody knows which one is meant", () => {
		const outcome = meet(
			changing(MESSAGE.serverHello, (body) => {
				const hex = body.toString("hex").replace("000e00050002000700", "000e0007000400070001" + "00");
				const bytes = Buffer.from(hex, "hex");
				// 38: length of the extensions behind version, random, session id, suite and compression
				bytes.writeUInt16BE(bytes.length - 40, 38);
				return bytes;
			}),
		);
		expect(outcome.client).toMatch(/no SRTP profile/);
	});
	it("an MKI that we did not offer: every packet would have one", () => {
		const outcome = meet(
			changing(MESSAGE.serverHello, (body) => {
				const bytes = Buffer.from(body.toString("hex").replace("000e00050002000700", "000e00060002000701aa"), "hex");
				bytes.writeUInt16BE(bytes.length - 40, 38);
				return bytes;
			}),
		);
		expect(outcome.client).toMatch(/no SRTP profile/);
	});
});

it("a cookie that is not ours gets nothing", () => {
	const outcome = meet(changing(MESSAGE.helloVerifyRequest, (body) => flipped(body, 4)));
	expect(outcome).toEqual({});
});

it("a key that is not the certificate's is no certificate of ours", () => {
	expect(() => certificateOf(alice.der, bob.privateKey)).toThrow("the private key is not the certificate");
});
