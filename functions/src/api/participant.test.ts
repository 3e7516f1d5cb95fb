import { SIPStatus } from "@livekit/protocol";
import type { CallRecord } from "@trunkline/contracts";
import { captureLogs, MemoryCallStore, MemoryConfigStore, MemoryDialQueue } from "@trunkline/testkit";
import { describe, expect, test } from "vitest";
import type { ApiDeps } from "./deps.ts";
import { testApi } from "./test-api.ts";

async function setUp(over: Partial<ApiDeps> = {}) {
	const log = captureLogs();
	const dialQueue = new MemoryDialQueue();
	const stores = { configStore: new MemoryConfigStore(), callStore: (now: () => number) => new MemoryCallStore({ now }), dialQueue, log };
	const api = testApi(stores, over);
	const trunk = await api.call("CreateSIPOutboundTrunk", {
		trunk: { address: "sip.example.com", numbers: ["+15550001"], auth_username: "u", auth_password: "hunter2" },
	});
	const sip_trunk_id = trunk.body["sip_trunk_id"] as string;
	const dial = (body: object = {}, requestId?: string) =>
		api.call(
			"CreateSIPParticipant",
			{ sip_trunk_id, sip_call_to: "+15559999", room_name: "lobby", ...body },
			requestId === undefined ? {} : { headers: { "x-livekit-request-id": requestId } },
		);
	const queued = () => dialQueue.receive(10, 0);
	const calls = async () => (await api.deps.callStore.findCalls("p_test", { limit: 100 })).calls;
	return { ...api, log, dial, queued, calls, sip_trunk_id };
}

type Api = Awaited<ReturnType<typeof setUp>>;
type Step = { at: number; run: (call: CallRecord) => Promise<unknown> };

/** A node that takes the call at `claimAt` ms, then walks through `steps`, each at its time. */
function node({ deps, onTick, queued, elapsed }: Api, claimAt: number, steps: Step[]) {
	const left = [...steps];
	let call: CallRecord | undefined;
	onTick(async (now) => {
		if (call === undefined && elapsed() >= claimAt) {
			const [message] = await queued();
			if (message !== undefined) call = await deps.callStore.claimCall(message.message.callId, "ND_1", now, now + 30_000);
		}
		while (call !== undefined && left[0] !== undefined && elapsed() >= left[0].at) await left.shift()?.run(call);
	});
}

const move =
	(api: Api, from: CallRecord["state"], to: CallRecord["state"], patch = {}) =>
	({ callId }: CallRecord) =>
		api.deps.callStore.transitionCall(callId, { from: [from], to, owner: "ND_1", at: 1, event: to, patch });
const join = (api: Api, at: number): Step => ({ at, run: move(api, "claimed", "joining", { participantId: "PA_1" }) });
const ring = (api: Api, at: number): Step[] => [
	{ at, run: move(api, "joining", "dialing") },
	{ at, run: move(api, "dialing", "ringing") },
];
const end = (api: Api, at: number, sipStatus: number, sipReason: string): Step => ({
	at,
	run: ({ callId }) => api.deps.callStore.endCall(callId, at, { by: "peer", reason: "busy", sipStatus, sipReason }),
});

describe("without waiting for the answer", () => {
	test("answers when the participant is in the room", async () => {
		const api = await setUp();
		node(api, 200, [join(api, 500)]);
		const reply = await api.dial({ participant_identity: "callee" });
		expect(reply).toEqual({
			status: 200,
			contentType: "application/json",
			body: {
				participant_id: "PA_1",
				participant_identity: "callee",
				room_name: "lobby",
				sip_call_id: expect.stringMatching(/^SCL_\w{12}$/),
			},
		});
		expect(api.elapsed()).toBeGreaterThanOrEqual(500);
		expect(api.elapsed()).toBeLessThan(700);
	});

	test("the record has everything to dial with, and the message only the call's name", async () => {
		const api = await setUp();
		let message: unknown;
		api.onTick(async () => {
			for (const received of await api.queued()) message = received.message;
		});
		await api.dial({ headers: { "X-A": "b" }, play_ringtone: true, destination: { region: "far" } });
		const [call] = await api.calls();
		expect(call).toMatchObject({
			direction: "outbound",
			region: "far",
			trunkId: api.sip_trunk_id,
			from: "+15550001",
			to: "+15559999",
			participantIdentity: "sip_+15559999",
		});
		expect(call?.request).toMatchObject({
			address: "sip.example.com",
			authUsername: "u",
			headers: { "X-A": "b" },
			playDialtone: true,
			ringingTimeoutMs: 180_000,
		});
		expect(message).toEqual({
			version: 1,
			type: "dial",
			projectId: "p_test",
			callId: call?.callId,
			region: "far",
			enqueuedAt: call?.createdAt,
			requestId: call?.requestId,
		});
		expect(call?.requestId).toMatch(/^[\da-f-]{36}$/);
	});

	test("a call that was in the room and ended since is no error", async () => {
		const api = await setUp();
		node(api, 0, [join(api, 100), ...ring(api, 100), end(api, 100, 486, "Busy Here")]);
		expect((await api.dial()).status).toBe(200);
	});

	test("a call that nobody claims is cancelled, so that it never dials", async () => {
		const api = await setUp();
		const reply = await api.dial();
		expect(reply).toMatchObject({
			status: 503,
			body: { code: "unavailable", msg: "twirp error unknown: no response from servers in local" },
		});
		expect(reply.body).toMatchObject({ meta: { end_reason: "not-claimed", region: "local" } });
		expect(api.elapsed()).toBeGreaterThanOrEqual(9000);
		expect(api.elapsed()).toBeLessThan(9200);
		const [call] = await api.calls();
		expect(call).toMatchObject({ state: "cancelled", end: { by: "api", reason: "not-claimed" } });
		const [message] = await api.queued();
		expect(await api.deps.callStore.claimCall(message?.message.callId ?? "", "ND_1", api.deps.clock(), Infinity)).toBeUndefined();
	});

	test("a claim just before the end of patience counts", async () => {
		const api = await setUp();
		node(api, 8900, [join(api, 9500)]);
		expect((await api.dial()).status).toBe(200);
	});

	test("a node that cannot join: the error is the node's", async () => {
		const api = await setUp();
		node(api, 0, [
			{
				at: 300,
				run: ({ callId }) =>
					api.deps.callStore.endCall(callId, 1, { by: "node", reason: "room-failed", message: "room server unreachable" }),
			},
		]);
		expect(await api.dial()).toMatchObject({
			status: 503,
			body: { code: "unavailable", msg: "twirp error unknown: room server unreachable" },
		});
	});

	test("a node that hangs: after 30 s the call is stopped before it dials", async () => {
		const api = await setUp();
		node(api, 0, []);
		expect(await api.dial()).toMatchObject({ status: 408, body: { code: "deadline_exceeded" } });
		expect(api.elapsed()).toBeGreaterThanOrEqual(30_000);
		expect((await api.calls())[0]?.state).toBe("cancelled");
	});
});

describe("wait_until_answered", () => {
	const wait = { wait_until_answered: true, ringing_timeout: "20s" };

	test("answers when the call is active", async () => {
		const api = await setUp();
		node(api, 0, [join(api, 100), ...ring(api, 200), { at: 5000, run: move(api, "ringing", "active", { answeredAt: 5 }) }]);
		expect(await api.dial(wait)).toMatchObject({ status: 200, body: { participant_id: "PA_1" } });
		expect(api.elapsed()).toBeGreaterThanOrEqual(5000);
		expect(api.elapsed()).toBeLessThan(5200);
	});

	test("answered and hung up between two looks is answered", async () => {
		const api = await setUp();
		node(api, 0, [
			join(api, 100),
			...ring(api, 200),
			{ at: 300, run: move(api, "ringing", "active", { answeredAt: 5 }) },
			end(api, 300, 200, ""),
		]);
		expect((await api.dial(wait)).status).toBe(200);
	});

	test.each([
		[486, "Busy Here", 429, "resource_exhausted", 8],
		[404, "Not Found", 404, "not_found", 5],
		[603, "Decline", 403, "permission_denied", 7],
		[503, "Service Unavailable", 412, "failed_precondition", 9],
	])("the peer's %i reaches the caller", async (status, reason, httpStatus, code, grpc) => {
		const api = await setUp();
		node(api, 0, [join(api, 100), ...ring(api, 200), end(api, 900, status, reason)]);
		const reply = await api.dial(wait);
		const msg = `twirp error unknown: INVITE failed: sip status: ${status}: ${reason}`;
		expect(reply).toMatchObject({
			status: httpStatus,
			contentType: "application/json",
			body: { code, msg, meta: { sip_status_code: String(status), sip_status: reason } },
		});
		const details = Buffer.from((reply.body["meta"] as Record<string, string>)["error_details"] ?? "", "base64");
		// google.rpc.Status: field 1 is the code; the SIPStatus is the tail of the Any in field 3.
		expect([...details.subarray(0, 2)]).toEqual([0x08, grpc]);
		const value = new SIPStatus({ code: status, status: reason }).toBinary();
		expect(details.subarray(-value.length)).toEqual(Buffer.from(value));
		expect(details.toString("latin1")).toContain("type.googleapis.com/livekit.SIPStatus");
	});

	test("the deadline comes after the ringing; the call rings on as long as it may", async () => {
		const api = await setUp();
		node(api, 0, [join(api, 100), ...ring(api, 200)]);
		expect(await api.dial(wait)).toMatchObject({
			status: 408,
			body: { code: "deadline_exceeded", msg: "the call was not answered in time" },
		});
		expect(api.elapsed()).toBeGreaterThanOrEqual(30_000);
		expect(api.elapsed()).toBeLessThan(30_200);
		expect((await api.calls())[0]?.state).toBe("ringing");
	});

	test("nothing rings longer than the API can wait", async () => {
		const api = await setUp();
		node(api, 0, [join(api, 100), ...ring(api, 200)]);
		await api.dial({ wait_until_answered: true });
		expect((await api.calls())[0]?.request?.ringingTimeoutMs).toBe(70_000);
		expect(api.elapsed()).toBeGreaterThanOrEqual(80_000);
		expect(api.elapsed()).toBeLessThan(80_200);
	});
});

describe("retries with one request id", () => {
	test("are one call, and all hear its outcome", async () => {
		const api = await setUp();
		node(api, 100, [join(api, 400)]);
		const replies = await Promise.all([api.dial({}, "id-1"), api.dial({}, "id-1"), api.dial({}, "id-1")]);
		const later = await api.dial({}, "id-1");
		expect(new Set([...replies, later].map(({ status, body }) => `${status} ${String(body["sip_call_id"])}`)).size).toBe(1);
		expect(later.status).toBe(200);
		expect(await api.calls()).toHaveLength(1);
	});

	test("other ids, and none, are other calls", async () => {
		const api = await setUp();
		await Promise.all([api.dial({}, "id-1"), api.dial({}, "id-2"), api.dial(), api.dial()]);
		expect(await api.calls()).toHaveLength(4);
	});

	test("a failed call stays failed", async () => {
		const api = await setUp();
		node(api, 0, [join(api, 100), ...ring(api, 200), end(api, 300, 486, "Busy Here")]);
		const first = await api.dial({ wait_until_answered: true }, "id-1");
		expect(first.status).toBe(429);
		expect(await api.dial({ wait_until_answered: true }, "id-1")).toEqual(first);
	});

	test("a first attempt that died before the queue is queued by the second", async () => {
		const dialQueue = new MemoryDialQueue();
		const configStore = new MemoryConfigStore();
		const log = captureLogs();
		const api = testApi({ configStore, callStore: (now) => new MemoryCallStore({ now }), dialQueue, log });
		const trunk = (await api.call("CreateSIPOutboundTrunk", { trunk: { address: "a", numbers: ["1"] } })).body["sip_trunk_id"];
		const body = { sip_trunk_id: trunk, sip_call_to: "2", room_name: "r" };
		const request = { headers: { "x-livekit-request-id": "id-1" } };
		// The first attempt's process ends at the moment it would send.
		const died = new Promise<never>(() => {});
		const send = dialQueue.send.bind(dialQueue);
		const reachedQueue = new Promise<void>((resolve) => {
			dialQueue.send = () => {
				resolve();
				return died;
			};
		});
		void api.call("CreateSIPParticipant", body, request);
		await reachedQueue;
		dialQueue.send = send;
		expect((await api.call("CreateSIPParticipant", body, request)).status).toBe(503);
		expect(await dialQueue.receive(10, 0)).toHaveLength(1);
	});

	test("an id that was used for another call is refused", async () => {
		const api = await setUp();
		node(api, 0, [join(api, 100)]);
		await api.dial({}, "id-1");
		expect(await api.dial({ sip_call_to: "+1999" }, "id-1")).toMatchObject({
			status: 409,
			body: { code: "already_exists", msg: "the request id was used for another call" },
		});
	});
});

describe("refused before there is a call", () => {
	test.each<[object, number, string, string]>([
		[{ sip_trunk_id: "ST_none" }, 404, "not_found", "requested sip trunk does not exist"],
		[{ sip_call_to: "" }, 400, "invalid_argument", "missing sip callee number"],
		[{ sip_call_to: "a@b" }, 400, "invalid_argument", "SipCallTo should be a phone number or SIP user, not a full SIP URI"],
		[{ room_name: "" }, 400, "invalid_argument", "missing room name"],
		[{ sip_trunk_id: "" }, 400, "invalid_argument", "missing sip trunk id and sip number"],
		[{ sip_trunk_id: "", trunk: { hostname: "a.example" } }, 412, "failed_precondition", "no numbers on outbound trunk"],
		[{ destination: { region: "moon" } }, 400, "invalid_argument", 'destination region "moon" is not served here, regions are: local, far'],
	])("%j", async (body, status, code, msg) => {
		const api = await setUp();
		expect(await api.dial(body)).toEqual({ status, contentType: "application/json", body: { code, msg } });
		expect(await api.calls()).toEqual([]);
	});

	test("an inbound trunk does not dial", async () => {
		const api = await setUp();
		const inbound = await api.call("CreateSIPInboundTrunk", { trunk: { numbers: ["1"] } });
		expect((await api.dial({ sip_trunk_id: inbound.body["sip_trunk_id"] })).status).toBe(404);
	});
});

test("a queue that cannot be reached: unavailable, and the call is cancelled", async () => {
	const dialQueue = { send: () => Promise.reject(new Error("no route")), receive: async () => [] };
	const api = await setUp({ dialQueue: () => dialQueue });
	expect(await api.dial()).toMatchObject({ status: 503, body: { code: "unavailable", msg: "the call could not be queued" } });
	expect((await api.calls())[0]).toMatchObject({ state: "cancelled", end: { reason: "not-claimed" } });
});

test("a client that goes away: the wait ends once a node has the call, and the call goes on", async () => {
	const api = await setUp();
	node(api, 3000, []);
	const gone = new AbortController();
	const { SIP_METHODS } = await import("./sip-service.ts");
	const body = new TextEncoder().encode(JSON.stringify({ sip_trunk_id: api.sip_trunk_id, sip_call_to: "1", room_name: "r" }));
	const run = SIP_METHODS.get("CreateSIPParticipant")?.parse(body, "json");
	gone.abort();
	const context = {
		deps: api.deps,
		projectId: "p_test",
		grants: { sipAdmin: false, sipCall: true },
		idempotency: undefined,
		requestHeaders: new Headers(),
		answerHeaders: new Headers(),
		signal: gone.signal,
	};
	await expect(run?.(context)).rejects.toMatchObject({ code: "canceled" });
	expect(api.elapsed()).toBeGreaterThanOrEqual(3000);
	expect((await api.calls())[0]?.state).toBe("claimed");
});

test("no log line shows a number, a room or a password", async () => {
	const api = await setUp();
	node(api, 0, [join(api, 100)]);
	await api.dial({ room_name: "secret-meeting-with-bob" });
	expect(api.log.logs.map((entry) => entry.message)).toContain("outbound call queued");
	expect(api.log.text()).not.toMatch(/15559999|secret-meeting|hunter2/);
});
