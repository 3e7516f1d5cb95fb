import { createHash } from "node:crypto";
import { nodeHashes } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { DigestClient } from "./client.ts";
import { type DigestInput, digestResponse, parseAlgorithm } from "./digest.ts";
import { parseAuthField } from "../grammar/challenge.ts";
import { utf8Encode } from "../grammar/text.ts";
import { field } from "../message/headers.ts";
import type { SipResponse } from "../message/message.ts";

describe("RFC 2617 §3.5", () => {
	it("Mufasa's response with MD5, qop=auth", () => {
		const response = digestResponse(nodeHashes, {
			...{ algorithm: "MD5", session: false, username: "Mufasa", realm: "testrealm@host.com", password: "Circle Of Life" },
			...{ method: "GET", uri: "/dir/index.html", nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093" },
			...{ qop: "auth", nc: "00000001", cnonce: "0a4f113b" },
		});
		expect(response).toBe("6629fae49393a05397450978507c4ef1");
	});

	it("RFC 2069 form: without qop (RFC 2617 §3.2.2.1, errata 1649 of RFC 2069)", () => {
		const response = digestResponse(nodeHashes, {
			...{ algorithm: "MD5", session: false, username: "Mufasa", realm: "testrealm@host.com", password: "CircleOfLife" },
			...{ method: "GET", uri: "/dir/index.html", nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", nc: "", cnonce: "" },
		});
		expect(response).toBe("1949323746fe6a43ef61f9606e7febea");
	});
});

describe("RFC 7616 §3.9.1", () => {
	const input: Omit<DigestInput, "algorithm"> = {
		...{ session: false, username: "Mufasa", realm: "http-auth@example.org", password: "Circle of Life" },
		...{ method: "GET", uri: "/dir/index.html", nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v" },
		...{ qop: "auth", nc: "00000001", cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ" },
	};

	it("MD5", () => expect(digestResponse(nodeHashes, { ...input, algorithm: "MD5" })).toBe("8ca523f5e9506fed4657c9700eebdbec"));

	it("SHA-256", () => {
		const expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
		expect(digestResponse(nodeHashes, { ...input, algorithm: "SHA-256" })).toBe(expected);
	});
});

describe("RFC 7616 §3.7, RFC 3261 §22: the client's answer", () => {
	const challenged = (status: 401 | 407, ...values: string[]): SipResponse => ({
		...{ kind: "response", status, reason: "", body: new Uint8Array() },
		headers: values.map((value) => field(status === 401 ? "WWW-Authenticate" : "Proxy-Authenticate", value)),
	});
	const client = () => new DigestClient({ username: "bob", password: "zanzibar" }, nodeHashes, (n) => new Uint8Array(n).fill(7));
	const attempts = () => ({ rounds: 0, realms: new Set<string>() });
	const MD5 = 'Digest realm="r", nonce="n1", algorithm=MD5, qop="auth,auth-int", opaque="o\\"q"';
	const SHA = 'Digest realm="r", nonce="n2", algorithm=SHA-256, qop="auth"';

	it("of several challenges of a realm the strongest is answered, whatever their order", () => {
		for (const values of [
			[MD5, SHA],
			[SHA, MD5],
		]) {
			const digest = client();
			expect(digest.learn(challenged(401, ...values), attempts())).toBeUndefined();
			const [answer, ...others] = digest.headersFor("INVITE", "sip:carol@example.com");
			expect(others).toEqual([]);
			expect(answer?.name).toBe("Authorization");
			expect(parseAuthField(answer?.value ?? "")?.params.get("algorithm")).toBe("SHA-256");
		}
	});

	it("uri is the Request-URI byte for byte, nc counts, opaque comes back, the response is that of the algorithm", () => {
		const digest = client();
		digest.learn(challenged(407, MD5), attempts());
		digest.headersFor("INVITE", "sip:x");
		const [second] = digest.headersFor("INVITE", "sip:%61@Example.com;Transport=udp");
		expect(second?.name).toBe("Proxy-Authorization");
		const params = parseAuthField(second?.value ?? "")?.params;
		expect(params?.get("uri")).toBe("sip:%61@Example.com;Transport=udp");
		expect(params?.get("nc")).toBe("00000002");
		expect(params?.get("opaque")).toBe('o"q');
		expect(second?.value).toContain("qop=auth, nc=00000002");
		const expected = digestResponse(nodeHashes, {
			...{ algorithm: "MD5", session: false, username: "bob", realm: "r", password: "zanzibar", method: "INVITE", qop: "auth" },
			...{ uri: "sip:%61@Example.com;Transport=udp", nonce: "n1", nc: "00000002", cnonce: "0707070707070707" },
		});
		expect(params?.get("response")).toBe(expected);
	});

	it("each realm gets its own credentials", () => {
		const digest = client();
		digest.learn(challenged(407, MD5, MD5.replace('"r"', '"s"')), attempts());
		expect(digest.headersFor("INVITE", "sip:x").map(({ value }) => parseAuthField(value)?.params.get("realm"))).toEqual(["r", "s"]);
	});

	it("a realm is answered once, again when the nonce was stale, at most five rounds in all", () => {
		const digest = client();
		const tries = attempts();
		expect(digest.learn(challenged(401, MD5), tries)).toBeUndefined();
		expect(digest.learn(challenged(401, MD5), tries)).toBe("credentials refused");
		for (const nonce of ["n3", "n4", "n5"]) {
			expect(digest.learn(challenged(401, `Digest realm="r", nonce="${nonce}", stale=TRUE`), tries)).toBeUndefined();
		}
		expect(digest.learn(challenged(401, 'Digest realm="r", nonce="n6", stale=true'), tries)).toBe("challenged more than 5 times");
	});

	it("what it cannot do it does not try", () => {
		for (const value of [
			"Basic realm=r",
			'Digest realm="r", nonce="n", algorithm=SHA-1024',
			'Digest realm="r", nonce="n", qop="auth-conf"',
			"Digest",
			"\x7f",
		]) {
			expect(client().learn(challenged(401, value), attempts())).toBe("no challenge with an algorithm and qop that we have");
		}
		const none = new DigestClient(undefined, nodeHashes, () => new Uint8Array());
		expect(none.learn(challenged(401, MD5), attempts())).toBe("challenged, but there are no credentials");
	});

	it("a peer that names another realm each time makes requests no longer: the latest eight are answered", () => {
		const digest = client();
		for (let i = 0; i < 100; i++) digest.learn(challenged(401, `Digest realm="r${i}", nonce="n"`), attempts());
		const realms = digest.headersFor("INVITE", "sip:x").map(({ value }) => parseAuthField(value)?.params.get("realm"));
		expect(realms).toEqual(["r92", "r93", "r94", "r95", "r96", "r97", "r98", "r99"]);
		expect(
			digest.learn(challenged(401, ...Array.from({ length: 50 }, (_, i) => `Digest realm="q${i}", nonce="n"`)), attempts()),
		).toBeUndefined();
		expect(digest.headersFor("INVITE", "sip:x")).toHaveLength(8);
	});

	it("algorithm names: none is MD5, any case, -sess", () => {
		expect(parseAlgorithm(undefined)).toEqual({ algorithm: "MD5", session: false });
		expect(parseAlgorithm("sha-256-SESS")).toEqual({ algorithm: "SHA-256", session: true });
		expect(parseAlgorithm("MD4")).toBeUndefined();
	});
});

describe("RFC 8760, RFC 7616 §3.4.3: SHA-512-256 and auth-int", () => {
	const learn = (digest: DigestClient, ...values: string[]) =>
		digest.learn(
			{
				...{ kind: "response", status: 401, reason: "", body: new Uint8Array() },
				headers: values.map((value) => field("WWW-Authenticate", value)),
			},
			{ rounds: 0, realms: new Set() },
		);
	const client = (username = "bob") => new DigestClient({ username, password: "zanzibar" }, nodeHashes, (n) => new Uint8Array(n).fill(7));
	const answerOf = (digest: DigestClient, body?: string) =>
		parseAuthField(digest.headersFor("INVITE", "sip:x", body === undefined ? undefined : utf8Encode(body))[0]?.value ?? "")?.params;
	const hash = (name: string, text: string): string => createHash(name).update(text).digest("hex");

	it("RFC 8760 §2.4: the strongest algorithm that we have, of those with the realm", () => {
		const digest = client();
		const of = (algorithm: string) => `Digest realm="r", nonce="${algorithm}", algorithm=${algorithm}, qop="auth"`;
		expect(learn(digest, of("MD5"), of("SHA-512-256"), of("SHA-256"), of("SHA-1024"))).toBeUndefined();
		const params = answerOf(digest);
		expect(params?.get("algorithm")).toBe("SHA-512-256");
		const a1 = hash("sha512-256", "bob:r:zanzibar");
		const a2 = hash("sha512-256", "INVITE:sip:x");
		expect(params?.get("response")).toBe(hash("sha512-256", `${a1}:SHA-512-256:00000001:0707070707070707:auth:${a2}`));
	});

	it("auth-int is answered when there is nothing else, with the hash of the body; auth where there is the choice", () => {
		const only = client();
		expect(learn(only, 'Digest realm="r", nonce="n", qop="auth-int"')).toBeUndefined();
		const params = answerOf(only, "v=0");
		expect(params?.get("qop")).toBe("auth-int");
		const a2 = hash("md5", `INVITE:sip:x:${hash("md5", "v=0")}`);
		expect(params?.get("response")).toBe(hash("md5", `${hash("md5", "bob:r:zanzibar")}:n:00000001:0707070707070707:auth-int:${a2}`));
		const both = client();
		learn(both, 'Digest realm="r", nonce="n", qop="auth-int,auth"');
		expect(answerOf(both, "v=0")?.get("qop")).toBe("auth");
	});

	it("a name with quotes and backslashes is escaped on the wire and whole in the hash", () => {
		const digest = client('b"o\\b');
		learn(digest, 'Digest realm="a \\"b\\" c", nonce="n"');
		const value = digest.headersFor("INVITE", "sip:x")[0]?.value ?? "";
		expect(value).toContain('username="b\\"o\\\\b", realm="a \\"b\\" c"');
		const expected = hash("md5", `${hash("md5", 'b"o\\b:a "b" c:zanzibar')}:n:${hash("md5", "INVITE:sip:x")}`);
		expect(parseAuthField(value)?.params.get("response")).toBe(expected);
	});
});
