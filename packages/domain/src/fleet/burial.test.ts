import type { CallRecord } from "@trunkline/contracts";
import { callRecord, captureLogs, MemoryCallStore, MemoryNodeRegistry, nodeRecord } from "@trunkline/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { explainEnd } from "../explain-end/explain-end.ts";
import { buryDead, type BurialDeps, endStrays, endUnclaimed, NODE_DIED } from "./burial.ts";
import { NODE_BURIAL_MS, NODE_DEAD_AFTER_MS } from "./limits.ts";

const START = 1_700_000_000_000;
let now: number;
let calls: MemoryCallStore;
let registry: MemoryNodeRegistry;
let removed: string[];
let deleted: string[];

beforeEach(async () => {
	now = START;
	calls = new MemoryCallStore({ now: () => now });
	registry = new MemoryNodeRegistry();
	removed = [];
	deleted = [];
	await registry.beat(nodeRecord({ nodeId: "ND_dead", heartbeatAt: START, commandQueueUrl: "http://queue/dead", task: "arn:task/1" }));
});

const deps = (by: string, changes: Partial<BurialDeps> = {}): BurialDeps => ({
	region: "local",
	by,
	registry,
	owned: calls,
	calls,
	removeFromRoom: async ({ roomName, participantIdentity }) => void removed.push(`${participantIdentity} of ${roomName}`),
	deleteCommandQueue: async (url) => void deleted.push(url),
	now: () => now,
	log: captureLogs(),
	...changes,
});

const call = async (id: string, changes: Partial<CallRecord>): Promise<void> => {
	await calls.createCall(
		callRecord({
			...{ callId: `SCL_${id}`, createdAt: START, owner: "ND_dead", state: "active", roomName: "room", participantIdentity: id },
			...changes,
		}),
	);
};
const stateOf = async (id: string): Promise<string | undefined> => (await calls.getCall(`SCL_${id}`))?.state;

describe("a node that is silent", () => {
	it("is buried by one of its peers: calls out of the room and ended, with the reason in words; nobody else's", async () => {
		await call("a", {});
		await call("b", { direction: "inbound", state: "ringing", roomName: "" });
		await call("c", { leftRoomAt: START });
		await call("other", { owner: "ND_2" });
		now += NODE_DEAD_AFTER_MS - 1;
		expect(await buryDead(deps("ND_2"))).toEqual({ nodes: 0, calls: 0 });
		now += 1;
		const all = await Promise.all(["ND_2", "ND_3", "sweep"].map((by) => buryDead(deps(by))));
		expect(all.toSorted((x, y) => y.nodes - x.nodes)).toEqual([
			{ nodes: 1, calls: 3 },
			{ nodes: 0, calls: 0 },
			{ nodes: 0, calls: 0 },
		]);
		expect([removed, deleted]).toEqual([["a of room"], ["http://queue/dead"]]);
		const ended = await calls.getCall("SCL_a");
		expect(ended).toMatchObject({ state: "ended", endedAt: now, end: NODE_DIED });
		expect(ended && explainEnd(ended)?.cause).toBe("node-lost");
		expect(await stateOf("other")).toBe("active");
		expect(await buryDead(deps("ND_3"))).toEqual({ nodes: 0, calls: 0 });
	});

	it("a room server that is down leaves no call alive; a table that is, is tried again after the burier's time", async () => {
		await call("a", {});
		now += NODE_DEAD_AFTER_MS;
		const down = { getCall: (id: string) => calls.getCall(id), endCall: () => Promise.reject(new Error("no table")) };
		expect(await buryDead(deps("ND_2", { calls: down }))).toEqual({ nodes: 0, calls: 0 });
		expect(await buryDead(deps("ND_3"))).toEqual({ nodes: 0, calls: 0 });
		now += NODE_BURIAL_MS;
		const noRooms = { removeFromRoom: () => Promise.reject(new Error("no rooms")) };
		expect(await buryDead(deps("ND_3", noRooms))).toEqual({ nodes: 1, calls: 1 });
	});

	it("a call that another has buried meanwhile is left alone, as its participant's identity may be a new call's by now", async () => {
		await call("a", {});
		now += NODE_DEAD_AFTER_MS;
		const late = async (): Promise<CallRecord[]> => {
			const page = await calls.liveCallsOf("ND_dead", 100);
			for (const { callId } of page) await calls.endCall(callId, now, NODE_DIED);
			return page;
		};
		let looks = 0;
		const owned = { liveCallsOf: async () => (looks++ === 0 ? late() : []) };
		expect(await buryDead(deps("ND_2", { owned }))).toEqual({ nodes: 1, calls: 0 });
		expect(removed).toEqual([]);
	});

	it("more calls than a page, each once", async () => {
		for (let i = 0; i < 250; i++) await call(`n${i}`, { direction: "inbound" });
		now += NODE_DEAD_AFTER_MS;
		expect(await buryDead(deps("ND_2"))).toEqual({ nodes: 1, calls: 250 });
		expect(new Set(removed).size).toBe(250);
		expect(removed).toHaveLength(250);
	});

	it("a call that it had only claimed is left for the node that the queue gives it to next, and ended when none comes", async () => {
		await call("a", { state: "claimed", leaseUntil: START + 15_000 });
		await call("b", { state: "joining", leaseUntil: START + 15_000 });
		now += NODE_DEAD_AFTER_MS;
		expect(await buryDead(deps("ND_2"))).toEqual({ nodes: 0, calls: 0 });
		await calls.claimCall("SCL_a", "ND_2", now, now + 15_000);
		now += 60_000;
		expect(await buryDead(deps("ND_2"))).toEqual({ nodes: 1, calls: 1 });
		expect([await stateOf("a"), await stateOf("b")]).toEqual(["claimed", "ended"]);
	});

	it("the task that ECS says has stopped is buried at once", async () => {
		await call("a", {});
		expect(await buryDead(deps("sweep"), (task) => task === "arn:task/2")).toEqual({ nodes: 0, calls: 0 });
		expect(await buryDead(deps("sweep"), (task) => task === "arn:task/1")).toEqual({ nodes: 1, calls: 1 });
	});
});

it("calls that nobody may claim any more are ended", async () => {
	await calls.createCall(callRecord({ callId: "SCL_old", createdAt: START - 600_000 }));
	await calls.createCall(callRecord({ callId: "SCL_new", createdAt: START }));
	const log = captureLogs();
	expect(await endUnclaimed({ owned: calls, calls, now: () => now, log })).toBe(1);
	expect(log.logs.map(({ fields }) => fields["callId"])).toHaveLength(1);
	expect([await stateOf("old"), await stateOf("new")]).toEqual(["ended", "queued"]);
});

describe("calls of a node that lives and does not have them", () => {
	const look = (before: ReadonlySet<string> | "all") =>
		endStrays(deps("ND_dead"), { nodeId: "ND_dead", has: (callId) => callId === "SCL_here", calls: 1 }, before);

	it("are ended at the second look, and those that it has are not", async () => {
		await call("here", {});
		await call("gone", {});
		await call("other", { owner: "ND_2" });
		// The answer to its claim was lost: its request comes again.
		await call("again", { state: "claimed", leaseUntil: START + 15_000 });
		const first = await look(new Set());
		expect(first).toEqual(new Set(["SCL_gone"]));
		await call("late", {});
		expect(await look(first)).toEqual(new Set(["SCL_late"]));
		expect(await Promise.all(["here", "gone", "late", "other", "again"].map(stateOf))).toEqual([
			"active",
			"ended",
			"active",
			"active",
			"claimed",
		]);
		expect((await calls.getCall("SCL_gone"))?.end).toMatchObject({ by: "node", reason: "internal-error" });
	});

	it("are ended at once, all of them, by a node that goes", async () => {
		for (let i = 0; i < 250; i++) await call(`n${i}`, {});
		await look("all");
		expect(await calls.liveCallsOf("ND_dead", 1_000)).toEqual([]);
	});

	it("a table that takes nothing is the caller's to know", async () => {
		await call("gone", {});
		calls.endCall = () => Promise.reject(new Error("throttled"));
		await expect(look("all")).rejects.toThrow("throttled");
	});
});
