import type { DispatchRule, InboundTrunk } from "@trunkline/contracts";
import { digestResponse, parseMessage, type SipRequest } from "@trunkline/sip";
import { callRecord, captureLogs, dispatchRule, inboundTrunk, MemoryCallStore, MemoryConfigStore, nodeHashes } from "@trunkline/testkit";
import { beforeEach, describe, expect, it, test } from "vitest";
import { inboundInvite } from "../ua/messages.ts";
import { decideWith } from "./decide.ts";
import { Identities } from "./identities.ts";
import type { InboundOutcome } from "./inbound-call.ts";
import { PinLocks } from "./pin-locks.ts";

const START = 1_700_000_000_000;
const CALL_ID = "SCL_111111111111";
const REQUEST_URI = "sip:+15550100@192.0.2.10";

let now = START;
let configStore: MemoryConfigStore;
let callStore: MemoryCallStore;
let log: ReturnType<typeof captureLogs>;
let identities: Identities;
let pinLocks: PinLocks;

beforeEach(() => {
	now = START;
	configStore = new MemoryConfigStore();
	callStore = new MemoryCallStore({ now: () => now });
	log = captureLogs();
	identities = new Identities();
	pinLocks = new PinLocks();
});

const trunk = (changes: Partial<InboundTrunk> = {}) =>
	configStore.createTrunk("project", inboundTrunk({ numbers: ["+15550100"], ...changes }));
const rule = (changes: Partial<DispatchRule> = {}) => configStore.createRule("project", dispatchRule(changes));

interface Call {
	from?: string;
	to?: string;
	sipCallId?: string;
	source?: string;
	headers?: string[];
	strict?: boolean;
	secret?: number;
}

function decide(call: Call = {}): Promise<InboundOutcome> {
	return decideOn(node(call), call, CALL_ID);
}

function decideOn(decideCall: ReturnType<typeof decideWith>, call: Call, callId: string): Promise<InboundOutcome> {
	const request = invite(call);
	const given = inboundInvite(request, "our-tag", { host: call.source ?? "198.51.100.7", port: 5060, transport: "UDP" });
	if (given === undefined) throw new Error("the test's INVITE cannot be read");
	return decideCall(given, request, callId);
}

function node(call: Call = {}): ReturnType<typeof decideWith> {
	return decideWith({
		configStore,
		callStore,
		projectFor: async () => "project",
		strict: call.strict ?? true,
		hashes: nodeHashes,
		nonceSecret: new Uint8Array(32).fill(call.secret ?? 1),
		random: (length) => new Uint8Array(length),
		now: () => now,
		identities,
		pinLocks,
		log,
	});
}

function invite({ from = "+15551111", to = "+15550100", sipCallId = "abc@carrier", headers = [] }: Call): SipRequest {
	const text = [
		`INVITE ${REQUEST_URI} SIP/2.0`,
		"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKx;rport",
		"Max-Forwards: 70",
		`From: "Anna" <sip:${from === "" ? "" : `${from}@`}carrier.example>;tag=their-tag`,
		`To: <sip:${to}@192.0.2.10>`,
		`Call-ID: ${sipCallId}`,
		"CSeq: 1 INVITE",
		"Contact: <sip:carrier@198.51.100.7>",
		...headers,
		"Content-Length: 0",
		"",
		"",
	].join("\r\n");
	const parsed = parseMessage(new TextEncoder().encode(text));
	if (!parsed.ok || parsed.message.kind !== "request") throw new Error("the test's INVITE is no INVITE");
	return parsed.message;
}

const planOf = ({ plan }: InboundOutcome) => {
	if (plan === undefined) throw new Error("no plan");
	return plan;
};

describe("what carriers say of a call", () => {
	const headers = [
		"P-Asserted-Identity: <sip:+15559876@carrier.example;verstat=TN-Validation-Passed>",
		"Diversion: <sip:+15550000@a.example>",
	];
	const attributesOf = async (call: Call) => planOf(await decide(call)).room.attributes;

	it("is on the participant, where the trunk knows who says it", async () => {
		await trunk({ allowedAddresses: ["198.51.100.0/24"] });
		await rule();
		expect(await attributesOf({ headers })).toMatchObject({
			"sip.assertedIdentity": "sip:+15559876@carrier.example;verstat=TN-Validation-Passed",
			"sip.verstat": "TN-Validation-Passed",
			"sip.diversion": "<sip:+15550000@a.example>",
			"sip.phoneNumber": "+15551111",
		});
	});

	it("a trunk that anybody may call asserts nothing", async () => {
		await trunk();
		await rule();
		const attributes = await attributesOf({ headers });
		expect(attributes["sip.diversion"]).toBe("<sip:+15550000@a.example>");
		expect([attributes["sip.assertedIdentity"], attributes["sip.verstat"]]).toEqual([undefined, undefined]);
	});

	it("RFC 3325 §9.3: Privacy: id hides the number as the rule could", async () => {
		await trunk({ allowedAddresses: ["198.51.100.0/24"] });
		await rule();
		const plan = planOf(await decide({ headers: [...headers, "Privacy: id"] }));
		expect(JSON.stringify(plan.room)).not.toMatch(/15551111|15559876|15550000/);
		expect(plan.room.name).toBe("Phone 1111");
	});

	it("RFC 4028 §9: a session interval too short for the trunk → 422 with its Min-SE", async () => {
		await trunk({ settings: { sessionTimer: { minSeconds: 300 } } });
		await rule();
		const short = await decide({ headers: ["Supported: timer", "Session-Expires: 120"] });
		expect(short.decision).toMatchObject({ kind: "reject", status: 422, headers: [["Min-SE", "300"]] });
		expect((await decide({ headers: ["Supported: timer", "Session-Expires: 300"] })).decision.kind).toBe("accept");
		expect((await decide({ headers: ["Session-Expires: 120"] })).decision.kind).toBe("accept");
	});
});

describe("trunk and rule", () => {
	it.each([
		[{ krispEnabled: true }, {}],
		[{}, { krispEnabled: true }],
		[{ settings: { noiseSuppression: { uplink: true } } }, {}],
	])("noise is suppressed when the trunk (%j) or the rule (%j) says so", async (ofTrunk, ofRule) => {
		await trunk(ofTrunk);
		await rule(ofRule);
		expect((await decide()).decision).toMatchObject({ kind: "accept", suppression: { uplink: true, downlink: false, mix: 1 } });
	});

	it("accepts with the trunk's limits, and says which candidates there were", async () => {
		await trunk({ ringingTimeoutMs: 20_000, maxCallDurationMs: 600_000 });
		await rule({ trunkIds: ["ST_111111111111"], metadata: "m", attributes: { team: "blue" }, roomPreset: "preset" });
		const outcome = await decide();
		expect(outcome.decision).toEqual({ kind: "accept", ringingTimeoutMs: 20_000, maxCallDurationMs: 600_000 });
		expect(outcome.steps).toEqual([
			{ kind: "trunk", id: "ST_111111111111", outcome: "selected" },
			{ kind: "rule", id: "SDR_11111111111", outcome: "selected" },
		]);
		expect(planOf(outcome)).toEqual({
			attributesFrom: expect.any(Function),
			trunkId: "ST_111111111111",
			ruleId: "SDR_11111111111",
			from: "+15551111",
			to: "+15550100",
			acceptHeaders: [],
			attributesToHeaders: {},
			terms: { encryption: "DISABLE", media: undefined, keying: "sdes" },
			room: {
				roomName: "lobby",
				identity: "sip_+15551111",
				name: "Phone +15551111",
				metadata: "m",
				roomPreset: "preset",
				attributes: {
					team: "blue",
					"sip.callID": CALL_ID,
					"sip.callIDFull": "abc@carrier",
					"sip.callTag": "their-tag",
					"sip.trunkID": "ST_111111111111",
					"sip.ruleID": "SDR_11111111111",
					"sip.phoneNumber": "+15551111",
					"sip.trunkPhoneNumber": "+15550100",
					"sip.hostname": "carrier.example",
					"sip.callStatus": "ringing",
				},
			},
		});
	});

	it("defaults of ringing and length are LiveKit's", async () => {
		await trunk();
		await rule();
		expect((await decide()).decision).toEqual({ kind: "accept", ringingTimeoutMs: 180_000, maxCallDurationMs: 86_400_000 });
	});

	test.each<[string, () => Promise<unknown>, Call, number, string]>([
		["a number that no trunk has", () => trunk({ numbers: ["+1999"] }), {}, 404, "no-trunk"],
		["a source that the trunk does not allow", () => trunk({ allowedAddresses: ["203.0.113.0/24"] }), {}, 404, "no-trunk"],
		["a caller that the trunk does not allow", () => trunk({ allowedNumbers: ["+1777"] }), {}, 404, "no-trunk"],
		["no rule for the trunk", () => trunk(), {}, 404, "no-rule"],
	])("%s: refused", async (_, setUp, call, status, reason) => {
		await setUp();
		if (reason === "no-trunk") await rule();
		const { decision, plan } = await decide(call);
		expect(decision).toMatchObject({ kind: "reject", status, end: { by: "node", reason } });
		expect(plan).toBeUndefined();
	});

	it("a wildcard trunk takes any number, and one that names the number comes first", async () => {
		await rule();
		await trunk({ trunkId: "ST_wildcard1111", numbers: [], allowedAddresses: ["198.51.100.0/24"] });
		expect((await decide({ to: "+1999" })).trunkId).toBe("ST_wildcard1111");
		await trunk({ trunkId: "ST_named1111111" });
		expect((await decide()).trunkId).toBe("ST_named1111111");
	});

	it("strict: a call through no trunk is taken by no rule; otherwise by a rule without trunks, as in LiveKit", async () => {
		await rule();
		expect((await decide({ strict: true })).decision).toMatchObject({ kind: "reject", status: 404, end: { reason: "no-trunk" } });
		const open = await decide({ strict: false });
		expect(open.decision.kind).toBe("accept");
		expect(open.trunkId).toBe("");
	});

	it("a rule with a PIN: the caller is asked; two rules with different PINs are two rooms; no PIN is in a trace", async () => {
		await trunk();
		await rule({ rule: { type: "direct", roomName: "lobby", pin: "1234" } });
		await rule({ ruleId: "SDR_22222222222", rule: { type: "direct", roomName: "vault", pin: "9876" } });
		const { decision, steps, plan, askPin } = await decide();
		expect(decision).toMatchObject({ kind: "ask-pin", length: 4 });
		expect(plan).toMatchObject({ ruleId: "", room: { roomName: "", identity: "" } });
		const right = await askPin?.("9876");
		expect(right).toMatchObject({ verdict: "accepted", plan: { ruleId: "SDR_22222222222", room: { roomName: "vault" } } });
		expect(right?.verdict === "accepted" && right.plan.room.attributes["sip.callStatus"]).toBe("active");
		const first = await askPin?.("1234");
		expect(first).toMatchObject({ verdict: "accepted", plan: { room: { roomName: "lobby" } } });
		const wrong = await askPin?.("4321");
		expect(wrong).toMatchObject({ verdict: "wrong" });
		expect(await askPin?.("")).toMatchObject({ verdict: "wrong" });
		expect(JSON.stringify([steps, plan, right, first, wrong])).not.toMatch(/1234|9876|4321/);
	});

	it("PINs of several lengths need the #; an open rule takes who enters none", async () => {
		await trunk();
		await rule({ rule: { type: "direct", roomName: "lobby", pin: "1234" } });
		await rule({ ruleId: "SDR_22222222222", rule: { type: "direct", roomName: "vault", pin: "987654" } });
		await rule({ ruleId: "SDR_33333333333", rule: { type: "direct", roomName: "open", pin: "" } });
		const { decision, askPin } = await decide();
		expect(decision).not.toHaveProperty("length");
		expect(await askPin?.("")).toMatchObject({ verdict: "accepted", plan: { room: { roomName: "open" } } });
	});

	it("nine wrong PINs of a caller: he is not asked any more for a while, others are", async () => {
		await trunk();
		await rule({ rule: { type: "direct", roomName: "lobby", pin: "1234" } });
		const { askPin } = await decide();
		for (let i = 1; i < 9; i++) expect(await askPin?.("1111")).toMatchObject({ verdict: "wrong" });
		expect(await askPin?.("1111")).toMatchObject({ verdict: "locked" });
		expect(await askPin?.("1234")).toMatchObject({ verdict: "locked" });
		expect((await decide()).decision).toMatchObject({ kind: "reject", status: 403, end: { reason: "wrong-pin" } });
		expect((await decide({ from: "+15552222" })).decision.kind).toBe("ask-pin");
		now += 15 * 60_000;
		expect((await decide()).decision.kind).toBe("ask-pin");
	});

	test.each([
		["nothing said", {}, {}, { encryption: "DISABLE", media: undefined, keying: "sdes" }],
		["a trunk that requires encryption", { mediaEncryption: "REQUIRE" as const }, {}, { encryption: "REQUIRE" }],
		["a rule that requires it", { mediaEncryption: "ALLOW" as const }, { mediaEncryption: "REQUIRE" as const }, { encryption: "REQUIRE" }],
		[
			"a rule that does not take it back",
			{ mediaEncryption: "REQUIRE" as const },
			{ mediaEncryption: "DISABLE" as const },
			{ encryption: "REQUIRE" },
		],
		[
			"a rule's codecs over the trunk's",
			{ media: { onlyListedCodecs: false, codecs: [{ name: "PCMU", rate: 8000 }] } },
			{ media: { onlyListedCodecs: true, codecs: [{ name: "PCMA", rate: 8000 }] } },
			{ encryption: "DISABLE", media: { onlyListedCodecs: true, codecs: [{ name: "PCMA", rate: 8000 }] } },
		],
	])("the terms of the audio: %s", async (_, ofTrunk, ofRule, expected) => {
		await trunk(ofTrunk);
		await rule(ofRule);
		expect(planOf(await decide()).terms).toMatchObject(expected);
	});

	it("no caller is an anonymous caller", async () => {
		await trunk();
		await rule();
		const { room, from } = planOf(await decide({ from: "" }));
		expect([room.identity, from]).toEqual(["sip_anonymous", "anonymous"]);
	});
});

describe("the participant", () => {
	beforeEach(() => trunk());

	it("an identity that another live call in the room has gets the call's id behind it", async () => {
		await rule();
		const live = callRecord({ callId: "SCL_other1111111", createdAt: START, state: "active", participantIdentity: "sip_+15551111" });
		await callStore.createCall(live);
		expect(planOf(await decide()).room).toMatchObject({ identity: `sip_+15551111_${CALL_ID}`, name: "Phone +15551111" });
		await callStore.endCall("SCL_other1111111", START, { by: "peer", reason: "hangup" });
		expect(planOf(await decide()).room.identity).toBe("sip_+15551111");
	});

	it("calls of one number that come at once are different participants, whatever their records tell yet", async () => {
		await rule();
		const callIds = ["SCL_a11111111111", "SCL_b11111111111", "SCL_c11111111111"];
		const one = node();
		const outcomes = await Promise.all(callIds.map((callId) => decideOn(one, {}, callId)));
		expect(new Set(outcomes.map((outcome) => planOf(outcome).room.identity)).size).toBe(3);
		expect(identities.size).toBe(1);
		for (const callId of callIds) identities.release(callId);
		expect(planOf(await decideOn(one, {}, CALL_ID)).room.identity).toBe("sip_+15551111");
	});

	it("a hidden number is in no name, attribute or room, also not by way of included headers", async () => {
		await configStore.deleteTrunk("project", "ST_111111111111");
		await trunk({ includeHeaders: "ALL" });
		await rule({ hidePhoneNumber: true, rule: { type: "individual", roomPrefix: "call", pin: "", noRandomness: true } });
		const { room } = planOf(await decide({ headers: ["P-Asserted-Identity: <sip:+15551111@carrier.example>", "X-Note: hello"] }));
		expect(room.name).toBe("Phone 1111");
		expect(room.roomName).toBe("call_1111");
		expect(room.identity).toMatch(/^sip_[0-9a-f]{16}$/);
		expect(JSON.stringify(room)).not.toContain("5551111");
		expect(room.attributes["sip.h.x-note"]).toBe("hello");
	});
});

describe("headers", () => {
	it("come in as attributes and go out on the answer, by the trunk's maps", async () => {
		await trunk({
			headers: { "X-Fixed": "1" },
			headersToAttributes: { "X-Customer": "customer.id" },
			attributesToHeaders: { "customer.id": "X-Seen", "sip.callID": "X-Call" },
		});
		await rule();
		const plan = planOf(await decide({ headers: ["x-customer: 42"] }));
		expect(plan.room.attributes["customer.id"]).toBe("42");
		expect(plan.acceptHeaders).toEqual([
			["X-Fixed", "1"],
			["X-Seen", "42"],
			["X-Call", CALL_ID],
		]);
	});

	it("nothing that a trunk or a caller says adds a header or replaces one of the endpoint's", async () => {
		await trunk({
			headers: {
				"X-Good": "1",
				"X-Bad": "1\r\nX-Injected: yes",
				"X-Injected: yes\r\nX-Bad": "1",
				Via: "SIP/2.0/UDP evil",
				l: "0",
				Require: "x",
			},
			headersToAttributes: { "X-Note": "note" },
			attributesToHeaders: { note: "X-Note-Back", "sip.callID": "Call-ID", team: "X-Team" },
		});
		await rule({ attributes: { team: "blue\r\nX-Injected: yes\r\n\r\nbody" } });
		const plan = planOf(await decide({ headers: ["X-Note: first", " folded"] }));
		expect(plan.acceptHeaders).toEqual([
			["X-Good", "1"],
			["X-Note-Back", expect.stringMatching(/^first +folded$/)],
			["X-Team", "blue  X-Injected: yes    body"],
		]);
		expect(log.logs).toMatchObject([
			{ level: "warn", fields: { callId: CALL_ID, refused: ["X-Bad", "X-Injected: yes\r\nX-Bad", "Via", "l", "Require", "Call-ID"] } },
		]);
	});
});

describe("credentials", () => {
	beforeEach(async () => {
		await trunk({ authUsername: "carrier", authPassword: "s3cret" });
		await rule();
	});

	async function challenged(call: Call = {}): Promise<string[]> {
		const { decision } = await decide(call);
		if (decision.kind !== "challenge") throw new Error(`not challenged: ${JSON.stringify(decision)}`);
		expect(decision.status).toBe(407);
		expect(decision.headers.map(([name]) => name)).toEqual(["Proxy-Authenticate", "Proxy-Authenticate"]);
		return decision.headers.map(([, value]) => value);
	}

	function authorization(challenge: string, given: { username?: string; password?: string; uri?: string } = {}): string {
		const value = (name: string): string => new RegExp(`${name}="?([^",]+)`).exec(challenge)?.[1] ?? "";
		const { username = "carrier", password = "s3cret", uri = REQUEST_URI } = given;
		const algorithm = value("algorithm") === "MD5" ? "MD5" : "SHA-256";
		const parts = { username, realm: value("realm"), nonce: value("nonce"), uri, nc: "00000001", cnonce: "c0ffee" };
		const response = digestResponse(nodeHashes, { ...parts, algorithm, session: false, password, method: "INVITE", qop: "auth" });
		const quoted = { username, realm: parts.realm, nonce: parts.nonce, uri, cnonce: parts.cnonce, response };
		const fields = Object.entries(quoted).map(([name, text]) => `${name}="${text}"`);
		return `Proxy-Authorization: Digest ${[...fields, `algorithm=${algorithm}`, "qop=auth", "nc=00000001"].join(", ")}`;
	}

	it("asked for, strongest algorithm first, before any rule is looked at", async () => {
		const challenges = await challenged();
		expect(challenges.map((challenge) => /algorithm="?([\w-]+)/.exec(challenge)?.[1])).toEqual(["SHA-256", "MD5"]);
		expect(challenges.every((challenge) => challenge.includes('realm="Trunkline"') && !challenge.includes("stale"))).toBe(true);
		expect((await decide()).steps.map(({ kind }) => kind)).toEqual(["trunk"]);
	});

	test.each([0, 1])("right ones are let in with algorithm %i", async (index) => {
		const challenge = (await challenged())[index] ?? "";
		expect((await decide({ headers: [authorization(challenge)] })).decision.kind).toBe("accept");
	});

	test.each([
		["password", { password: "wrong" }],
		["user name", { username: "other" }],
		["URI", { uri: "sip:+1999@192.0.2.10" }],
	])("wrong %s: 403", async (_, given) => {
		const [challenge = ""] = await challenged();
		const { decision } = await decide({ headers: [authorization(challenge, given)] });
		expect(decision).toMatchObject({ kind: "reject", status: 403, end: { reason: "unauthorized" } });
	});

	it("an old nonce is challenged again as stale, and the answer to that is let in", async () => {
		const [challenge = ""] = await challenged();
		now += 61_000;
		const [again = ""] = await challenged({ headers: [authorization(challenge)] });
		expect(again).toContain("stale=true");
		expect((await decide({ headers: [authorization(again)] })).decision.kind).toBe("accept");
	});

	it("an answer heard in one call opens no other, nor on a node with another secret", async () => {
		const [challenge = ""] = await challenged();
		for (const call of [{ sipCallId: "other@carrier" }, { secret: 2 }]) {
			// RFC 7616 §3.3: asked again with a nonce of its own, as phones that keep the nonce of their last call need it
			expect((await decide({ ...call, headers: [authorization(challenge)] })).decision).toMatchObject({ kind: "challenge", status: 407 });
		}
	});

	it("an answer opens one call: sent again, from elsewhere, it is asked for a new one", async () => {
		const one = node();
		const [challenge = ""] = await challenged();
		const headers = [authorization(challenge)];
		expect((await decideOn(one, { headers }, "SCL_a11111111111")).decision.kind).toBe("accept");
		const { decision } = await decideOn(one, { headers, source: "203.0.113.66" }, "SCL_b11111111111");
		expect(decision).toMatchObject({ kind: "challenge", status: 407 });
	});

	it("a malformed field is a 400", async () => {
		const { decision } = await decide({ headers: ['Proxy-Authorization: Digest realm="Trunkline"'] });
		expect(decision).toMatchObject({ kind: "reject", status: 400 });
	});

	test.each([
		["a password without a user name", { authPassword: "s3cret" }],
		["a user name without a password", { authUsername: "carrier" }],
	])("%s does not leave the trunk open", async (_, auth) => {
		await configStore.deleteTrunk("project", "ST_111111111111");
		await trunk(auth);
		expect(await challenged()).toHaveLength(2);
	});

	it("the trunk's own realm", async () => {
		await configStore.deleteTrunk("project", "ST_111111111111");
		await trunk({ authUsername: "u", authPassword: "p", authRealm: "carrier.example" });
		const [challenge = ""] = await challenged();
		expect(challenge).toContain('realm="carrier.example"');
		const right = authorization(challenge, { username: "u", password: "p" });
		expect((await decide({ headers: [right] })).decision.kind).toBe("accept");
	});
});
