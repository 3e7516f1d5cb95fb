import { callRecord, captureLogs, MemoryCallStore, SimClock } from "@trunkline/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { RecordWriter } from "./record-writer.ts";

const START = 1_900_000_000_000;
let store: MemoryCallStore;
let writer: RecordWriter;

beforeEach(async () => {
	store = new MemoryCallStore({ now: () => START });
	await store.createCall(callRecord({ callId: "SCL_1", createdAt: START, state: "active", owner: "ND_1", timeline: [] }));
	writer = new RecordWriter("SCL_1", "ND_1", store, new SimClock(START), captureLogs());
});

const digits = async (): Promise<unknown> => (await store.getCall("SCL_1"))?.timeline;

describe("digits", () => {
	it("are on the record, in order, when somebody wants them", async () => {
		for (const [i, digit] of [..."5#1"].entries()) writer.digit(START + i, digit, async () => true);
		writer.end(START + 9, { by: "peer", reason: "hangup" });
		await writer.settled();
		expect(await digits()).toEqual([
			{ at: START, event: "dtmf", detail: "5" },
			{ at: START + 1, event: "dtmf", detail: "#" },
			{ at: START + 2, event: "dtmf", detail: "1" },
			{ at: START + 9, event: "ended", detail: "hangup" },
		]);
	});

	it("are nowhere when nobody does, or when that cannot be found out", async () => {
		writer.digit(START, "1", async () => false);
		writer.digit(START, "2", () => Promise.reject(new Error("no table")));
		await writer.settled();
		expect(await digits()).toEqual([]);
	});

	it("are kept to a bounded number", async () => {
		for (let i = 0; i < 300; i++) writer.digit(START, "1", async () => true);
		await writer.settled();
		expect(await digits()).toHaveLength(200);
	});
});

describe("a call that another node has taken over", () => {
	beforeEach(async () => {
		await store.createCall(callRecord({ callId: "SCL_2", createdAt: START, state: "queued" }));
		await store.claimCall("SCL_2", "ND_1", START, START + 15_000);
		await store.claimCall("SCL_2", "ND_2", START + 15_000, START + 30_000);
	});

	it("is not ended by the one before, whose participant the room sends away", async () => {
		const late = new RecordWriter("SCL_2", "ND_1", store, new SimClock(START), captureLogs());
		late.end(START + 16_000, { by: "room", reason: "hangup", message: "another participant has its identity" });
		await late.settled();
		expect(await store.getCall("SCL_2")).toMatchObject({ state: "claimed", owner: "ND_2" });
	});
});

describe("a table that takes nothing for a while", () => {
	it.each([1, 2])("%i times: what was to be written is written all the same, in order, once", async (refusals) => {
		const clock = new SimClock(START);
		const own = new RecordWriter("SCL_1", "ND_1", store, clock, captureLogs());
		const write = store.transitionCall.bind(store);
		let left = refusals;
		store.transitionCall = (...given) => (left-- > 0 ? Promise.reject(new Error("throttled")) : write(...given));
		own.transition(["active"], "active", START, "held", undefined, { answeredAt: START });
		for (let i = 0; i < 10; i++) {
			clock.runFor(1_000);
			await new Promise(setImmediate);
		}
		own.end(START + 1, { by: "peer", reason: "hangup" });
		for (let i = 0; i < 20; i++) {
			clock.runFor(1_000);
			await new Promise(setImmediate);
		}
		await own.settled();
		expect(await store.getCall("SCL_1")).toMatchObject({ state: "ended", answeredAt: START, end: { reason: "hangup" } });
		expect((await store.getCall("SCL_1"))?.timeline.map(({ event }) => event)).toEqual(["held", "ended"]);
	});

	it("a call that comes in is written when the table is back", async () => {
		const clock = new SimClock(START);
		const own = new RecordWriter("SCL_3", "ND_1", store, clock, captureLogs());
		const create = store.createCall.bind(store);
		let left = 2;
		store.createCall = (...given) => (left-- > 0 ? Promise.reject(new Error("throttled")) : create(...given));
		own.create(callRecord({ callId: "SCL_3", createdAt: START, state: "received", direction: "inbound", owner: "ND_1" }));
		for (let i = 0; i < 20; i++) {
			clock.runFor(1_000);
			await new Promise(setImmediate);
		}
		await own.settled();
		expect(await store.getCall("SCL_3")).toMatchObject({ state: "received", owner: "ND_1" });
	});
});
