import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ProjectView } from "@trunkline/contracts";
import {
	captureLogs,
	MemoryCallLimitStore,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	MemoryNumberOwnerStore,
	MemoryProjectStore,
} from "@trunkline/testkit";
import { jwtVerify } from "jose";
import { describe, expect, test } from "vitest";
import { withProjects } from "./projects.ts";
import { openApiDocument } from "./v1/openapi.ts";
import { PROJECT_OPERATIONS } from "./v1/projects.ts";
import { KEY, SECRET, type TestApi, testApi, token } from "./test-api.ts";

const ADMIN_SECRET = "an admin secret of sufficient length";

type Created = ProjectView & { apiKey: { key: string; secret: string } };

function setUp() {
	const log = captureLogs();
	const stores = {
		configStore: new MemoryConfigStore(),
		callStore: (now: () => number) => new MemoryCallStore({ now }),
		dialQueue: new MemoryDialQueue(),
		log,
	};
	let now = Date.now();
	const store = new MemoryProjectStore();
	const options = {
		store,
		owners: new MemoryNumberOwnerStore(),
		callLimits: new MemoryCallLimitStore(),
		builtInProjects: ["default"],
		fallbackProject: "default",
		adminSecret: ADMIN_SECRET,
	};
	const clock = () => now;
	const keys = { lookup: (key: string) => (key === KEY ? { secret: SECRET, projectId: "default" } : undefined) };
	const roomService = async () => new Response("the deployment's", { status: 404 });
	// The parts that testApi builds are needed before: its deps, made once for themselves, are good enough.
	const bare = testApi(stores, { keys, clock, roomService });
	const projects = withProjects(bare.deps, options);
	const sleep = async (ms: number) => {
		now += ms;
	};
	const api = testApi(stores, { ...projects.deps, sleep });
	// Another process of the API: the same stores, but what it remembers of projects is its own.
	const elsewhere = testApi(stores, { ...withProjects(bare.deps, options).deps, sleep });
	const admin = async (method: string, path: string, body?: unknown, secret = ADMIN_SECRET) => {
		const response = await api.fetch(`/v1/projects${path}`, {
			method,
			headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
			...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
		});
		expectDocumented(method, path, response.status);
		return { status: response.status, body: (await response.json()) as Record<string, unknown> };
	};
	const create = async (body: object = {}): Promise<Created> =>
		(await admin("POST", "", { sharedRooms: true, ...body })).body as unknown as Created;
	return {
		...api,
		projects,
		log,
		admin,
		create,
		store,
		as: (key: Created["apiKey"]) => clientOf(api, key),
		elsewhereAs: (key: Created["apiKey"]) => clientOf(elsewhere, key),
		pass: (ms: number) => void (now += ms),
	};
}

const { paths } = openApiDocument([], PROJECT_OPERATIONS) as {
	paths: Record<string, Record<string, { responses: Record<string, unknown> } | undefined>>;
};

/** openapi.json says of each answer that it may come. */
function expectDocumented(method: string, path: string, status: number): void {
	const [of = ""] = path.split("?");
	const names = ["", "{id}", "keys", "{key}", "rotate"];
	const template = of
		.split("/")
		.map((_, index) => names[index])
		.join("/");
	const operation = paths[`/v1/projects${template}`]?.[method.toLowerCase()];
	if (operation !== undefined) expect(Object.keys(operation.responses)).toContain(String(status));
}

/** Twirp requests with a project's key. */
function clientOf({ fetch }: TestApi, { key, secret }: { key: string; secret: string }) {
	return async (method: string, body: unknown, room = "room", requestId = "") => {
		const grants = { sip: { admin: true, call: true }, video: { roomAdmin: true, room } };
		const response = await fetch(`/twirp/livekit.SIP/${method}`, {
			method: "POST",
			headers: {
				"content-type": "application/json",
				authorization: `Bearer ${await token(grants, { key, secret })}`,
				...(requestId === "" ? {} : { "x-livekit-request-id": requestId }),
			},
			body: JSON.stringify(body),
		});
		const text = await response.text();
		return { status: response.status, text, body: (text.startsWith("{") ? JSON.parse(text) : {}) as Record<string, unknown> };
	};
}

const errorOf = ({ body }: { body: Record<string, unknown> }) => `${String(body["code"])}: ${String(body["msg"] ?? body["message"])}`;

describe("/v1/projects", () => {
	test("a project is made, seen, changed and deleted; its secret is shown once", async () => {
		const { admin, create, log } = setUp();
		const { apiKey, ...created } = await create({
			name: "shop",
			livekit: { url: "wss://x.example", apiKey: "APIlk", apiSecret: "hunter2" },
		});
		expect(created).toMatchObject({ name: "shop", version: 1, livekit: { url: "wss://x.example", apiKey: "APIlk" } });
		const path = `/${created.projectId}`;
		expect(await admin("GET", path)).toEqual({ status: 200, body: created });
		expect(await admin("GET", "")).toEqual({ status: 200, body: { projects: [created] } });
		const changed = await admin("PATCH", path, { policy: { concurrentCalls: 3 }, version: 1 });
		expect(changed).toMatchObject({ status: 200, body: { version: 2, policy: { ...created.policy, concurrentCalls: 3 } } });
		expect(await admin("PATCH", path, { name: "x", version: 1 })).toMatchObject({ status: 409, body: { code: "aborted" } });
		expect(await admin("DELETE", path)).toMatchObject({ status: 200, body: { projectId: created.projectId } });
		for (const method of ["GET", "PATCH", "DELETE"])
			expect(await admin(method, path)).toMatchObject({ status: 404, body: { code: "not_found" } });
		expect(
			log.logs.filter(({ fields }) => fields["audit"] === true).map(({ level, fields }) => [level, fields["action"], fields["fields"]]),
		).toEqual([
			["info", "project.create", undefined],
			["info", "project.update", ["version", "policy.concurrentCalls"]],
			["info", "project.delete", undefined],
		]);
		for (const secret of [apiKey.secret, "hunter2", ADMIN_SECRET]) {
			expect(log.text()).not.toContain(secret);
			expect(JSON.stringify([created, changed])).not.toContain(secret);
		}
	});

	test("pages", async () => {
		const { admin, create } = setUp();
		const ids = [(await create()).projectId, (await create()).projectId, (await create()).projectId].sort();
		const first = await admin("GET", "?limit=2");
		expect((first.body["projects"] as ProjectView[]).map(({ projectId }) => projectId)).toEqual(ids.slice(0, 2));
		const second = await admin("GET", `?limit=2&cursor=${String(first.body["nextCursor"])}`);
		expect((second.body["projects"] as ProjectView[]).map(({ projectId }) => projectId)).toEqual(ids.slice(2));
		expect(second.body).not.toHaveProperty("nextCursor");
	});

	test.each<[string, string, unknown, string]>([
		["POST", "", "{", "invalid_argument: the body is no JSON"],
		["POST", "", [], "invalid_argument: Invalid input: expected object, received array"],
		["POST", "", { nmae: "x" }, "invalid_argument: nmae: there is no such field"],
		[
			"POST",
			"",
			{ policy: { allowedPrefixes: ["44"] } },
			'invalid_argument: policy.allowedPrefixes.0: must be "+" and up to 15 digits, such as "+44"; "+" alone stands for every country',
		],
		[
			"POST",
			"",
			{ livekit: { url: "wss://x.example", apiKey: "k" } },
			"invalid_argument: livekit.apiSecret: Invalid input: expected string, received undefined",
		],
		["GET", "?limit=0", undefined, "invalid_argument: limit: Too small: expected number to be >=1"],
		["GET", "/p_none", undefined, 'not_found: there is no project "p_none"'],
	])("%s %s %j: %s", async (method, path, body, error) => {
		expect(errorOf(await setUp().admin(method, path, body))).toBe(error);
	});

	test("a body above the limit is refused", async () => {
		const refused = await setUp().admin("POST", "", { name: "x".repeat(70_000) });
		expect(refused).toMatchObject({ status: 413, body: { code: "invalid_argument" } });
	});

	test("nobody but the administrator", async () => {
		const { admin, create, fetch, deps } = setUp();
		const { projectId, apiKey } = await create();
		for (const [method, path] of [
			["GET", ""],
			["POST", ""],
			["GET", `/${projectId}`],
			["PATCH", `/${projectId}`],
			["DELETE", `/${projectId}`],
			["POST", `/${projectId}/keys`],
			["POST", `/${projectId}/keys/${apiKey.key}/rotate`],
			["DELETE", `/${projectId}/keys/${apiKey.key}`],
		] as const) {
			const own = await token({ sip: { admin: true } }, apiKey);
			for (const secret of ["", "x", ADMIN_SECRET.slice(1), `${ADMIN_SECRET}x`, own]) {
				const refused = await admin(method, path, undefined, secret);
				expect(refused, `${method} ${path}`).toEqual({
					status: 401,
					body: { code: "unauthenticated", message: "the admin secret is needed: Authorization: Bearer <secret>" },
				});
			}
			const headers = { authorization: ADMIN_SECRET };
			expect((await fetch(`/v1/projects${path}`, { method, headers })).status).toBe(401);
			expect((await fetch(`/v1/projects${path}`, { method })).status).toBe(401);
		}
		expect(await deps.projects?.store.getProject(projectId)).toMatchObject({ version: 1 });
	});

	test("without an admin secret there is nothing to ask", async () => {
		const api = testApi({
			configStore: new MemoryConfigStore(),
			callStore: (now) => new MemoryCallStore({ now }),
			dialQueue: new MemoryDialQueue(),
			log: captureLogs(),
		});
		expect((await api.fetch("/v1/projects", { headers: { authorization: "Bearer undefined" } })).status).toBe(404);
	});

	test("changes at once are all made, with pauses between attempts, or told to come again", async () => {
		const { admin, create, store } = setUp();
		const { projectId } = await create();
		const replace = store.replaceProject.bind(store);
		// Half of them find that somebody was faster, as with a table that others write too.
		let attempts = 0;
		store.replaceProject = async (project) => (attempts++ % 2 === 0 ? false : replace(project));
		const answers = await Promise.all(Array.from({ length: 5 }, (_, i) => admin("PATCH", `/${projectId}`, { name: `n${i}` })));
		expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
		expect((await store.getProject(projectId))?.version).toBe(6);
		attempts = 0;
		store.replaceProject = async () => (attempts++, false);
		expect(await admin("PATCH", `/${projectId}`, { name: "never" })).toEqual({
			status: 409,
			body: { code: "aborted", message: "others are changing the project at this moment; read it again, and try again" },
		});
		expect(attempts).toBe(10);
	});
	test("a project with trunks or rules is not deleted", async () => {
		const { admin, create, as } = setUp();
		const { projectId, apiKey } = await create();
		const trunk = await as(apiKey)("CreateSIPOutboundTrunk", { trunk: { address: "a.example", numbers: ["+15550100"] } });
		expect(errorOf(await admin("DELETE", `/${projectId}`))).toContain(String(trunk.body["sip_trunk_id"]));
		await as(apiKey)("DeleteSIPTrunk", { sip_trunk_id: trunk.body["sip_trunk_id"] });
		expect((await admin("DELETE", `/${projectId}`)).status).toBe(200);
	});
});

describe("keys", () => {
	const LIST = "ListSIPInboundTrunk";

	test("the deployment's own key works as ever", async () => {
		const { as } = setUp();
		expect((await as({ key: KEY, secret: SECRET })(LIST, {})).status).toBe(200);
	});

	test("rotation without downtime: both secrets, at every moment, then the new one alone", async () => {
		const { admin, create, as, elsewhereAs, pass } = setUp();
		const { projectId, apiKey } = await create();
		// What another process of the API remembers of the key is old when it is rotated.
		expect((await elsewhereAs(apiKey)(LIST, {})).status).toBe(200);
		pass(1000);
		const rotated = await admin("POST", `/${projectId}/keys/${apiKey.key}/rotate`, { graceMs: 60_000 });
		const next = rotated.body["apiKey"] as typeof apiKey;
		expect(next).toEqual({ key: apiKey.key, secret: expect.stringMatching(/^\w{43}$/) });
		for (let waited = 0; waited < 60_000; waited += 7_000) {
			for (const process of [elsewhereAs, as]) {
				expect((await process(next)(LIST, {})).status, `new secret after ${waited} ms`).toBe(200);
				expect((await process(apiKey)(LIST, {})).status, `old secret after ${waited} ms`).toBe(200);
			}
			pass(7_000);
		}
		for (const process of [elsewhereAs, as]) {
			expect((await process(apiKey)(LIST, {})).text).toBe("invalid token, error: signature verification failed");
			expect((await process(next)(LIST, {})).status).toBe(200);
		}
	});

	test("a third secret needs force", async () => {
		const { admin, create } = setUp();
		const { projectId, apiKey } = await create();
		const path = `/${projectId}/keys/${apiKey.key}/rotate`;
		expect((await admin("POST", path)).status).toBe(200);
		expect(await admin("POST", path)).toMatchObject({ status: 412, body: { code: "failed_precondition" } });
		expect((await admin("POST", path, { force: true })).status).toBe(200);
	});

	test("a key more, a key less: in effect within the time to live", async () => {
		const { admin, create, as, elsewhereAs, pass } = setUp();
		const { projectId, apiKey } = await create();
		const second = (await admin("POST", `/${projectId}/keys`)).body["apiKey"] as typeof apiKey;
		expect((await elsewhereAs(second)(LIST, {})).status).toBe(200);
		expect((await admin("DELETE", `/${projectId}/keys/${second.key}`)).status).toBe(200);
		expect((await as(second)(LIST, {})).text).toBe("invalid API key");
		pass(10_000);
		expect((await elsewhereAs(second)(LIST, {})).text).toBe("invalid API key");
		expect((await as(apiKey)(LIST, {})).status).toBe(200);
		expect((await admin("DELETE", `/${projectId}/keys/APInone`)).status).toBe(404);
	});

	test("a stranger's tokens cost one read a second and key, not one each", async () => {
		const { create, as, store } = setUp();
		const { apiKey } = await create();
		await as(apiKey)(LIST, {});
		let reads = 0;
		const find = store.findByApiKey.bind(store);
		store.findByApiKey = async (key) => {
			reads++;
			return find(key);
		};
		for (let i = 0; i < 20; i++) await as({ key: apiKey.key, secret: "a guess of sufficient length" })(LIST, {});
		for (let i = 0; i < 20; i++) await as({ key: "APIguess", secret: "a guess of sufficient length" })(LIST, {});
		expect(reads).toBe(1);
	});
});

describe("no project sees another's", () => {
	/** Asks as one project for what another has, and for what nobody has: the answers are the same but for the id. */
	test.each<[string, (ids: { trunk: string; outbound: string; rule: string; room: string }) => unknown]>([
		["GetSIPInboundTrunk", ({ trunk }) => ({ sip_trunk_id: trunk })],
		["GetSIPOutboundTrunk", ({ outbound }) => ({ sip_trunk_id: outbound })],
		["UpdateSIPInboundTrunk", ({ trunk }) => ({ sip_trunk_id: trunk, update: { name: "mine" } })],
		["UpdateSIPInboundTrunk", ({ trunk }) => ({ sip_trunk_id: trunk, replace: { numbers: ["+15550111"] } })],
		["UpdateSIPOutboundTrunk", ({ outbound }) => ({ sip_trunk_id: outbound, update: { name: "mine" } })],
		["UpdateSIPDispatchRule", ({ rule }) => ({ sip_dispatch_rule_id: rule, update: { name: "mine" } })],
		["DeleteSIPTrunk", ({ trunk }) => ({ sip_trunk_id: trunk })],
		["DeleteSIPTrunk", ({ outbound }) => ({ sip_trunk_id: outbound })],
		["DeleteSIPDispatchRule", ({ rule }) => ({ sip_dispatch_rule_id: rule })],
		["ListSIPInboundTrunk", ({ trunk }) => ({ trunk_ids: [trunk] })],
		["ListSIPInboundTrunk", () => ({})],
		["ListSIPInboundTrunk", () => ({ numbers: ["+15550100"] })],
		["ListSIPOutboundTrunk", ({ outbound }) => ({ trunk_ids: [outbound] })],
		["ListSIPOutboundTrunk", () => ({ numbers: ["+15550100"] })],
		["ListSIPTrunk", () => ({})],
		["ListSIPDispatchRule", ({ rule }) => ({ dispatch_rule_ids: [rule] })],
		["ListSIPDispatchRule", ({ trunk }) => ({ trunk_ids: [trunk] })],
		["CreateSIPParticipant", ({ outbound }) => ({ sip_trunk_id: outbound, sip_call_to: "+15550123", room_name: "r" })],
		["TransferSIPParticipant", ({ room }) => ({ room_name: room, participant_identity: "caller", transfer_to: "tel:+15550123" })],
	])("%s", async (method, bodyFor) => {
		const { create, as, deps } = setUp();
		const [owner, stranger, nobody] = [await create(), await create(), await create()];
		const own = as(owner.apiKey);
		const number = { numbers: ["+15550100"] };
		const trunk = String((await own("CreateSIPInboundTrunk", { trunk: { ...number, name: "theirs" } })).body["sip_trunk_id"]);
		const outbound = String((await own("CreateSIPOutboundTrunk", { trunk: { ...number, address: "a.example" } })).body["sip_trunk_id"]);
		const rule = String(
			(
				await own("CreateSIPDispatchRule", {
					dispatch_rule: { rule: { dispatch_rule_direct: { room_name: "theirs" } }, trunk_ids: [trunk], name: "theirs" },
				})
			).body["sip_dispatch_rule_id"],
		);
		expect(rule).toMatch(/^SDR_/);
		await deps.callStore.createCall({
			callId: "SCL_theirs",
			projectId: owner.projectId,
			region: "local",
			direction: "inbound",
			state: "active",
			version: 1,
			trunkId: trunk,
			ruleId: rule,
			roomName: "theirs",
			participantIdentity: "caller",
			participantId: "PA_1",
			from: "+15550123",
			to: "+15550100",
			sipCallId: "x",
			timeline: [],
			createdAt: deps.clock(),
			answeredAt: deps.clock(),
			expiresAtSeconds: Math.floor(deps.clock() / 1000) + 3600,
		});
		deps.roomService = async () => new Response("{}", { status: 404 });

		const missing = { trunk: "ST_111111111111", outbound: "ST_222222222222", rule: "SDR_33333333333", room: "nobodys" };
		const before = JSON.stringify([await own("ListSIPTrunk", {}), await own("ListSIPDispatchRule", {})]);
		const theirs = { trunk, outbound, rule, room: "theirs" };
		const asked = await as(stranger.apiKey)(method, bodyFor(theirs), "theirs");
		const control = await as(nobody.apiKey)(method, bodyFor(missing), "nobodys");
		const neutral = (text: string): string =>
			Object.entries(theirs).reduce((all, [name, id]) => all.replaceAll(id, missing[name as keyof typeof missing]), text);
		expect({ status: asked.status, text: neutral(asked.text) }).toEqual({ status: control.status, text: control.text });
		expect(asked.text).not.toContain("PA_1");
		expect(JSON.stringify([await own("ListSIPTrunk", {}), await own("ListSIPDispatchRule", {})])).toBe(before);
	});
});

describe("policy", () => {
	async function project(policy: object = {}) {
		const setup = setUp();
		const created = await setup.create({ policy });
		const call = setup.as(created.apiKey);
		const trunk = (await call("CreateSIPOutboundTrunk", { trunk: { address: "a.example", numbers: ["+15550100"] } })).body["sip_trunk_id"];
		const dial = (to = "+15550123", over: object = {}, requestId = "") =>
			call("CreateSIPParticipant", { sip_trunk_id: trunk, sip_call_to: to, room_name: "r", ...over }, "room", requestId);
		const calls = async () => (await setup.deps.callStore.findCalls(created.projectId, { limit: 100 })).calls;
		return { ...setup, ...created, call, dial, calls };
	}

	test.each([
		["+18765551234", "+1876 is blocked unless named: high-risk, Jamaica", "+1876"],
		["+19005551234", "+1900 is blocked unless named: premium, North American premium rate", "+1900"],
	])("%s is refused, and the answer says how to change that", async (to, reason, prefix) => {
		const { dial, admin, projectId, calls, log, pass } = await project();
		const refused = await dial(to);
		expect(refused.status).toBe(403);
		expect(refused.body).toEqual({
			code: "permission_denied",
			msg: `the destination may not be called: ${reason}. An administrator changes allowedPrefixes to name ${prefix} with PATCH /v1/projects/${projectId}`,
			meta: { limit: "allowed_prefixes", prefix },
		});
		expect(await calls()).toEqual([]);
		expect(log.logs.find(({ level }) => level === "warn")).toMatchObject({
			message: "call refused by the project's policy",
			fields: { projectId, limit: "allowed_prefixes", prefix },
		});
		expect(log.text()).not.toContain(to);
		await admin("PATCH", `/${projectId}`, { policy: { allowedPrefixes: ["+", prefix] } });
		pass(10_000);
		await dial(to);
		expect(await calls()).toHaveLength(1);
	});

	test("the To header is a destination too", async () => {
		const { dial } = await project();
		expect((await dial("+15550123", { to_user_override: "+19005551234" })).status).toBe(403);
	});

	test("targets of transfers obey it", async () => {
		const { call, deps, projectId } = await project();
		const record = (await deps.callStore.createCall({
			callId: "SCL_x",
			projectId,
			region: "local",
			direction: "inbound",
			state: "active",
			version: 1,
			trunkId: "",
			ruleId: "",
			roomName: "room",
			participantIdentity: "caller",
			participantId: "PA_1",
			from: "+15550123",
			to: "+15550100",
			sipCallId: "x",
			timeline: [],
			createdAt: deps.clock(),
			expiresAtSeconds: Math.floor(deps.clock() / 1000) + 3600,
		})) as boolean;
		expect(record).toBe(true);
		const transfer = (to: string) => call("TransferSIPParticipant", { room_name: "room", participant_identity: "caller", transfer_to: to });
		expect(await transfer("tel:+19005551234")).toMatchObject({ status: 403, body: { meta: { prefix: "+1900" } } });
		expect(await transfer("<sip:+8816123456789@carrier.example>")).toMatchObject({ status: 403, body: { meta: { prefix: "+881" } } });
		expect((await transfer("tel:+15550123")).status).toBe(501);
	});

	test("a deleted project, whose key another process still knows, calls nobody: it has no limits any more, not those of the deployment", async () => {
		const { create, admin, elsewhereAs, projects, deps, pass } = setUp();
		const { apiKey, projectId } = await create({ policy: { concurrentCalls: 0 } });
		const inline = { hostname: "sip.example.com" };
		const dial = () =>
			elsewhereAs(apiKey)("CreateSIPParticipant", { trunk: inline, sip_number: "+15550100", sip_call_to: "+15550123", room_name: "room" });
		expect((await dial()).status).toBe(429);
		pass(5_000);
		// A wrong secret has the key read anew: it is then known for longer than the project.
		await elsewhereAs({ ...apiKey, secret: "a guess of sufficient length for HS256" })("ListSIPOutboundTrunk", {});
		expect((await admin("DELETE", `/${projectId}`)).status).toBe(200);
		pass(5_500);
		const refused = await dial();
		expect({ status: refused.status, code: refused.body["code"] }).toEqual({ status: 401, code: "unauthenticated" });
		expect((await deps.callStore.findCalls(projectId, { limit: 10 })).calls).toEqual([]);
		await expect(projects.livekitOf(projectId)).rejects.toThrow("is gone");
		expect(await projects.livekitOf("default")).toBeUndefined();
	});

	test("a call that came to nothing gives its slot back", async () => {
		const { dial, projectId, deps } = await project({ concurrentCalls: 1 });
		// Nobody claims it: it is cancelled.
		expect((await dial()).status).toBe(503);
		expect(await deps.projects?.callLimits.liveCalls(projectId)).toEqual([]);
		deps.callStore = new Proxy(deps.callStore, {
			get: (store, name) => (name === "createCall" ? () => Promise.reject(new Error("down")) : Reflect.get(store, name)),
		});
		expect((await dial()).status).toBe(500);
		expect(await deps.projects?.callLimits.liveCalls(projectId)).toEqual([]);
	});

	test("the retry of a call that is over takes no slot", async () => {
		const { dial, calls, projectId, deps } = await project({ concurrentCalls: 1 });
		deps.dialQueue = () => ({
			send: async ({ callId }) => {
				const step = { at: deps.clock(), event: "x", patch: { participantId: "PA_1" } };
				await deps.callStore.claimCall(callId, "ND_1", deps.clock(), deps.clock() + 1000);
				await deps.callStore.transitionCall(callId, { from: ["claimed"], to: "joining", ...step });
			},
			receive: async () => [],
		});
		expect((await dial("+15550123", {}, "id-1")).status).toBe(200);
		const [call] = await calls();
		await deps.callStore.endCall(call?.callId ?? "", deps.clock(), { by: "peer", reason: "hangup" });
		expect((await dial("+15550123", {}, "id-1")).status).toBe(200);
		expect(await deps.projects?.callLimits.liveCalls(projectId)).toEqual([]);
	});

	test("50 at once against a limit of 10 calls at a time: exactly 10 calls; an end makes room although its node said nothing", async () => {
		const { dial, calls, projectId, deps, pass } = await project({ concurrentCalls: 10, callsPerSecond: null, ringingCalls: null });
		deps.dialQueue = () => ({
			send: async ({ callId }) => {
				const patch = { participantId: "PA_1" };
				await deps.callStore.claimCall(callId, "ND_1", deps.clock(), deps.clock() + 1000);
				await deps.callStore.transitionCall(callId, { from: ["claimed"], to: "joining", at: deps.clock(), event: "joining", patch });
			},
			receive: async () => [],
		});
		const replies = await Promise.all(Array.from({ length: 50 }, () => dial()));
		expect(replies.filter(({ status }) => status === 200)).toHaveLength(10);
		const refused = replies.find(({ status }) => status !== 200);
		expect(refused?.status).toBe(429);
		expect(errorOf(refused ?? { body: {} })).toBe(
			`resource_exhausted: the project has 10 calls at a time, which is its limit (concurrentCalls = 10). An administrator changes concurrentCalls with PATCH /v1/projects/${projectId}`,
		);
		expect(await calls()).toHaveLength(10);
		const [first] = await calls();
		await deps.callStore.endCall(first?.callId ?? "", deps.clock(), { by: "peer", reason: "hangup" });
		pass(1);
		expect([(await dial()).status, (await dial()).status]).toEqual([200, 429]);
	});

	test("an answer and an end count at once, whoever writes them: minutes too", async () => {
		const { dial, calls, projectId, deps, pass } = await project({ ringingCalls: 1, minutesPerDay: 3, callsPerSecond: null });
		const step = () => ({ at: deps.clock(), event: "x" });
		deps.dialQueue = () => ({
			send: async ({ callId }) => {
				await deps.callStore.claimCall(callId, "ND_1", deps.clock(), deps.clock() + 1000);
				await deps.callStore.transitionCall(callId, { from: ["claimed"], to: "joining", ...step(), patch: { participantId: "PA_1" } });
			},
			receive: async () => [],
		});
		const live = async () => ((await deps.projects?.callLimits.liveCalls(projectId)) ?? []).map(({ callId }) => callId);
		expect((await dial()).status).toBe(200);
		const [call] = await calls();
		const callId = call?.callId ?? "";
		await deps.callStore.transitionCall(callId, { from: ["joining"], to: "active", ...step(), patch: { answeredAt: deps.clock() } });
		expect((await dial()).status, "the first one rings no longer").toBe(200);
		expect(await live()).toHaveLength(2);
		pass(130_000);
		for (const ended of await live()) await deps.callStore.endCall(ended, deps.clock(), { by: "peer", reason: "hangup" });
		expect(await live()).toEqual([]);
		// 2 minutes and 10 seconds of 3 are used, and a call needs one minute to begin with.
		expect(await dial()).toMatchObject({ status: 429, body: { meta: { limit: "minutesPerDay", value: "3" } } });
	});

	test("no call lasts longer than the project allows", async () => {
		const { dial, calls } = await project({ maxCallDurationMs: 60_000 });
		await dial("+15550123", { max_call_duration: "3600s" });
		await dial("+15550123", { max_call_duration: "30s" });
		expect((await calls()).map(({ request }) => request?.maxCallDurationMs).sort()).toEqual([30_000, 60_000]);
	});

	test("calls per second", async () => {
		const { dial, deps } = await project({ callsPerSecond: 2 });
		// A call that cannot be queued ends at once: no time passes.
		deps.dialQueue = () => ({ send: () => Promise.reject(new Error("no route")), receive: async () => [] });
		const statuses = (await Promise.all([dial(), dial(), dial()])).map(({ status }) => status);
		expect(statuses.sort()).toEqual([429, 503, 503]);
	});
});

describe("inbound", () => {
	test("a number is one project's, and its calls too", async () => {
		const { create, as, projects } = setUp();
		const [first, second] = [await create(), await create()];
		const trunk = { trunk: { numbers: ["+1 555-0100"] } };
		expect((await as(first.apiKey)("CreateSIPInboundTrunk", trunk)).status).toBe(200);
		const refused = await as(second.apiKey)("CreateSIPInboundTrunk", trunk);
		expect(refused).toMatchObject({ status: 409, body: { code: "already_exists" } });
		expect(refused.text).not.toContain(first.projectId);
		expect(await projects.projectForInbound("15550100", "192.0.2.1")).toBe(first.projectId);
		expect(await projects.projectForInbound("+15550101", "192.0.2.1")).toBe("default");
	});
	test("a trunk for any number from anywhere is the deployment's own alone", async () => {
		const { create, as } = setUp();
		const wildcard = { trunk: { name: "all", auth_username: "u", auth_password: "p" } };
		const refused = await as((await create()).apiKey)("CreateSIPInboundTrunk", wildcard);
		expect(errorOf(refused)).toContain("needs allowed_addresses");
		expect((await as({ key: KEY, secret: SECRET })("CreateSIPInboundTrunk", wildcard)).status).toBe(200);
	});
});

describe("a project's own LiveKit server", () => {
	test("gets requests signed with its own key, and nobody else's", async () => {
		const { create, fetch } = setUp();
		const seen: { url: string | undefined; authorization: string | undefined; body: string }[] = [];
		const server = createServer((request, response) => {
			const chunks: Buffer[] = [];
			request.on("data", (chunk: Buffer) => chunks.push(chunk));
			request.on("end", () => {
				seen.push({ url: request.url, authorization: request.headers.authorization, body: Buffer.concat(chunks).toString() });
				response.end("theirs");
			});
		});
		await new Promise<void>((resolve) => {
			server.listen(0, "127.0.0.1", resolve);
		});
		try {
			const secret = "the secret of the LiveKit server's key";
			const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
			const project = await create({ livekit: { url, apiKey: "APIlk", apiSecret: secret } });
			const other = await create();
			const ask = async (key: Created["apiKey"]): Promise<string> => {
				const authorization = `Bearer ${await token({ video: { roomList: true } }, key)}`;
				const path = "/twirp/livekit.RoomService/ListRooms";
				return (await fetch(path, { method: "POST", headers: { authorization, "content-type": "application/json" }, body: "{}" })).text();
			};
			expect(await ask(project.apiKey)).toBe("theirs");
			expect(seen).toMatchObject([{ url: "/twirp/livekit.RoomService/ListRooms", body: "{}" }]);
			const { payload } = await jwtVerify(seen[0]?.authorization?.slice("Bearer ".length) ?? "", new TextEncoder().encode(secret), {
				issuer: "APIlk",
			});
			expect(payload).toMatchObject({ video: { roomList: true }, exp: expect.any(Number) });
			expect(await ask(other.apiKey)).toBe("the deployment's");
			expect(await ask({ key: project.apiKey.key, secret: "a guess of sufficient length" })).toBe("the deployment's");
			expect(seen).toHaveLength(1);
		} finally {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		}
	});
});
