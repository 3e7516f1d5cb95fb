import { callDetailsSchema, callPageSchema, type CommandMessage, explanationSchema, type V1Error } from "@trunkline/contracts";
import {
	callRecord,
	captureLogs,
	dispatchRule,
	inboundTrunk,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryRegistrationStore,
	MemoryWebhookStore,
} from "@trunkline/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import type { ApiDeps } from "../deps.ts";
import { type TestApi, testApi, token } from "../test-api.ts";

let api: TestApi;
let commands: CommandMessage[];
const PROJECT = "p_test";

function start(over: Partial<ApiDeps> = {}): TestApi {
	commands = [];
	return testApi(
		{
			configStore: new MemoryConfigStore(),
			callStore: (now) => new MemoryCallStore({ now }),
			dialQueue: new MemoryDialQueue(),
			log: captureLogs() as never,
		},
		{
			v1: {
				webhookStore: new MemoryWebhookStore(),
				commandQueue: () => ({ send: async (message) => void commands.push(message), receive: async () => [] }),
				strictDispatch: true,
				webhookTargets: { loopback: false, private: false },
				registrationStore: new MemoryRegistrationStore(),
			},
			...over,
		},
	);
}

beforeEach(() => {
	api = start();
});

interface Reply {
	status: number;
	body: Record<string, unknown>;
	headers: Headers;
}

async function send(method: string, path: string, body?: unknown, grants: Record<string, boolean> = { admin: true }): Promise<Reply> {
	const response = await api.fetch(path, {
		method,
		headers: { authorization: `Bearer ${await token({ sip: grants })}` },
		...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
	});
	return { status: response.status, body: (await response.json()) as Record<string, unknown>, headers: response.headers };
}

async function errorOf(reply: Promise<Reply>): Promise<[number, V1Error]> {
	const { status, body } = await reply;
	return [status, body as unknown as V1Error];
}

const call = (changes: Parameters<typeof callRecord>[0]) => callRecord({ projectId: PROJECT, ...changes });

describe("who may", () => {
	it.each([
		["GET", "/v1/calls"],
		["GET", "/v1/calls/SCL_1"],
		["POST", "/v1/calls/SCL_1/hangup"],
		["POST", "/v1/explain"],
		["GET", "/v1/webhooks"],
		["PUT", "/v1/webhooks"],
	])("%s %s needs a token with a grant", async (method, path) => {
		const anonymous = await api.fetch(path, { method });
		expect([anonymous.status, await anonymous.json()]).toEqual([
			401,
			{ code: "unauthenticated", message: "a token is needed: Authorization: Bearer <access token>" },
		]);
		const bad = await api.fetch(path, {
			method,
			headers: { authorization: `Bearer ${await token({ sip: { admin: true } }, { secret: "another secret of enough length" })}` },
		});
		expect(bad.status).toBe(401);
		const [status, error] = await errorOf(send(method, path, undefined, {}));
		expect([status, error.code]).toEqual([403, "permission_denied"]);
		expect(error.message).toContain("sip.admin");
	});

	it("sip.call alone may hang up, but not look", async () => {
		expect((await errorOf(send("POST", "/v1/calls/SCL_1/hangup", undefined, { call: true })))[0]).toBe(404);
		expect((await errorOf(send("GET", "/v1/calls", undefined, { call: true })))[0]).toBe(403);
	});

	it("what is not there is a 404 in the same form", async () => {
		expect(await errorOf(send("GET", "/v1/nothing"))).toEqual([
			404,
			{ code: "not_found", message: "there is no GET /v1/nothing; /openapi.json has what there is" },
		]);
		expect((await errorOf(send("DELETE", "/v1/calls")))[0]).toBe(404);
	});
});

describe("POST /v1/explain", () => {
	const question = { from: "+15551111", to: "+15550100", source: "203.0.113.7" };

	it("answers from the project's own trunks and rules", async () => {
		await api.deps.configStore.createTrunk(
			PROJECT,
			inboundTrunk({ trunkId: "ST_a", name: "carrier", numbers: ["+15550100"], authPassword: "s3cret", authUsername: "u" }),
		);
		await api.deps.configStore.createRule(
			PROJECT,
			dispatchRule({ ruleId: "SDR_a", trunkIds: ["ST_a"], rule: { type: "direct", roomName: "lobby", pin: "" } }),
		);
		await api.deps.configStore.createTrunk("other", inboundTrunk({ trunkId: "ST_other", numbers: ["+15550199"] }));
		const { status, body } = await send("POST", "/v1/explain", question);
		expect(status).toBe(200);
		expect(explanationSchema.parse(body)).toEqual(body);
		expect(body).toMatchObject({
			outcome: "accepted",
			trunk: { id: "ST_a", name: "carrier" },
			rule: { id: "SDR_a" },
			room: { name: "lobby", isRandom: false },
			asksForCredentials: true,
		});
		expect(JSON.stringify(body)).not.toContain("s3cret");
		const foreign = await send("POST", "/v1/explain", { ...question, to: "+15550199" });
		expect(foreign.body).toMatchObject({ outcome: "refused", sip: { status: 404 }, steps: [] });
	});

	it.each([
		[{ ...question, source: "203.0.113.7:5060" }, "source", "source: must be an IPv4 or IPv6 address without a port"],
		[{ ...question, to: "" }, "to", /^to: /],
		[{ from: "+1", source: "::1" }, "to", /^to: /],
		[{ ...question, pin: "12a" }, "pin", "pin: must be up to 16 digits"],
		[{ ...question, host: "x" }, "host", "host: there is no such field"],
		[{ ...question, from: "x".repeat(256) }, "from", /^from: /],
		[
			{ ...question, headers: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`X-${i}`, "v"])) },
			"headers",
			"headers: at most 64 headers are allowed",
		],
		["[]", undefined, /object/],
		["{", undefined, "the body is no JSON"],
		["", undefined, "the body is no JSON"],
	])("says what is wrong with %j", async (body, field, message) => {
		const [status, error] = await errorOf(send("POST", "/v1/explain", body));
		expect(status).toBe(400);
		expect(error.code).toBe("invalid_argument");
		expect(error.field).toBe(field);
		if (typeof message === "string") expect(error.message).toBe(message);
		else expect(error.message).toMatch(message);
	});

	it("refuses a body that is too large, and the connection with it", async () => {
		const refused = await send("POST", "/v1/explain", { ...question, from: "x".repeat(70_000) });
		expect(refused).toMatchObject({
			status: 413,
			body: { code: "invalid_argument", message: "the request body is larger than 65536 bytes" },
		});
		// Nobody reads the rest of it: a client that took the connection for its next request would lose that one.
		expect(refused.headers.get("connection")).toBe("close");
	});
});

describe("GET /v1/calls", () => {
	const ids = (reply: Reply): string[] => callPageSchema.parse(reply.body).calls.map(({ id }) => id);

	beforeEach(async () => {
		const t = api.deps.clock();
		await api.deps.callStore.createCall(call({ callId: "SCL_1", createdAt: t - 3000, roomName: "den", trunkId: "ST_a" }));
		await api.deps.callStore.createCall(call({ callId: "SCL_2", createdAt: t - 2000, direction: "inbound", state: "received" }));
		await api.deps.callStore.createCall(call({ callId: "SCL_3", createdAt: t - 1000 }));
		await api.deps.callStore.createCall(callRecord({ callId: "SCL_9", projectId: "other", createdAt: t - 500 }));
		await api.deps.callStore.endCall("SCL_3", t, { by: "peer", reason: "busy", sipStatus: 486, sipReason: "Busy Here" });
	});

	it("lists this project's, newest first, without secrets", async () => {
		const reply = await send("GET", "/v1/calls");
		expect(ids(reply)).toEqual(["SCL_3", "SCL_2", "SCL_1"]);
		expect(reply.body).not.toHaveProperty("nextCursor");
		expect(JSON.stringify(reply.body)).not.toMatch(/authPassword|request/);
		expect(reply.body["calls"]).toEqual(
			expect.arrayContaining([
				expect.objectContaining({
					end: expect.objectContaining({ text: "the line was busy (SIP 486 Busy Here; ended by the telephone side)" }),
				}),
			]),
		);
	});

	it("filters", async () => {
		const t = api.deps.clock();
		for (const [query, expected] of [
			["room=den", ["SCL_1"]],
			["trunk=ST_a", ["SCL_1"]],
			["direction=inbound", ["SCL_2"]],
			["state=ended", ["SCL_3"]],
			["state=live", ["SCL_2", "SCL_1"]],
			[`since=${t - 2000}`, ["SCL_3", "SCL_2"]],
			[`until=${t - 2000}`, ["SCL_1"]],
			["room=none", []],
		] as const)
			expect([query, ids(await send("GET", `/v1/calls?${query}`))]).toEqual([query, expected]);
	});

	it("goes on where a page ended", async () => {
		const first = await send("GET", "/v1/calls?limit=2");
		expect(ids(first)).toEqual(["SCL_3", "SCL_2"]);
		const second = await send("GET", `/v1/calls?limit=2&cursor=${String(first.body["nextCursor"])}`);
		expect(ids(second)).toEqual(["SCL_1"]);
		expect(second.body).not.toHaveProperty("nextCursor");
	});

	it.each([
		["limit=0", "limit"],
		["limit=101", "limit"],
		["limit=-1", "limit"],
		["since=yesterday", "since"],
		["state=happy", "state"],
		["direction=up", "direction"],
		["room=", "room"],
		["cursor=AAAA", "cursor"],
		[`cursor=${Buffer.from("1.other#0001").toString("base64url")}`, "cursor"],
		["rooms=a", "rooms"],
		["room=a&room=b", "room"],
	])("refuses %s", async (query, field) => {
		const [status, error] = await errorOf(send("GET", `/v1/calls?${query}`));
		expect([status, error.code, error.field]).toEqual([400, "invalid_argument", field]);
	});

	it("tells which states there are", async () => {
		const [, { message }] = await errorOf(send("GET", "/v1/calls?state=happy"));
		expect(message).toContain('"queued"');
		expect(message).toContain('"live"');
	});
});

describe("GET /v1/calls/{id}", () => {
	it("gives a call with its timeline, decision and end in words", async () => {
		const at = api.deps.clock();
		await api.deps.callStore.createCall(
			call({
				callId: "SCL_1",
				createdAt: at,
				direction: "inbound",
				state: "ended",
				trunkId: "",
				roomName: "",
				participantIdentity: "",
				from: "+15551111",
				to: "+15550100",
				timeline: [{ at, event: "ended" }],
				decision: [
					{ kind: "trunk", id: "ST_a", outcome: "rejected", test: "allowed_numbers", detail: 'caller "+15551111" is not in ["+1"]' },
				],
				endedAt: at,
				end: {
					by: "node",
					reason: "no-trunk",
					sipStatus: 404,
					sipReason: "Does Not Match Any Trunk",
					message: "no inbound trunk takes this call",
				},
			}),
		);
		const { body } = await send("GET", "/v1/calls/SCL_1");
		expect(callDetailsSchema.parse(body)).toEqual(body);
		expect(body).toMatchObject({
			id: "SCL_1",
			state: "ended",
			timeline: [{ at, event: "ended" }],
			end: { reason: "no-trunk", text: "no inbound trunk matched the call (SIP 404 Does Not Match Any Trunk; ended by the media node)" },
			decision: {
				summary:
					'The call from "+15551111" to "+15550100" was not taken: no inbound trunk matched the call (SIP 404 Does Not Match Any Trunk; ended by the media node). Trunk ST_a: allowed_numbers: caller "+15551111" is not in ["+1"].',
			},
		});
	});

	it("another project's call is as absent as none", async () => {
		await api.deps.callStore.createCall(callRecord({ callId: "SCL_9", projectId: "other", createdAt: api.deps.clock() }));
		for (const id of ["SCL_9", "SCL_8"])
			expect(await errorOf(send("GET", `/v1/calls/${id}`))).toEqual([
				404,
				{ code: "not_found", message: `there is no call "${id}"`, field: "id" },
			]);
		expect((await errorOf(send("GET", "/v1/calls/ST_1")))[1].field).toBe("id");
	});
});

describe("POST /v1/calls/{id}/hangup", () => {
	it.each(["queued", "claimed", "joining"] as const)("cancels a call that is %s, and no node is told", async (state) => {
		await api.deps.callStore.createCall(call({ callId: "SCL_1", createdAt: api.deps.clock(), state, owner: "ND_1" }));
		const { status, body } = await send("POST", "/v1/calls/SCL_1/hangup");
		expect(status).toBe(200);
		expect(body).toMatchObject({ outcome: "ended", call: { state: "cancelled", end: { by: "api", reason: "cancelled" } } });
		expect(commands).toEqual([]);
		// a node that had claimed it finds out before it dials
		const dialled = await api.deps.callStore.transitionCall("SCL_1", {
			from: ["claimed", "joining"],
			to: "dialing",
			at: 1,
			event: "dialing",
		});
		expect(dialled).toBeUndefined();
	});

	it.each(["dialing", "ringing", "active", "received"] as const)(
		"tells the node of a call that is %s, and waits for the end",
		async (state) => {
			await api.deps.callStore.createCall(call({ callId: "SCL_1", createdAt: api.deps.clock(), state, owner: "ND_1" }));
			api.onTick(async (now) => {
				if (commands.length > 0) await api.deps.callStore.endCall("SCL_1", now, { by: "api", reason: "hangup" });
			});
			const { body } = await send("POST", "/v1/calls/SCL_1/hangup");
			expect(body).toMatchObject({
				outcome: "ended",
				call: { state: "ended", end: { by: "api", reason: "hangup", text: "hung up (ended by the API)" } },
			});
			expect(commands).toEqual([
				{
					version: 1,
					type: "hangup",
					commandId: expect.stringMatching(/^\w{20}$/),
					projectId: PROJECT,
					callId: "SCL_1",
					nodeId: "ND_1",
					sentAt: expect.any(Number),
				},
			]);
		},
	);

	it("says so when the call has not ended yet", async () => {
		await api.deps.callStore.createCall(call({ callId: "SCL_1", createdAt: api.deps.clock(), state: "active", owner: "ND_1" }));
		const { status, body } = await send("POST", "/v1/calls/SCL_1/hangup");
		expect(status).toBe(200);
		expect(body).toMatchObject({ outcome: "requested", call: { state: "active" } });
		expect(api.elapsed()).toBe(5000);
	});

	it("an ended call stays as it ended, and nobody is told", async () => {
		await api.deps.callStore.createCall(call({ callId: "SCL_1", createdAt: api.deps.clock(), state: "active", owner: "ND_1" }));
		await api.deps.callStore.endCall("SCL_1", 5, { by: "peer", reason: "hangup" });
		expect((await send("POST", "/v1/calls/SCL_1/hangup")).body).toMatchObject({ outcome: "already-ended", call: { end: { by: "peer" } } });
		expect(commands).toEqual([]);
	});

	it("not another project's call", async () => {
		await api.deps.callStore.createCall(callRecord({ callId: "SCL_9", projectId: "other", createdAt: api.deps.clock() }));
		expect((await errorOf(send("POST", "/v1/calls/SCL_9/hangup")))[0]).toBe(404);
		expect((await api.deps.callStore.getCall("SCL_9"))?.state).toBe("queued");
	});
});

describe("/v1/webhooks", () => {
	it("keeps what was said last", async () => {
		expect((await send("GET", "/v1/webhooks")).body).toEqual({ webhooks: [] });
		const settings = { webhooks: [{ url: "https://example.com/hook", events: ["call.ended"] }, { url: "https://example.com/all" }] };
		expect((await send("PUT", "/v1/webhooks", settings)).body).toEqual(settings);
		expect((await send("GET", "/v1/webhooks")).body).toEqual(settings);
	});

	it.each([
		[{ url: "http://example.com/" }, "webhooks.0.url", "webhooks.0.url: must be an https URL"],
		[{ url: "https://10.0.0.1/" }, "webhooks.0.url", /private network/],
		[{ url: "https://[::1]/" }, "webhooks.0.url", /this machine itself/],
		[{ url: "https://169.254.169.254/latest" }, "webhooks.0.url", /no public address/],
		[{ url: "ftp://example.com/" }, "webhooks.0.url", /http or https/],
		[{ url: "https://u:p@example.com/" }, "webhooks.0.url", /user name/],
		[{ url: `https://example.com/${"x".repeat(2048)}` }, "webhooks.0.url", /webhooks\.0\.url: /],
		[{ url: "https://example.com", events: ["call.lost"] }, "webhooks.0.events.0", /webhooks\.0\.events\.0: /],
		[{ url: "https://example.com", secret: "x" }, "webhooks.0.secret", /no such field/],
	])("refuses %j", async (webhook, field, message) => {
		const [status, error] = await errorOf(send("PUT", "/v1/webhooks", { webhooks: [webhook] }));
		expect([status, error.field]).toEqual([400, field]);
		expect(error.message).toMatch(message);
		expect((await send("GET", "/v1/webhooks")).body).toEqual({ webhooks: [] });
	});

	it("at most ten, each once", async () => {
		const many = Array.from({ length: 11 }, (_, i) => ({ url: `https://example.com/${i}` }));
		expect((await errorOf(send("PUT", "/v1/webhooks", { webhooks: many })))[1].field).toBe("webhooks");
		const twice = [{ url: "https://example.com/" }, { url: "https://example.com/" }];
		expect((await errorOf(send("PUT", "/v1/webhooks", { webhooks: twice })))[1].message).toBe("webhooks: each URL may be there once");
	});
});

describe("request rate", () => {
	it("is limited for each key, over all of the API, and says when to go on", async () => {
		api = start({ requestRate: { perSecond: 0.5, burst: 3 } });
		for (let i = 0; i < 2; i++) expect((await send("GET", "/v1/calls")).status).toBe(200);
		expect((await api.call("ListSIPInboundTrunk", {})).status).toBe(200);
		const refused = await send("GET", "/v1/calls");
		expect(refused.status).toBe(429);
		expect(refused.headers.get("retry-after")).toBe("2");
		expect(refused.body).toEqual({
			code: "resource_exhausted",
			message: "too many requests with this API key: 0.5 a second are allowed, 3 at once; go on after 2 s",
		});
		const twirp = await api.call("ListSIPInboundTrunk", {});
		expect([twirp.status, twirp.body["code"], twirp.contentType]).toEqual([429, "resource_exhausted", "application/json"]);
		await api.deps.sleep(2000);
		expect((await send("GET", "/v1/calls")).status).toBe(200);
	});
});
