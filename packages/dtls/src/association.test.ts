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

/** A client and a server, until both (or one) know what came of it. */
async function handshake(client: Side, server: Side, until: "both" | "either" = "both") {
	const outcomes: { client?: Outcome; server?: Outcome } = {};
	const data: string[] = [];
	let a: DtlsAssociation;
	let b: DtlsAssociation;
	const side = (name: "client" | "server", options: Side, other: () => DtlsAssociation): DtlsAssociation =>
		new DtlsAssociation({
			role: name,
			send: (packet) => setImmediate(() => other().receive(Buffer.from(packet))),
			onConnected: (keys) => (outcomes[name] = { keys }),
			onFailed: (failed) => (outcomes[name] = { failed }),
			onData: (bytes) => data.push(`${name} ${bytes.toString()}`),
			...options,
		});
	a = side("client", client, () => b);
	b = side("server", server, () => a);
	a.start();
	const known = (): number => Object.keys(outcomes).length;
	await expect.poll(known, { timeout: 5_000, interval: 2 }).toBeGreaterThanOrEqual(until === "both" ? 2 : 1);
	return { a, b, outcomes, data };
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
			const { a, b, outcomes, data } = await handshake(
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
			for (const record of [Buffer.from("15fefd0000000000000009000202" + "28", "hex"), clientHello()]) b.receive(record);
			await a.send(Buffer.from("again"));
			await expect.poll(() => data, { interval: 2 }).toEqual(["server hello", "server again"]);
			a.close();
			b.close();
		},
	);

	it("no common profile: neither has keys", async () => {
		const { a, outcomes } = await handshake(
			{ certificate: alice, fingerprints: prints(bob), suites: ["AEAD_AES_256_GCM"] },
			{ certificate: bob, fingerprints: prints(alice), suites: ["AEAD_AES_128_GCM"] },
			"either",
		);
		expect(outcomes).toEqual({ server: { failed: expect.stringContaining("the DTLS handshake has failed") } });
		a.close();
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
			{ certificate: bob, fingerprints: [{ algorithm: "sha-1", value: alice.fingerprint }] },
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
		const certificate = Object.assign(Object.create(Object.getPrototypeOf(alice.certificate)), alice.certificate, {
			privateKey: mallory.certificate.privateKey,
		});
		return { fingerprint: alice.fingerprint, certificate };
	}
});

function clientHello(): Buffer {
	const body = Buffer.concat([Buffer.from("fefd", "hex"), Buffer.alloc(32, 7), Buffer.from("000000" + "02c02b" + "0100", "hex")]);
	const message = Buffer.concat([Buffer.from([1, 0, 0, body.length, 0, 0, 0, 0, 0, 0, 0, body.length]), body]);
	return Buffer.concat([Buffer.from("16fefd0000000000000000", "hex"), Buffer.from([0, message.length]), message]);
}
