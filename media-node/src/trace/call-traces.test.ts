import type { CallTrace } from "@trunkline/contracts";
import type { Address } from "@trunkline/sip";
import { callRecord, captureLogs, MemoryCallStore, SimClock } from "@trunkline/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { CallTraces } from "./call-traces.ts";

const peer: Address = { host: "198.51.100.7", port: 5060, transport: "UDP" };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const invite = (callId: string, extra = ""): Uint8Array => bytes(`INVITE sip:a@b SIP/2.0\r\nCall-ID: ${callId}\r\n${extra}\r\n`);
const bye = (callId: string): Uint8Array => bytes(`BYE sip:a@b SIP/2.0\r\ni: ${callId}\r\n\r\n`);

let clock: SimClock;
let puts: CallTrace[];
let failing: boolean;
let traces: CallTraces;
const logs = captureLogs();

beforeEach(() => {
	clock = new SimClock();
	puts = [];
	failing = false;
	traces = new CallTraces({
		store: {
			putTrace: async (trace) => {
				if (failing) throw new Error("no store");
				puts.push(structuredClone(trace));
			},
			getTrace: async () => undefined,
		},
		retentionMs: 86_400_000,
		numbersMasked: false,
		localOf: () => ({ host: "192.0.2.1", port: 5060 }),
		now: () => clock.now(),
		after: (ms, callback) => clock.wakeAt(clock.now() + ms, callback),
		log: logs,
	});
});

const store = () => traces.watch(new MemoryCallStore({ now: () => clock.now() }));
const inbound = (callId: string, sipCallId: string, over = {}) =>
	callRecord({ callId, createdAt: clock.now(), direction: "inbound", state: "received", sipCallId, trunkId: "ST_1", ...over });

/** The simulated time goes on, and what it began comes to its end. */
async function pass(ms: number): Promise<void> {
	clock.runFor(ms);
	for (let turn = 0; turn < 10; turn++) await Promise.resolve();
	await new Promise((resolve) => setImmediate(resolve));
}

describe("CallTraces", () => {
	it("gives what came before the record to its call, and puts it into the store a second later, again when more comes", async () => {
		traces.observe("received", invite("one"), peer);
		await store().createCall(inbound("SCL_1", "one"));
		traces.observe("sent", bytes("SIP/2.0 100 Trying\r\nCall-ID: one\r\n\r\n"), peer);
		expect(puts).toEqual([]);
		await pass(1_000);
		expect(puts).toHaveLength(1);
		expect(puts[0]).toMatchObject({ callId: "SCL_1", dropped: 0, numbersMasked: false });
		expect(puts[0]?.messages.map(({ direction, bytes: size }) => [direction, size])).toEqual([
			["received", 40],
			["sent", 36],
		]);
		await pass(10_000);
		expect(puts).toHaveLength(1);
		traces.observe("received", bye("one"), peer);
		await pass(1_000);
		expect(puts[1]?.messages).toHaveLength(3);
	});

	it("masks secrets before anything is kept", async () => {
		traces.observe("received", invite("one", 'Authorization: Digest response="abcdef"\r\n'), peer);
		await store().createCall(inbound("SCL_1", "one"));
		await pass(1_000);
		expect(puts[0]?.messages[0]?.text).toContain('response="xxxxxx"');
	});

	it("knows a call of ours by its own id, and another Call-ID that takes it over", async () => {
		const calls = store();
		await calls.createCall(callRecord({ callId: "SCL_2", createdAt: clock.now(), state: "queued", sipCallId: "" }));
		traces.observe("sent", invite("SCL_2"), peer);
		await calls.transitionCall("SCL_2", { from: ["queued"], to: "active", at: 1, event: "replaced", patch: { sipCallId: "other" } });
		traces.observe("received", bye("other"), peer);
		await pass(1_000);
		expect(puts.at(-1)?.messages.map(({ text }) => text.slice(0, 3))).toEqual(["INV", "BYE"]);
	});

	it("keeps nothing of what is no call's", async () => {
		traces.observe("received", bytes("REGISTER sip:b SIP/2.0\r\nCall-ID: reg\r\n\r\n"), peer);
		traces.observe("received", bytes("\r\n\r\n"), peer);
		await store().createCall(inbound("SCL_3", "reg"));
		await traces.close();
		expect(puts).toEqual([]);
	});

	it("an INVITE that no call comes of is forgotten within a minute", async () => {
		traces.observe("received", invite("pinned"), peer);
		await pass(20_000);
		traces.observe("received", invite("later"), peer);
		await pass(15_000);
		const calls = store();
		await calls.createCall(inbound("SCL_p", "pinned"));
		await calls.createCall(inbound("SCL_l", "later"));
		await pass(1_000);
		expect(puts.map(({ callId }) => callId)).toEqual(["SCL_l"]);
	});

	it("a call keeps so much, and counts the rest", async () => {
		traces.observe("received", invite("one"), peer);
		await store().createCall(inbound("SCL_1", "one"));
		for (let i = 0; i < 400; i++) traces.observe("received", bye("one"), peer);
		traces.observe("received", bytes(`BYE sip:a@b SIP/2.0\r\nCall-ID: one\r\n\r\n${"y".repeat(60_000)}`), peer);
		await pass(1_000);
		expect(puts[0]?.messages).toHaveLength(300);
		expect(puts[0]?.dropped).toBe(102);
	});

	it("cuts a message that is too long, and says how long it was", async () => {
		traces.observe("received", invite("one", `X: ${"y".repeat(60_000)}\r\n`), peer);
		await store().createCall(inbound("SCL_1", "one"));
		await pass(1_000);
		expect(puts[0]?.messages[0]).toMatchObject({ bytes: 60_045 });
		expect(puts[0]?.messages[0]?.text).toHaveLength(16 * 1024);
	});

	it("a flood of strangers fills no store, and takes no room from calls of trunks", async () => {
		const calls = store();
		for (let i = 0; i < 500; i++) {
			traces.observe("received", invite(`flood-${i}`), peer);
			await calls.createCall(inbound(`SCL_f${i}`, `flood-${i}`, { state: "ended", endedAt: clock.now(), trunkId: "" }));
		}
		traces.observe("received", invite("one"), peer);
		await calls.createCall(inbound("SCL_1", "one"));
		await pass(1_000);
		expect(puts.filter(({ callId }) => callId.startsWith("SCL_f"))).toHaveLength(60);
		expect(puts.map(({ callId }) => callId)).toContain("SCL_1");
	});

	it("the last retransmissions of a call that is over are its own; later its Call-ID is nobody's", async () => {
		const calls = store();
		traces.observe("received", invite("one"), peer);
		await calls.createCall(inbound("SCL_1", "one"));
		await calls.endCall("SCL_1", clock.now(), { by: "peer", reason: "hangup" });
		traces.observe("received", bye("one"), peer);
		await pass(33_000);
		expect(puts.at(-1)?.messages).toHaveLength(2);
		const before = puts.length;
		traces.observe("received", bye("one"), peer);
		await pass(5_000);
		expect(puts).toHaveLength(before);
	});

	it("a store that fails is logged, and nothing else", async () => {
		failing = true;
		traces.observe("received", invite("one"), peer);
		await store().createCall(inbound("SCL_1", "one"));
		await pass(1_000);
		await traces.close();
		expect(logs.text()).toContain("the call's trace could not be kept");
	});

	it("what is not in the store yet is put there at the end", async () => {
		traces.observe("received", invite("one"), peer);
		await store().createCall(inbound("SCL_1", "one"));
		await traces.close();
		expect(puts).toHaveLength(1);
	});
});
