import { SignJWT } from "jose";
import { describe, expect, it } from "vitest";
import { tokenOf, verifyToken } from "./tokens.ts";

const keys = { devkey: "secret" };

async function sign(
	claims: Record<string, unknown>,
	options: { secret?: string; issuer?: string; algorithm?: string; expires?: string } = {},
): Promise<string> {
	return new SignJWT(claims)
		.setProtectedHeader({ alg: options.algorithm ?? "HS256" })
		.setIssuer(options.issuer ?? "devkey")
		.setSubject("alice")
		.setExpirationTime(options.expires ?? "10m")
		.sign(Buffer.from(options.secret ?? "secret"));
}

describe("verifyToken", () => {
	it("reads grants, with LiveKit's defaults", async () => {
		const claims = { name: "Alice", kind: "SIP", metadata: "m", attributes: { a: "1", b: 2 }, video: { roomJoin: true, room: "lobby" } };
		expect(await verifyToken(await sign(claims), keys)).toEqual({
			ok: true,
			apiKey: "devkey",
			expiresAt: expect.any(Number),
			grants: {
				identity: "alice",
				name: "Alice",
				kind: "sip",
				metadata: "m",
				attributes: { a: "1" },
				room: "lobby",
				roomJoin: true,
				roomCreate: false,
				roomList: false,
				roomAdmin: false,
				canPublish: true,
				canSubscribe: true,
				canPublishData: true,
				canPublishSources: [],
				canUpdateOwnMetadata: false,
				hidden: false,
				destinationRoom: "",
			},
		});
	});

	it("refuses a token without an end", async () => {
		const endless = await new SignJWT({ video: { roomJoin: true, room: "lobby" } })
			.setProtectedHeader({ alg: "HS256" })
			.setIssuer("devkey")
			.setSubject("alice")
			.sign(Buffer.from("secret"));
		expect(await verifyToken(endless, keys)).toMatchObject({ ok: false, message: expect.stringContaining('"exp"') });
	});

	it("lets data follow canPublish unless it is said", async () => {
		const silent = await verifyToken(await sign({ video: { canPublish: false } }), keys);
		const typing = await verifyToken(await sign({ video: { canPublish: false, canPublishData: true } }), keys);
		expect(silent.ok && silent.grants.canPublishData).toBe(false);
		expect(typing.ok && typing.grants.canPublishData).toBe(true);
	});

	it.each([
		["another secret", sign({}, { secret: "other" }), "signature verification failed"],
		["an unknown key", sign({}, { issuer: "nobody" }), "invalid API key"],
		["a key named like an object's own", sign({}, { issuer: "constructor" }), "invalid API key"],
		["the past", sign({}, { expires: "-5m" }), "invalid token: token has invalid claims: token is expired"],
		["another algorithm", sign({}, { algorithm: "HS512" }), "alg"],
		["nothing", Promise.resolve(""), "missing"],
		["no JWT", Promise.resolve("a.b"), "invalid token"],
	])("refuses %s", async (_what, token, message) => {
		const verified = await verifyToken(await token, keys);
		expect(verified).toEqual({ ok: false, message: expect.stringContaining(message) });
	});
});

describe("tokenOf", () => {
	it("takes the header before the query, and only Bearer", () => {
		const query = new URLSearchParams("access_token=query");
		expect(tokenOf("Bearer header", query)).toBe("header");
		expect(tokenOf(undefined, query)).toBe("query");
		expect(tokenOf("Basic x", query)).toBe("");
	});
});
