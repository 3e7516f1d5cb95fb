import { createPrivateKey, X509Certificate } from "node:crypto";
import { CipherContext, DtlsClient, DtlsServer, HashAlgorithm, SignatureAlgorithm } from "werift";
import { beforeAll, describe, expect, it } from "vitest";
import { certificateOf, type DtlsCertificate, newCertificate } from "./certificate.ts";
import { DtlsEndpoint, type DtlsOutput } from "./endpoint.ts";
import { nodeCrypto } from "./node-crypto.ts";
import { DTLS_SRTP_SUITES, type DtlsSrtpKeys } from "./suites.ts";

let alice: DtlsCertificate;
let bob: DtlsCertificate;
let rsa: DtlsCertificate;
beforeAll(async () => {
	[alice, bob] = await Promise.all([newCertificate(), newCertificate()]);
	const { certPem, keyPem } = await CipherContext.createSelfSignedCertificateWithKey({
		...{ signature: SignatureAlgorithm.rsa_1, hash: HashAlgorithm.sha256_4 },
	});
	rsa = certificateOf(new X509Certificate(certPem).raw, createPrivateKey(keyPem));
});

const prints = ({ fingerprint: value }: DtlsCertificate) => [{ algorithm: "sha-256", value }];
const endpoint = (role: "client" | "server", own: DtlsCertificate, theirs: DtlsCertificate, cookieExchange = true): DtlsEndpoint =>
	new DtlsEndpoint({
		...{ role, certificate: own, fingerprints: prints(theirs), suites: DTLS_SRTP_SUITES, crypto: nodeCrypto, cookieExchange },
	});

/** mulberry32 */
function seeded(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
	};
}

/** Two endpoints over a network in simulated time. */
function simulate(
	client: DtlsEndpoint,
	server: DtlsEndpoint,
	network: { random: () => number; loss: number; copies: number; lateMs: number },
) {
	const ends = [client, server] as const;
	const keys: (DtlsSrtpKeys | undefined)[] = [undefined, undefined];
	const data: string[][] = [[], []];
	const failed: string[] = [];
	const sizes: number[] = [];
	let inFlight: { at: number; to: 0 | 1; packet: Buffer }[] = [];
	let now = 0;
	const drain = (side: 0 | 1): void => {
		for (let output: DtlsOutput | undefined = ends[side].poll(); output !== undefined; output = ends[side].poll()) {
			if (output.kind === "connected") keys[side] = output.keys;
			else if (output.kind === "data") data[side]?.push(output.data.toString());
			else if (output.kind === "failed") failed.push(output.reason);
			else {
				sizes.push(output.packet.length);
				const times = network.random() < network.loss ? 0 : network.random() < network.copies ? 2 : 1;
				for (let copy = 0; copy < times; copy++)
					inFlight.push({ at: now + 1 + network.random() * network.lateMs, to: side === 0 ? 1 : 0, packet: output.packet });
			}
		}
	};
	const run = (until: () => boolean, limitMs: number): void => {
		while (!until() && now < limitMs) {
			const next = Math.min(...inFlight.map(({ at }) => at), ...ends.map((end) => end.timeoutAt ?? Number.POSITIVE_INFINITY));
			if (next === Number.POSITIVE_INFINITY) break;
			now = Math.max(now, next);
			const due = inFlight.filter(({ at }) => at <= now);
			inFlight = inFlight.filter(({ at }) => at > now);
			for (const { to, packet } of due) {
				ends[to].receive(Buffer.from(packet), now);
				drain(to);
			}
			for (const side of [0, 1] as const) {
				ends[side].timeout(now);
				drain(side);
			}
		}
	};
	client.start(now);
	drain(0);
	run(() => keys.every((each) => each !== undefined), 120_000);
	const say = (side: 0 | 1, text: string): void => {
		expect(ends[side].send(Buffer.from(text))).toBe(true);
		drain(side);
		run(() => false, now + 1_000);
	};
	return { keys, data, failed, sizes, say, takenMs: now };
}

const CLEAN = { random: () => 0.5, loss: 0, copies: 0, lateMs: 0 };

describe("over a network in simulated time", () => {
	it("without loss nothing is said twice, and no packet is larger than a path carries", () => {
		const { keys, sizes, takenMs } = simulate(endpoint("client", alice, bob), endpoint("server", bob, alice), CLEAN);
		expect(keys[0]?.local).toEqual(keys[1]?.remote);
		expect(keys[0]?.remote).toEqual(keys[1]?.local);
		// hello, cookie, hello, and the three flights after it: one packet each, as all of a flight fits into one
		expect(sizes).toHaveLength(6);
		expect(Math.max(...sizes)).toBeLessThanOrEqual(1_200);
		expect(takenMs).toBeLessThan(20);
		const short = simulate(endpoint("client", alice, bob), endpoint("server", bob, alice, false), CLEAN);
		expect(short.sizes).toHaveLength(4);
	});

	it("losses, copies, packets in any order: both agree, and data arrive once", () => {
		let slowest = 0;
		for (let seed = 1; seed <= 150; seed++) {
			const random = seeded(seed);
			const network = { random, loss: (seed % 4) * 0.1, copies: 0.2, lateMs: 60 };
			const both = simulate(endpoint("client", alice, bob, true), endpoint("server", bob, alice, seed % 2 === 0), network);
			expect(both.failed, `seed ${seed}`).toEqual([]);
			expect(both.keys[0]?.local, `seed ${seed}`).toBeDefined();
			expect(both.keys[0]?.local, `seed ${seed}`).toEqual(both.keys[1]?.remote);
			slowest = Math.max(slowest, both.takenMs);
			network.loss = 0;
			both.say(0, "to the server");
			both.say(1, "to the client");
			expect(both.data, `seed ${seed}`).toEqual([["to the client"], ["to the server"]]);
		}
		// of 3 in 10 lost, 400 ms and doubled
		expect(slowest).toBeLessThan(30_000);
	});

	it("nobody there: eight times, then never again", () => {
		const client = endpoint("client", alice, bob);
		const outputs: DtlsOutput[] = [];
		client.start(0);
		for (let now = 0; now <= 60_000; now += 100) {
			client.timeout(now);
			for (let output = client.poll(); output !== undefined; output = client.poll()) outputs.push(output);
		}
		expect(outputs.map(({ kind }) => kind)).toEqual([...new Array<string>(8).fill("send"), "failed"]);
		expect(client.timeoutAt).toBeUndefined();
	});

	it("RSA certificates, in fragments, on either side", () => {
		for (const [client, server] of [
			[rsa, bob],
			[alice, rsa],
			[rsa, rsa],
		] as const) {
			const random = seeded(7);
			const both = simulate(endpoint("client", client, server), endpoint("server", server, client), {
				random,
				loss: 0,
				copies: 0,
				lateMs: 30,
			});
			expect(both.failed).toEqual([]);
			expect(both.keys[0]?.local).toEqual(both.keys[1]?.remote);
			expect(Math.max(...both.sizes)).toBeLessThanOrEqual(1_200);
		}
	});
});

/** The library that browsers' peers in tests use, as an independent implementation of the same RFCs. */
describe("with werift's DTLS on the other side", () => {
	const SUITE_NUMBERS = { AES_CM_128_HMAC_SHA1_80: 1, AEAD_AES_128_GCM: 7 } as const;

	async function meet(role: "client" | "server", own: DtlsCertificate, suite: keyof typeof SUITE_NUMBERS) {
		const ours = endpoint(role, own, alice);
		const result: { keys?: DtlsSrtpKeys; failed?: string; data: string[] } = { data: [] };
		const socket = { type: "udp", onData: (_data: Buffer): void => undefined, close: () => Promise.resolve() };
		const drain = (): void => {
			for (let output = ours.poll(); output !== undefined; output = ours.poll()) {
				if (output.kind === "send") {
					const { packet } = output;
					setImmediate(() => socket.onData(packet));
				} else if (output.kind === "connected") result.keys = output.keys;
				else if (output.kind === "data") result.data.push(output.data.toString());
				else result.failed = output.reason;
			}
		};
		const send = (packet: Buffer): Promise<void> => {
			const copy = Buffer.from(packet);
			setImmediate(() => {
				ours.receive(copy, performance.now());
				drain();
			});
			return Promise.resolve();
		};
		const options = {
			cert: new X509Certificate(alice.der).toString(),
			key: alice.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
			signatureHash: { hash: HashAlgorithm.sha256_4, signature: SignatureAlgorithm.ecdsa_3 },
			transport: { ...socket, send } as unknown as NonNullable<ConstructorParameters<typeof DtlsClient>[0]>["transport"],
			srtpProfiles: [SUITE_NUMBERS[suite] as 1],
			...{ extendedMasterSecret: true, certificateRequest: true },
		};
		Object.assign(socket, options.transport);
		const theirs =
			role === "client"
				? new DtlsServer({ ...options, transport: socket as never })
				: new DtlsClient({ ...options, transport: socket as never });
		const heard: string[] = [];
		theirs.onData.subscribe((data) => heard.push(data.toString()));
		theirs.onError.subscribe((error) => heard.push(`error ${error.message}`));
		if (theirs instanceof DtlsClient) theirs.connect().catch(() => undefined);
		ours.start(performance.now());
		drain();
		await expect.poll(() => result.keys ?? result.failed, { timeout: 5_000, interval: 2 }).toBeDefined();
		return { ours, theirs, result, heard, drain };
	}

	it.each([
		["client", "AEAD_AES_128_GCM"],
		["client", "AES_CM_128_HMAC_SHA1_80"],
		["server", "AEAD_AES_128_GCM"],
		["server", "AES_CM_128_HMAC_SHA1_80"],
	] as const)("we are the %s: the same keys of %s on both sides, and data both ways", async (role, suite) => {
		const { ours, theirs, result, heard, drain } = await meet(role, bob, suite);
		expect(result.failed).toBeUndefined();
		expect(result.keys?.suite).toBe(suite);
		const salt = suite === "AEAD_AES_128_GCM" ? 12 : 14;
		await expect.poll(() => theirs.extractSessionKeys(16, salt).localKey, { interval: 2 }).toEqual(result.keys?.remote.key);
		const { localSalt, remoteKey, remoteSalt } = theirs.extractSessionKeys(16, salt);
		expect({ key: remoteKey, salt: remoteSalt }).toEqual(result.keys?.local);
		expect(localSalt).toEqual(result.keys?.remote.salt);
		expect(ours.send(Buffer.from("from us"))).toBe(true);
		drain();
		await theirs.send(Buffer.from("from them"));
		await expect.poll(() => [heard, result.data], { interval: 2 }).toEqual([["from us"], ["from them"]]);
	});
});
