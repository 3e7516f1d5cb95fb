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
