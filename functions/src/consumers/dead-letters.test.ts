import { callRecord, captureLogs, MemoryCallStore } from "@trunkline/testkit";
import { beforeEach, expect, it } from "vitest";
import { deadLetterConsumer } from "./dead-letters.ts";

const NOW = 1_700_000_000_000;
let calls: MemoryCallStore;

beforeEach(() => {
	calls = new MemoryCallStore({ now: () => NOW });
});

const letter = (messageId: string, callId: string) => ({ messageId, body: JSON.stringify({ version: 99, callId }) });
const consume = (...records: { messageId: string; body: string }[]) =>
	deadLetterConsumer({ calls, clock: () => NOW, log: captureLogs() })({ Records: records });

it("a call that nobody has taken is ended with its reason, once", async () => {
	await calls.createCall(callRecord({ callId: "SCL_1", createdAt: NOW }));
	for (const id of ["m1", "m2"]) expect(await consume(letter(id, "SCL_1"))).toEqual({ batchItemFailures: [] });
	const ended = await calls.getCall("SCL_1");
	expect(ended).toMatchObject({ state: "ended", endedAt: NOW, end: { by: "node", reason: "not-claimed" } });
	expect(ended?.timeline.filter(({ event }) => event === "ended")).toHaveLength(1);
});

it("a call that is being prepared is left until its node's lease is over; one that is dialled is its node's", async () => {
	await calls.createCall(callRecord({ callId: "SCL_1", createdAt: NOW, state: "claimed", owner: "ND_1", leaseUntil: NOW + 1 }));
	await calls.createCall(callRecord({ callId: "SCL_2", createdAt: NOW, state: "joining", owner: "ND_1", leaseUntil: NOW }));
	await calls.createCall(callRecord({ callId: "SCL_3", createdAt: NOW, state: "dialing", owner: "ND_1", leaseUntil: NOW }));
	expect(await consume(letter("m1", "SCL_1"), letter("m2", "SCL_2"), letter("m3", "SCL_3"), letter("m4", "SCL_none"))).toEqual({
		batchItemFailures: [{ itemIdentifier: "m1" }],
	});
	const states = await Promise.all(["SCL_1", "SCL_2", "SCL_3"].map(async (id) => (await calls.getCall(id))?.state));
	expect(states).toEqual(["claimed", "ended", "dialing"]);
});

it("what is no message is left for people; so is what waits for a table that is down, with the call's id in the log", async () => {
	const unreadable = [
		{ messageId: "m1", body: "{" },
		{ messageId: "m2", body: "null" },
	];
	expect(await consume(...unreadable)).toEqual({ batchItemFailures: [{ itemIdentifier: "m1" }, { itemIdentifier: "m2" }] });
	calls.getCall = () => Promise.reject(new Error("down"));
	const log = captureLogs();
	expect(await deadLetterConsumer({ calls, clock: () => NOW, log })({ Records: [letter("m1", "SCL_1")] })).toEqual({
		batchItemFailures: [{ itemIdentifier: "m1" }],
	});
	expect(log.logs.map(({ fields }) => fields)).toMatchObject([{ callId: "SCL_1", messageId: "m1" }]);
});
