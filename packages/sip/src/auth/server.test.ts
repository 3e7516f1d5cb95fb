import { nodeHashes } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { field } from "../message/headers.ts";
import { DigestClient } from "./client.ts";
import type { DigestAlgorithm } from "./digest.ts";
import { challenge, type VerifyOptions, verifyAuthorization } from "./server.ts";

const scope = { hashes: nodeHashes, secret: new Uint8Array(32).fill(9), realm: "trunk.example", scope: "call-1" };
const account = { username: "alice", password: "s3cret" };
const NOW = 1_800_000_000_000;
const URI = "sip:+15550100@example.com";

/** What a client sends that was challenged at NOW. */
function answer(
	options: { algorithm?: DigestAlgorithm; password?: string; username?: string; method?: string; uri?: string } = {},
): string {
	const client = new DigestClient({ ...account, ...options }, nodeHashes, (n) => new Uint8Array(n));
	const value = challenge({ ...scope, now: NOW, ...(options.algorithm && { algorithm: options.algorithm }) });
	const response = {
		kind: "response",
		status: 401,
		reason: "",
		headers: [field("WWW-Authenticate", value)],
		body: new Uint8Array(),
	} as const;
	expect(client.learn(response, { rounds: 0, realms: new Set() })).toBeUndefined();
	return client.headersFor(options.method ?? "INVITE", options.uri ?? URI)[0]?.value ?? "";
}

function verify(values: string[], changed: Partial<VerifyOptions> = {}) {
	return verifyAuthorization({ ...scope, ...account, now: NOW + 1000, values, method: "INVITE", requestUri: URI, ...changed });
}

describe("digest server", () => {
	it("takes its own challenge, right answered, with either algorithm", () => {
		expect(verify([answer({ algorithm: "MD5" })])).toBe("ok");
		expect(verify([answer({ algorithm: "SHA-256" })])).toBe("ok");
		expect(verify(["Basic abc", answer()])).toBe("ok");
	});

	it("another node with the same secret takes it too; with another secret or call it is stale, with another realm none", () => {
		const value = answer();
		expect(verify([value], { secret: new Uint8Array(32).fill(9) })).toBe("ok");
		// RFC 7616 §3.3: stale means that the nonce is not valid but the digest for it is. Phones answer with the last call's nonce at once.
		expect(verify([value], { secret: new Uint8Array(32).fill(8) })).toBe("stale");
		expect(verify([value], { scope: "call-2" })).toBe("stale");
		expect(verify([answer({ password: "s3creT" })], { scope: "call-2" })).toBe("refused");
		expect(verify([value], { realm: "other.example" })).toBe("missing");
	});

	it("refuses a wrong user, password, method, and credentials made for another Request-URI", () => {
		expect(verify([answer({ password: "s3creT" })])).toBe("refused");
		expect(verify([answer({ username: "alicf" })])).toBe("refused");
		expect(verify([answer()], { method: "BYE" })).toBe("refused");
		expect(verify([answer({ uri: "sip:+15550101@example.com" })])).toBe("refused");
		expect(verify([answer()], { requestUri: "sip:+15550101@example.com" })).toBe("refused");
	});

	it("an expired nonce is stale, when all else is right", () => {
		expect(verify([answer()], { now: NOW + 60_000 })).toBe("ok");
		expect(verify([answer()], { now: NOW + 60_001 })).toBe("stale");
		expect(verify([answer({ password: "x" })], { now: NOW + 60_001 })).toBe("refused");
		expect(verify([answer()], { now: NOW - 5001 })).toBe("stale");
		expect(challenge({ ...scope, now: NOW, stale: true })).toContain("stale=true");
	});

	it("a nonce cannot be made young", () => {
		const value = answer().replace(/nonce="[0-9a-f]+\./, `nonce="${(NOW + 50_000).toString(16)}.`);
		expect(verify([value], { now: NOW + 61_000 })).toBe("refused");
	});

	it("leaves replays to `unused`", () => {
		const seen = new Set<string>();
		const unused = (nonce: string, nc: string): boolean => !seen.has(nonce + nc) && !!seen.add(nonce + nc);
		const value = answer();
		expect([verify([value], { unused }), verify([value], { unused })]).toEqual(["ok", "stale"]);
	});

	it("what is no credentials is missing or malformed, never an exception", () => {
		expect(verify([])).toBe("missing");
		expect(verify(["", "Digest", 'Digest realm="x', "Digest ==,,="])).toBe("missing");
		for (const name of ["nonce", "uri", "response", "username"]) {
			expect(verify([answer().replace(new RegExp(`${name}="[^"]*"`), "x=y")])).toBe("malformed");
		}
		expect(verify([answer().replace("nc=00000001", "nc=1")])).toBe("malformed");
		expect(verify([answer().replace("algorithm=MD5", "algorithm=none")])).toBe("malformed");
		for (let end = 0; end < answer().length; end++) expect(verify([answer().slice(0, end)])).not.toBe("ok");
	});
});
