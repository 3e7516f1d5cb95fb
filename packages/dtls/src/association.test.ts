import { createECDH, createHash, X509Certificate } from "node:crypto";
import { DtlsClient, HashAlgorithm, SignatureAlgorithm } from "werift";
import { beforeAll, describe, expect, it } from "vitest";
import { DtlsAssociation, type DtlsAssociationOptions } from "./association.ts";
import { type DtlsCertificate, newCertificate } from "./certificate.ts";
import type { DtlsSrtpKeys } from "./suites.ts";

let alice: DtlsCertificate;
let bob: DtlsCertificate;
let mallory: DtlsCertificate;
beforeAll(async () => {
	[alice, bob, mallory] = await Promise.all([newCertificate(), newCertificate(), newCertificate()]);
});

type Outcome = { keys: DtlsSrtpKeys } | { failed: string };
type Side = Partial<DtlsAssociationOptions> & Pick<DtlsAssociationOptions, "certificate" | "fingerprints">;

/** A client and a server, until both know what came of it. */
async function handshake(client: Side, server: Side) {
	const outcomes: { client?: Outcome; server?: Outcome } = {};
	const data: string[] = [];
	const sent = { packets: 0 };
	let a: DtlsAssociation;
	let b: DtlsAssociation;
	const side = (name: "client" | "server", options: Side, other: () => DtlsAssociation): DtlsAssociation =>
		new DtlsAssociation({
			role: name,
			send: (packet) => {
				sent.packets++;
				setImmediate(() => other().receive(Buffer.from(packet)));
			},
			onConnected: (keys) => (outcomes[name] = { keys }),
			onFailed: (failed) => (outcomes[name] = { failed }),
			onData: (bytes) => data.push(`${name} ${bytes.toString()}`),
			...options,
		});
	a = side("client", client, () => b);
	b = side("server", server, () => a);
	a.start();
	const known = (): number => Object.keys(outcomes).length;
	await expect.poll(known, { timeout: 5_000, interval: 2 }).toBe(2);
	return { a, b, outcomes, data, sent };
}

const prints = ({ fingerprint: value }: DtlsCertificate) => [{ algorithm: "sha-256", value }];
const keysOf = (outcome: Outcome | undefined): DtlsSrtpKeys => {
	if (outcome === undefined || !("keys" in outcome)) throw new Error(JSON.stringify(outcome));
	return outcome.keys;
};

describe("both show the certificates that were announced", () => {
	it.each(["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"] as const)(
		"%s: the keys of each are the other's",
		async (suite) => {
			const { a, b, outcomes, data, sent } = await handshake(
				{ certificate: alice, fingerprints: prints(bob), suites: [suite] },
				{ certificate: bob, fingerprints: prints(alice) },
			);
			const [client, server] = [keysOf(outcomes.client), keysOf(outcomes.server)];
			expect(client.suite).toBe(suite);
			expect(client.local).toEqual(server.remote);
			expect(client.remote).toEqual(server.local);
			expect(client.local.key).toHaveLength(suite === "AEAD_AES_256_GCM" ? 32 : 16);
			expect(client.local.salt).toHaveLength(suite.startsWith("AEAD") ? 12 : 14);
			expect(client.local.key).not.toEqual(client.remote.key);
			await a.send(Buffer.from("hello"));
			await expect.poll(() => data, { interval: 2 }).toEqual(["server hello"]);
			// what anybody could write: the association stands
			const before = sent.packets;
			const finished = handshakeRecord(20, Buffer.alloc(12));
			for (const forged of [...alerts(), clientHello(), newKeys(), finished]) for (const one of [a, b]) one.receive(forged);
			await new Promise((resolve) => setImmediate(resolve));
			expect(sent.packets - before, "answers to what is forged").toBe(0);
			await a.send(Buffer.from("again"));
			await expect.poll(() => data, { interval: 2 }).toEqual(["server hello", "server again"]);
			a.close();
			b.close();
		},
	);

	it("no common profile: neither has keys", async () => {
		const { a, b, outcomes } = await handshake(
			{ certificate: alice, fingerprints: prints(bob), suites: ["AEAD_AES_256_GCM"] },
			{ certificate: bob, fingerprints: prints(alice), suites: ["AEAD_AES_128_GCM"] },
		);
		// the server says so, and the client hears of it
		expect(outcomes).toEqual({
			server: { failed: expect.stringContaining("DTLS agreed upon no SRTP profile") },
			client: { failed: expect.stringContaining("alert 40") },
		});
		a.close();
		b.close();
	});
});

describe("who is not who the SDP says gets no keys", () => {
	it("another certificate, on either side", async () => {
		const fromClient = await handshake(
			{ certificate: mallory, fingerprints: prints(bob) },
			{ certificate: bob, fingerprints: prints(alice) },
		);
		expect(fromClient.outcomes.server).toEqual({ failed: expect.stringContaining("not the one that the SDP announced") });
		const fromServer = await handshake(
			{ certificate: alice, fingerprints: prints(bob) },
			{ certificate: mallory, fingerprints: prints(alice) },
		);
		expect(fromServer.outcomes.client).toEqual({ failed: expect.stringContaining("not the one that the SDP announced") });
	});

	it("a weak hash counts for nothing", async () => {
		const { outcomes } = await handshake(
			{ certificate: alice, fingerprints: prints(bob) },
			{ certificate: bob, fingerprints: [{ algorithm: "sha-1", value: createHash("sha1").update(alice.der).digest("hex") }] },
		);
		expect(outcomes.server).toHaveProperty("failed");
	});

	// The certificate is public: whoever has seen a handshake can show it. The proof is the signature.
	it("the announced certificate without its key: client", async () => {
		const { outcomes } = await handshake(
			{ certificate: impostor(), fingerprints: prints(bob) },
			{ certificate: bob, fingerprints: prints(alice) },
		);
		expect(outcomes.server).toEqual({ failed: expect.stringContaining("its signature of the handshake is wrong") });
	});

	it("the announced certificate without its key: server", async () => {
		const imposed = impostor();
		const { outcomes } = await handshake(
			{ certificate: bob, fingerprints: prints(alice) },
			{ certificate: imposed, fingerprints: prints(bob) },
		);
		expect(outcomes.client).toEqual({ failed: expect.stringContaining("its signature of the key exchange is wrong") });
	});

	/** Shows Alice's certificate, signs with the key of another. */
	function impostor(): DtlsCertificate {
		return { ...alice, privateKey: mallory.privateKey };
	}
});

describe("what the library would believe", () => {
	it("new keys in the datagram of Finished: an association is under the keys that were signed, or is none", async () => {
		const heard: string[] = [];
		const failed: string[] = [];
		const connected: string[] = [];
		let a: DtlsAssociation;
		const b = new DtlsAssociation({
			role: "server",
			certificate: bob,
			fingerprints: prints(alice),
			// The last flight is ChangeCipherSpec and Finished, which come apart. Before it only genuine datagrams pass.
			send: (packet) => {
				const isFinished = packet.readUInt16BE(3) === 1;
				if (isFinished) setImmediate(() => a.receive(newKeys()));
				setImmediate(() => a.receive(isFinished ? Buffer.concat([newKeys(), packet, newKeys()]) : Buffer.from(packet)));
			},
			onConnected: () => connected.push("server"),
			onFailed: (reason) => failed.push(reason),
			onData: (data) => heard.push(data.toString()),
		});
		a = new DtlsAssociation({
			role: "client",
			certificate: alice,
			fingerprints: prints(bob),
			send: (packet) => setImmediate(() => b.receive(Buffer.from(packet))),
			onConnected: () => connected.push("client"),
			onFailed: (reason) => failed.push(reason),
		});
		a.start();
		await expect.poll(() => connected.toSorted(), { timeout: 5_000, interval: 2 }).toEqual(["client", "server"]);
		await new Promise((resolve) => setImmediate(resolve));
		await a.send(Buffer.from("under the signed keys"));
		await expect.poll(() => heard, { interval: 2 }).toEqual(["under the signed keys"]);
		expect(failed).toEqual([]);
		a.close();
		b.close();
	});

	it.each([
		["the peer's own alert", (peer: DtlsClient) => peer.cipher.cipher, ["the peer has ended the DTLS association"]],
		["one under another key", () => undefined, []],
	])("%s", async (_name, cipherOf, expected) => {
		const failed: string[] = [];
		let isConnected = false;
		const socket = {
			type: "udp",
			onData: (_data: Buffer): void => undefined,
			send: (packet: Buffer) => toServer(packet),
			close: () => Promise.resolve(),
		};
		const peer = new DtlsClient({
			...weriftCertificate(alice),
			transport: socket as unknown as NonNullable<ConstructorParameters<typeof DtlsClient>[0]>["transport"],
			srtpProfiles: [7],
			extendedMasterSecret: true,
			certificateRequest: true,
		});
		const association = new DtlsAssociation({
			role: "server",
			certificate: bob,
			fingerprints: prints(alice),
			send: (packet) => setImmediate(() => socket.onData(Buffer.from(packet))),
			onConnected: () => (isConnected = true),
			onFailed: (reason) => failed.push(reason),
		});
		const toServer = (packet: Buffer): Promise<void> => {
			setImmediate(() => association.receive(Buffer.from(packet)));
			return Promise.resolve();
		};
		peer.connect().catch((error: unknown) => failed.push(String(error)));
		await expect.poll(() => isConnected, { timeout: 5_000, interval: 2 }).toBe(true);
		// warning, close_notify
		const plain = Buffer.from([1, 0]);
		const header = { type: 21, version: 0xfefd, epoch: 1, sequenceNumber: 77 };
		const sealed = cipherOf(peer)?.encrypt(peer.sessionType, plain, header) ?? Buffer.concat([plain, Buffer.alloc(24, 3)]);
		association.receive(Buffer.concat([Buffer.from("15fefd" + "0001" + "00000000004d" + "001a", "hex"), sealed]));
		expect(failed).toEqual(expected);
		association.close();
	});
});

/** ECDSA with SHA-256, as the library wants it. */
function weriftCertificate({ der, privateKey }: DtlsCertificate) {
	return {
		cert: new X509Certificate(der).toString(),
		key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
		signatureHash: { hash: HashAlgorithm.sha256_4, signature: SignatureAlgorithm.ecdsa_3 },
	};
}

/** In the clear, pretending to be encrypted, and of a type that nobody knows. */
function alerts(): Buffer[] {
	return ["15fefd0000000000000009000202" + "28", "15fefd0001000000000009000201" + "00", "19fefd0001000000000009000201" + "00"].map((hex) =>
		Buffer.from(hex, "hex"),
	);
}

function clientHello(): Buffer {
	return handshakeRecord(
		1,
		Buffer.concat([Buffer.from("fefd", "hex"), Buffer.alloc(32, 7), Buffer.from("000000" + "02c02b" + "0100", "hex")]),
	);
}

/** ServerKeyExchange with a key of somebody's own and ServerHelloDone, upon which a client answers with new keys, and ClientKeyExchange for servers. */
function newKeys(): Buffer {
	const key = createECDH("prime256v1").generateKeys();
	const exchange = Buffer.concat([Buffer.from("030017", "hex"), Buffer.from([key.length]), key, Buffer.from("04030002" + "0000", "hex")]);
	const clientKey = Buffer.concat([Buffer.from([key.length]), key]);
	return Buffer.concat([handshakeRecord(12, exchange), handshakeRecord(14, Buffer.alloc(0)), handshakeRecord(16, clientKey)]);
}

function handshakeRecord(type: number, body: Buffer): Buffer {
	const message = Buffer.concat([Buffer.from([type, 0, 0, body.length, 0, 0, 0, 0, 0, 0, 0, body.length]), body]);
	return Buffer.concat([Buffer.from("16fefd0000000000000000", "hex"), Buffer.from([0, message.length]), message]);
}
