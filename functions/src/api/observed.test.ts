import { beforeEach, describe, expect, it } from "vitest";
import type { Log, Metrics } from "@trunkline/observability";
import { createLogger } from "@trunkline/observability";
import { MemoryCallStore, MemoryConfigStore, MemoryDialQueue } from "@trunkline/testkit";
import { createApp } from "./app.ts";
import type { ApiDeps } from "./deps.ts";
import { testApi, type TestApi, token } from "./test-api.ts";

let lines: Record<string, unknown>[];
let recorded: [string, number, unknown][];
let flushed: number;
let queue: MemoryDialQueue;
let api: TestApi;

beforeEach(() => {
	lines = [];
	recorded = [];
	flushed = 0;
	queue = new MemoryDialQueue();
	const log: Log = createLogger({
		name: "api",
		level: "info",
		destination: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
	});
	const metrics: Metrics = { record: (name, value, ...[dimensions]) => void recorded.push([name, value, dimensions]) };
	const stores = {
		configStore: new MemoryConfigStore(),
		callStore: (now: () => number) => new MemoryCallStore({ now }),
		dialQueue: queue,
		log,
	};
	api = testApi(stores, { metrics, flushMetrics: () => void flushed++ });
});

const answered = () => lines.filter(({ msg }) => msg === "request answered");

describe("each request", () => {
	it("about one call has the call's id in its lines, and nothing else of its path", async () => {
		for (const path of ["/v1/calls/SCL_abc", "/v1/calls/SCL_abc/trace", "/v1/calls/%2B15550100", "/v1/calls/SCL_abc+1"])
			await api.fetch(path, { headers: { authorization: "Bearer no-token" } });
		expect(answered().map(({ callId }) => callId)).toEqual(["SCL_abc", "SCL_abc", undefined, undefined]);
		expect(JSON.stringify(lines)).not.toContain("15550100");
	});

	it("has an id that its lines, its message and its answer have, and one line when it is answered", async () => {
		const trunk = await api.call("CreateSIPOutboundTrunk", { trunk: { name: "t", address: "carrier.example", numbers: ["+15550100"] } });
		await api.call("CreateSIPParticipant", { sip_trunk_id: trunk.body["sip_trunk_id"], sip_call_to: "+15550111", room_name: "r" });
		const [created, dialled] = answered();
		expect(created).toMatchObject({
			operation: "configuration",
			route: "/twirp/livekit.SIP/CreateSIPOutboundTrunk",
			status: 200,
			projectId: "p_test",
		});
		// Nobody took the call.
		expect(dialled).toMatchObject({
			operation: "dial",
			route: "/twirp/livekit.SIP/CreateSIPParticipant",
			status: 503,
			projectId: "p_test",
		});
		const { requestId, callId } = dialled ?? {};
		expect(callId).toMatch(/^SCL_/);
		const ofCall = lines.filter((line) => line["callId"] === callId);
		expect(ofCall.map(({ msg }) => msg)).toEqual(["outbound call queued", "no media node took a call in time", "request answered"]);
		for (const line of ofCall) expect(line).toMatchObject({ requestId, trunkId: trunk.body["sip_trunk_id"], region: "local" });
		const [message] = await queue.receive(1, 0, new AbortController().signal);
		expect(message?.message).toMatchObject({ callId, requestId });
		expect(requestId).not.toBe(created?.["requestId"]);
		expect(recorded.filter(([name]) => name !== "ApiLatency")).toEqual([
			["ApiRequests", 1, { operation: "configuration" }],
			["CallsNotClaimed", 1, undefined],
			["ApiRequests", 1, { operation: "dial" }],
			["ApiErrors", 1, { code: "503" }],
		]);
		expect(recorded.filter(([name]) => name === "ApiLatency").map(([, ms]) => ms >= 9_000)).toEqual([false, true]);
		expect(flushed).toBe(2);
		expect(JSON.stringify(lines)).not.toContain("5550111");
	});

	it("is known by the pattern of its route, whatever a stranger writes into the path", async () => {
		await api.fetch("/v1/calls/+15550199", {});
		await api.fetch("/twirp/livekit.SIP/+15550199", { method: "POST" });
		await api.fetch("/+15550199");
		await api.fetch("/twirp/livekit.RoomService/ListRooms", { method: "POST" });
		expect(answered().map(({ operation, status }) => [operation, status])).toEqual([
			["calls", 404],
			["other", 404],
			["other", 404],
			["rooms", 200],
		]);
		expect(JSON.stringify(lines)).not.toContain("5550199");
	});

	it("of a key that is over its rate is a 429 of its project", async () => {
		const deps: ApiDeps = { ...api.deps, requestRate: { perSecond: 0.001, burst: 0 } };
		const limited = createApp(deps);
		const headers = { authorization: `Bearer ${await token({ sip: { admin: true } })}`, "content-type": "application/json" };
		const response = await limited.request("/twirp/livekit.SIP/ListSIPTrunk", { method: "POST", headers, body: "{}" });
		expect([response.status, response.headers.get("x-request-id")]).toEqual([429, answered()[0]?.["requestId"]]);
		expect(answered()[0]).toMatchObject({ status: 429, projectId: "p_test" });
		expect(recorded).toContainEqual(["ApiErrors", 1, { code: "429" }]);
	});
});
