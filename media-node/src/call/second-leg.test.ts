import type { OutboundTrunk } from "@trunkline/contracts";
import { refusalError } from "@trunkline/domain";
import { captureLogs, MemoryCallStore, MemoryConfigStore, SimClock } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { FakeMedia, FakeRooms, FakeUserAgent, sdpOf, turns } from "./fakes.testkit.ts";
import type { LiveCall } from "./ports.ts";
import type { CallDeps } from "./runner.ts";
import { secondLegs } from "./second-leg.ts";
import type { SecondLegEvent, SecondLegRequest } from "./second-leg-types.ts";

const START = 1_700_000_000_000;
const TRUNK: OutboundTrunk = {
	kind: "outbound",
	trunkId: "ST_out",
	name: "",
	metadata: "",
	address: "carrier.example",
	destinationCountry: "",
	transport: "UDP",
	numbers: ["+15550100"],
	authUsername: "",
	authPassword: "",
	fromHost: "",
	headers: {},
	headersToAttributes: {},
	attributesToHeaders: {},
	includeHeaders: "NO",
	mediaEncryption: "DISABLE",
	createdAt: START,
	updatedAt: START,
	version: 1,
};
const REQUEST: SecondLegRequest = {
	callId: "SCL_first",
	place: "SCL_first",
	projectId: "project",
	trunkId: "ST_out",
	line: undefined,
	target: "tel:+15550142",
	headers: {},
	ringingTimeoutMs: 20_000,
	ownNumber: "+15550100",
};

async function world(over: Partial<CallDeps> = {}, refusal?: string) {
	const clock = new SimClock(START);
	const calls = new MemoryCallStore({ now: () => clock.now() });
	const configStore = new MemoryConfigStore();
	await configStore.createTrunk("project", TRUNK);
	const userAgent = new FakeUserAgent();
	const running: LiveCall[] = [];
	let drawn = 0;
	let placesKept = 0;
	const deps: CallDeps = {
		clock,
		media: new FakeMedia(),
		rooms: new FakeRooms(),
		calls,
		projectId: "project",
		roomUrl: async () => "ws://rooms",
		token: async () => "token",
		nodeId: "ND_1",
		region: "local",
		mediaTimeoutMs: { first: 30_000, later: 15_000 },
		random: (length) => new Uint8Array(length).fill(++drawn),
		log: captureLogs(),
		onTransfer: () => {},
		onOver: () => {},
		...over,
	};
	const dial = secondLegs({
		deps,
		userAgent,
		configStore,
		refusal: () => refusal ?? (running.length + placesKept >= 2 ? "full" : undefined),
		keepPlace: () => {
			placesKept += 1;
			return () => {
				placesKept -= 1;
			};
		},
		run: (call) => {
			running.push(call);
			call.dispatch({ type: "start" });
		},
	});
	const events: SecondLegEvent[] = [];
	const start = (request: Partial<SecondLegRequest> = {}) => dial({ ...REQUEST, ...request }, (event) => events.push(event));
	const record = async () => calls.getCall(running[0]?.callId ?? "");
	return { calls, userAgent, running, events, start, record, placesKept: () => placesKept };
}

const join = { url: "", token: "", publishCodecs: ["PCMU"], trackName: "", onEvent: () => {} } as const;

describe("the second leg of a call", () => {
	it("is on record, linked and owned, before its INVITE leaves, and is dialled over the trunk", async () => {
		const w = await world();
		const states: unknown[] = [];
		const { invite } = w.userAgent;
		w.userAgent.invite = async (...args) => {
			states.push((await w.record())?.state);
			return Reflect.apply(invite, w.userAgent, args);
		};
		w.start();
		await turns();
		expect(states).toEqual(["dialing"]);
		expect(await w.record()).toMatchObject({ bridgedWith: "SCL_first", owner: "ND_1", roomName: "", to: "+15550142", trunkId: "ST_out" });
		expect(w.userAgent.invites).toMatchObject([{ address: "carrier.example", invite: { requestUri: "sip:+15550142@carrier.example" } }]);
	});

	it("three at once where two have room: the third is refused, and no place is kept in the end", async () => {
		const w = await world();
		for (const name of ["a", "b", "c"]) w.start({ callId: `SCL_${name}` });
		await turns();
		expect(w.running).toHaveLength(2);
		expect(w.events).toMatchObject([{ type: "target-failed", end: { message: "full" } }]);
		expect(w.placesKept()).toBe(0);
	});

	it("rings, is answered, and says so once each", async () => {
		const w = await world();
		w.start();
		await turns();
		w.userAgent.emit({ type: "provisional", status: 100, reason: "Trying", headers: [], remoteTag: "t", source: "198.51.100.7" });
		w.userAgent.emit({ type: "provisional", status: 180, reason: "Ringing", headers: [], remoteTag: "t", source: "198.51.100.7" });
		w.userAgent.emit({ type: "answered", headers: [], sipCallId: "x", remoteTag: "t", source: "198.51.100.7", sdp: sdpOf() });
		expect(w.events).toEqual([
			{ type: "target-ringing", status: 180, reason: "Ringing" },
			{ type: "target-answered", callId: w.running[0]?.callId },
		]);
	});

	it("refused by the target: its end is told, and is on its record", async () => {
		const w = await world();
		w.start();
		await turns();
		w.userAgent.emit({ type: "failed", cause: "status", status: 486, reason: "Busy Here", headers: [], message: "486" });
		expect(w.events).toMatchObject([{ type: "target-failed", end: { by: "peer", reason: "busy", sipStatus: 486 } }]);
		await turns();
		expect(await w.record()).toMatchObject({ state: "ended", end: { reason: "busy" } });
	});

	it.each<[string, Partial<CallDeps>, string | undefined, Partial<SecondLegRequest>, string]>([
		["the policy", { mayCall: async () => "not allowed" }, undefined, {}, "not allowed"],
		["a node that is full", {}, "full", {}, "full"],
		["a trunk that is none", {}, undefined, { trunkId: "ST_none" }, "ST_none, which is no outbound trunk"],
		['"same" for a call that came in', {}, undefined, { trunkId: "same" }, "name an outbound trunk"],
		["a target that cannot be dialled", {}, undefined, { target: "<sips:bob@x>" }, "only sip: and tel:"],
	])("nothing is dialled for %s", async (_, deps, refusal, request, message) => {
		const w = await world(deps, refusal);
		w.start(request);
		await turns();
		expect(w.userAgent.invites).toEqual([]);
		expect(w.events).toMatchObject([{ type: "target-failed", end: { by: "node", message: expect.stringContaining(message) } }]);
	});

	it("beyond a limit of the project: nothing is dialled or written, 503 in words", async () => {
		const asked: unknown[] = [];
		const admit: CallDeps["admit"] = async ({ projectId, callId }) => {
			asked.push(projectId, callId);
			throw refusalError({ limit: "concurrentCalls", value: 3 }, projectId);
		};
		const w = await world({ admit });
		w.start();
		await turns();
		expect(asked).toEqual(["project", expect.stringMatching(/^SCL_/)]);
		expect(w.running).toEqual([]);
		expect(w.userAgent.invites).toEqual([]);
		expect(w.events).toMatchObject([
			{ type: "target-failed", end: { reason: "rejected", sipStatus: 503, message: expect.stringContaining("concurrentCalls = 3") } },
		]);
	});

	it("lasts no longer than the project's policy has it", async () => {
		const w = await world({ admit: async ({ dial }) => ({ ...dial, maxCallDurationMs: 60_000 }) });
		w.start();
		await turns();
		expect((await w.record())?.request?.maxCallDurationMs).toBe(60_000);
	});

	it("nothing is dialled when its record cannot be written", async () => {
		const w = await world();
		w.calls.createCall = () => Promise.reject(new Error("no table"));
		w.start();
		await turns();
		expect(w.running).toEqual([]);
		expect(w.userAgent.invites).toEqual([]);
		expect(w.events).toMatchObject([{ type: "target-failed" }]);
	});

	it("the first leg goes while it rings: CANCEL", async () => {
		const w = await world();
		const session = await w.start().rooms.join(join);
		await turns();
		w.userAgent.emit({ type: "provisional", status: 180, reason: "Ringing", headers: [], remoteTag: "t", source: "198.51.100.7" });
		await session.close();
		await turns();
		expect(w.userAgent.leg.did).toContain("cancel");
	});

	it("the first leg goes before it is dialled: it never is", async () => {
		const w = await world();
		const session = await w.start().rooms.join(join);
		await session.close();
		await turns();
		expect(w.userAgent.invites).toEqual([]);
		expect(w.events).toMatchObject([{ type: "target-failed" }]);
		expect(await w.record()).toMatchObject({ state: "ended" });
	});
});
