import {
	captureLogs,
	inboundTrunk,
	MemoryCallStore,
	MemoryConfigStore,
	MemoryDialQueue,
	outboundTrunk,
	dispatchRule,
} from "@trunkline/testkit";
import { SipClient } from "livekit-server-sdk";
import { beforeEach, describe, expect, it } from "vitest";
import type { RegionalDeps, RegionNode } from "../deps.ts";
import { KEY, SECRET, testApi, type TestApi, token } from "../test-api.ts";
import { RegionalCallStore } from "./call-store.ts";

const HOME = "us-east-1";
const REGIONS = [HOME, "eu-west-1", "ap-south-1"] as const;

let api: TestApi;
let configStore: MemoryConfigStore;
let stores: { region: string; store: MemoryCallStore }[];
let queues: Map<string, MemoryDialQueue>;
let nodes: Record<string, RegionNode[]>;

const node = (calls: number, maxCalls = 2): RegionNode => ({ nodeId: "ND_1", state: "ready", build: "b", heartbeatAt: 1, calls, maxCalls });

beforeEach(() => {
	configStore = new MemoryConfigStore();
	queues = new Map(REGIONS.map((region) => [region, new MemoryDialQueue()]));
	nodes = Object.fromEntries(REGIONS.map((region) => [region, [node(0)]]));
	const regional: RegionalDeps = {
		served: [{ region: HOME }, { region: "eu-west-1", sipAddress: "sip.eu.example.com" }, { region: "ap-south-1" }],
		nodesOf: async (region) => nodes[region] ?? [],
	};
	const callStore = (now: () => number): RegionalCallStore => {
		stores = REGIONS.map((region) => ({ region, store: new MemoryCallStore({ now }) }));
		const [home, ...others] = stores;
		if (home === undefined) throw new Error("no region");
		return new RegionalCallStore([home, ...others]);
	};
	const log = captureLogs();
	api = testApi(
		{ configStore, callStore, dialQueue: new MemoryDialQueue(), log },
		{
			regions: REGIONS,
			regional,
			dialQueue: (region) => queues.get(region) as MemoryDialQueue,
			v1: { strictDispatch: true } as never,
		},
	);
	// A node of the region puts the participant into the room.
	api.onTick(async (now) => {
		for (const { store } of stores)
			for (const { callId } of (await store.findCalls("p_test", { limit: 100, states: ["queued"] })).calls) {
				await store.claimCall(callId, "ND_1", now, now + 1_000);
				await store.transitionCall(callId, {
					from: ["claimed"],
					to: "joining",
					at: now,
					event: "joined-room",
					patch: { participantId: "PA_1" },
				});
			}
	});
});

const placed = async (): Promise<string[]> => {
	const counted = await Promise.all(
		stores.map(async ({ region, store }) => ({ region, count: (await store.findCalls("p_test", { limit: 9 })).calls.length })),
	);
	return counted.filter(({ count }) => count > 0).map(({ region }) => region);
};
const trunk = (over: Parameters<typeof outboundTrunk>[0] = {}) =>
	configStore.createTrunk("p_test", outboundTrunk({ trunkId: "ST_out", numbers: ["+15550100"], ...over }));
const dial = (over: Record<string, unknown> = {}) =>
	api.call("CreateSIPParticipant", { sip_trunk_id: "ST_out", sip_call_to: "+15551234", room_name: "lobby", ...over });
const v1 = async (method: string, path: string, body?: unknown) => {
	const response = await api.fetch(path, {
		method,
		headers: { "content-type": "application/json", authorization: `Bearer ${await token({ sip: { admin: true, call: true } })}` },
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
	return { status: response.status, body: (await response.json()) as Record<string, never> };
};

describe("a call is placed", () => {
	it.each<[string, Parameters<typeof outboundTrunk>[0], Record<string, unknown>, string]>([
		["from home, when nothing pins it", {}, {}, HOME],
		["from where its trunk says", { settings: { regions: ["eu-west-1"] } }, {}, "eu-west-1"],
		["from the country of the trunk", { destinationCountry: "IN" }, {}, "ap-south-1"],
		["from the country of the request", { destinationCountry: "US" }, { destination: { country: "IN" } }, "ap-south-1"],
		["from the region of the request", {}, { destination: { region: "eu-west-1" } }, "eu-west-1"],
	])("%s", async (_, over, request, region) => {
		await trunk(over);
		const { status, body } = await dial(request);
		expect([status, body]).toMatchObject([200, { sip_call_id: expect.stringMatching(/^SCL_(use1|euw1|aps1)[1-9A-Za-z]{12}$/) }]);
		expect(await placed()).toEqual([region]);
		const [received] = await (queues.get(region) as MemoryDialQueue).receive(10, 0);
		expect(received?.message.region).toBe(region);
		expect(await v1("GET", `/v1/calls/${String(body["sip_call_id"])}`)).toMatchObject({ status: 200, body: { region } });
	});

	it("nowhere else when its region is full, or has no node: the error says so", async () => {
		await trunk({ settings: { regions: ["eu-west-1"] } });
		nodes["eu-west-1"] = [node(2), node(2)];
		expect(await dial()).toMatchObject({ body: { code: "resource_exhausted", msg: expect.stringContaining("region eu-west-1") } });
		nodes["eu-west-1"] = [];
		expect(await dial()).toMatchObject({ body: { code: "unavailable", msg: expect.stringContaining("region eu-west-1") } });
		expect(await placed()).toEqual([]);
	});

	it("once, although its region is full when the request is repeated", async () => {
		await trunk({ settings: { regions: ["eu-west-1"] } });
		const headers = { "idempotency-key": "order 4711" };
		const body = { sip_trunk_id: "ST_out", sip_call_to: "+15551234", room_name: "lobby" };
		const first = await api.call("CreateSIPParticipant", body, { headers });
		nodes["eu-west-1"] = [];
		expect(await api.call("CreateSIPParticipant", body, { headers })).toEqual(first);
	});

	it("from regions that POST /v1/calls names, and from no other", async () => {
		await trunk();
		const participant = { sip_trunk_id: "ST_out", sip_call_to: "+15551234", room_name: "lobby" };
		expect(await v1("POST", "/v1/calls", { participant, regions: ["eu-west-1"] })).toMatchObject({
			status: 200,
			body: { region: "eu-west-1" },
		});
		expect(await v1("POST", "/v1/calls", { participant, regions: ["mars"] })).toMatchObject({
			status: 400,
			body: { code: "invalid_argument" },
		});
		expect(await v1("POST", "/v1/calls", { participant: { nonsense: 1 } })).toMatchObject({ status: 400, body: { field: "participant" } });
		expect(await placed()).toEqual(["eu-west-1"]);
	});
});

it("livekit-server-sdk: destination_country of a trunk and of an inline trunk", async () => {
	const fetched = globalThis.fetch;
	globalThis.fetch = async (input, init) => api.fetch(new URL(input instanceof Request ? input.url : input).pathname, init);
	try {
		const client = new SipClient("http://api.invalid", KEY, SECRET);
		const made = await client.createSipOutboundTrunk("india", "sip.carrier.example", ["+15550100"], {
			transport: 0,
			destinationCountry: "IN",
		});
		await client.createSipParticipant(made.sipTrunkId, "+15551234", "lobby");
		expect(await placed()).toEqual(["ap-south-1"]);
	} finally {
		globalThis.fetch = fetched;
	}
});

describe("/v1", () => {
	it("lists regions with their nodes and room", async () => {
		nodes["eu-west-1"] = [node(1), node(2)];
		const { body } = await v1("GET", "/v1/regions");
		expect(body["regions"]).toMatchObject([
			{ region: HOME, home: true, code: "use1" },
			{ region: "eu-west-1", home: false, sipAddress: "sip.eu.example.com", capacity: { nodes: 2, calls: 3, maxCalls: 4, free: 1 } },
			{ region: "ap-south-1" },
		]);
	});

	it("a rule's regions are kept when LiveKit's API replaces the rule, and explain tells where its calls may be", async () => {
		await configStore.createTrunk("p_test", inboundTrunk({ numbers: ["+15550100"], settings: { wrongRegion: "redirect" } }));
		await configStore.createRule("p_test", dispatchRule({ ruleId: "SDR_a" }));
		const path = "/v1/dispatch-rules/SDR_a/settings";
		expect(await v1("PUT", path, { regions: ["eu-west-1"] })).toMatchObject({
			status: 200,
			body: { settings: { regions: ["eu-west-1"] } },
		});
		const replace = { rule: { dispatchRuleDirect: { roomName: "lobby" } } };
		expect(await api.call("UpdateSIPDispatchRule", { sip_dispatch_rule_id: "SDR_a", replace })).toMatchObject({ status: 200 });
		expect(await v1("GET", path)).toMatchObject({ body: { settings: { regions: ["eu-west-1"] } } });
		const call = { from: "+15551111", to: "+15550100", source: "203.0.113.7" };
		expect(await v1("POST", "/v1/explain", call)).toMatchObject({
			body: {
				outcome: "refused",
				sip: { status: 302 },
				region: { arrivesIn: HOME, mayBeIn: ["eu-west-1"], pinnedBy: "rule", redirectedTo: ["sip.eu.example.com"] },
			},
		});
		expect(await v1("POST", "/v1/explain", { ...call, region: "eu-west-1" })).toMatchObject({ body: { outcome: "accepted" } });
		expect(await v1("DELETE", path)).toMatchObject({ body: { settings: {} } });
	});
});
