import type { CallEvent, CallEventType } from "@trunkline/contracts";
import { callEvents } from "@trunkline/domain";
import { callRecord, captureLogs, MemoryCallStore, MemoryWebhookStore } from "@trunkline/testkit";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { busSink, EventDeliverer, type EventSink, webhookSinks } from "./event-delivery.ts";

const START = 1_900_000_000_000;
let now: number;
let store: MemoryCallStore;
let log: ReturnType<typeof captureLogs>;

class Receiver implements EventSink {
	readonly id: string;
	readonly got: CallEvent[] = [];
	up = true;
	/** fails once this many more were taken */
	failsAfter = Infinity;
	readonly #types: readonly CallEventType[] | undefined;

	constructor(id: string, types?: readonly CallEventType[]) {
		this.id = id;
		this.#types = types;
	}

	wants(type: CallEventType): boolean {
		return this.#types?.includes(type) ?? true;
	}

	async send(event: CallEvent): Promise<void> {
		if (!this.up || this.failsAfter <= 0) throw new Error("down");
		this.failsAfter--;
		this.got.push(event);
	}

	get types(): string[] {
		return this.got.map(({ event }) => event);
	}
}

const deliverer = (sinks: EventSink[]): EventDeliverer =>
	new EventDeliverer({ outbox: store, sinks: async () => sinks, clock: () => now, log: log as never });

async function wholeCall(callId = "SCL_1"): Promise<void> {
	await store.createCall(
		callRecord({
			callId,
			createdAt: now,
			direction: "inbound",
			state: "received",
			owner: "ND",
			timeline: [{ at: now, event: "received" }],
		}),
	);
	await store.transitionCall(callId, { from: ["received"], to: "ringing", at: now, event: "joined-room" });
	await store.transitionCall(callId, { from: ["ringing"], to: "active", at: now, event: "answered", patch: { answeredAt: now } });
	await store.endCall(callId, now, { by: "peer", reason: "hangup" });
}
const ALL = ["call.started", "call.ringing", "call.answered", "call.ended"];

beforeEach(() => {
	now = START;
	store = new MemoryCallStore({ now: () => now });
	log = captureLogs();
});

describe("EventDeliverer", () => {
	it("brings each event once, in order, and then has nothing to do", async () => {
		const receiver = new Receiver("a");
		await wholeCall();
		expect(await deliverer([receiver]).deliverCall("SCL_1")).toBe(true);
		expect(receiver.types).toEqual(ALL);
		expect(await deliverer([receiver]).deliverCall("SCL_1")).toBe(false);
		expect(await deliverer([receiver]).deliverDue()).toBe(false);
		expect(receiver.got).toHaveLength(4);
	});

	it("keeps what a receiver does not take, in order, until it is back", async () => {
		const receiver = new Receiver("a");
		const events = deliverer([receiver]);
		receiver.failsAfter = 1;
		await wholeCall();
		await events.deliverDue();
		expect(receiver.types).toEqual(["call.started"]);
		await events.deliverDue();
		now += 999;
		await events.deliverDue();
		expect(receiver.types).toEqual(["call.started"]);
		receiver.failsAfter = Infinity;
		now += 1;
		await events.deliverDue();
		expect(receiver.types).toEqual(ALL);
		expect(log.logs.filter(({ level }) => level === "warn")).toHaveLength(1);
	});

	it("waits longer after each failure, five minutes at most", async () => {
		const receiver = new Receiver("a");
		receiver.up = false;
		const events = deliverer([receiver]);
		await wholeCall();
		const attempts: number[] = [];
		for (let seconds = 0; seconds <= 2000; seconds++) {
			now = START + seconds * 1000;
			const before = log.logs.length;
			await events.deliverDue();
			if (log.logs.length > before) attempts.push(seconds);
		}
		expect(attempts.slice(0, 12)).toEqual([0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111]);
	});

	it("a receiver that is down holds up no other one", async () => {
		const [up, down] = [new Receiver("up"), new Receiver("down")];
		down.up = false;
		const events = deliverer([up, down]);
		await wholeCall("SCL_1");
		await events.deliverDue();
		expect(up.types).toEqual(ALL);
		down.up = true;
		now += 1000;
		await events.deliverDue();
		expect(down.types).toEqual(ALL);
		expect(up.got).toHaveLength(4);
	});

	it("what happens later comes at once to who is up, and after the rest to who was down", async () => {
		const [up, down] = [new Receiver("up"), new Receiver("down")];
		const events = deliverer([up, down]);
		down.up = false;
		await store.createCall(callRecord({ callId: "SCL_1", createdAt: now }));
		await events.deliverDue();
		now += 10;
		await store.endCall("SCL_1", now, { by: "api", reason: "cancelled" });
		await events.deliverDue();
		expect(up.types).toEqual(["call.started", "call.ended"]);
		down.up = true;
		now += 1000;
		await events.deliverDue();
		expect(down.types).toEqual(["call.started", "call.ended"]);
	});

	it("a deliverer that died is replaced, and nothing is lost", async () => {
		const receiver = new Receiver("a");
		await wholeCall();
		// the one that dies
		await store.claimEvents("SCL_1", now, now + 60_000);
		expect(await deliverer([receiver]).deliverCall("SCL_1")).toBe(false);
		now += 60_000;
		await deliverer([receiver]).deliverDue();
		expect(receiver.types).toEqual(ALL);
	});

	it("without receivers nothing is kept", async () => {
		await wholeCall();
		await deliverer([]).deliverDue();
		expect(await store.dueCalls(now + 1e9, 10)).toEqual([]);
	});

	it("is tried again when the receivers cannot be read", async () => {
		await wholeCall();
		let broken = true;
		const receiver = new Receiver("a");
		const events = new EventDeliverer({
			outbox: store,
			sinks: async () => {
				if (broken) throw new Error("no table");
				return [receiver];
			},
			clock: () => now,
			log: log as never,
		});
		await events.deliverDue();
		broken = false;
		now += 1000;
		await events.deliverDue();
		expect(receiver.types).toEqual(ALL);
	});

	it("gives up after three days, says so, and goes on", async () => {
		const receiver = new Receiver("a");
		receiver.up = false;
		const events = deliverer([receiver]);
		await store.createCall(callRecord({ callId: "SCL_1", createdAt: now, expiresAtSeconds: START / 1000 + 10 * 86_400 }));
		await events.deliverDue();
		now += 72 * 3_600_000 + 1;
		await events.deliverDue();
		expect(log.logs.at(-1)).toMatchObject({ level: "error", fields: { event: "call.started", callId: "SCL_1" } });
		receiver.up = true;
		await store.endCall("SCL_1", now, { by: "api", reason: "cancelled" });
		await events.deliverDue();
		expect(receiver.types).toEqual(["call.ended"]);
	});

	it("two deliverers at a time, a receiver that comes and goes, a call that goes on: each event at least once, in order", async () => {
		const step = fc.constantFrom("write", "deliver", "both", "up", "down", "wait");
		await fc.assert(
			fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
				now = START;
				store = new MemoryCallStore({ now: () => now });
				const receiver = new Receiver("a");
				const events = deliverer([receiver]);
				await store.createCall(callRecord({ callId: "SCL_1", createdAt: now, expiresAtSeconds: 3_000_000_000 }));
				for (const one of steps) {
					if (one === "write") await store.transitionCall("SCL_1", { from: ["queued"], to: "queued", at: now, event: "dtmf", detail: "1" });
					if (one === "deliver") await events.deliverDue();
					if (one === "both") await Promise.all([events.deliverDue(), events.deliverCall("SCL_1")]);
					if (one === "up" || one === "down") receiver.up = one === "up";
					if (one === "wait") now += 700;
				}
				receiver.up = true;
				now += 300_000;
				while (await events.deliverDue());
				const record = await store.getCall("SCL_1");
				if (record === undefined) throw new Error("the call is gone");
				expect(receiver.got.map(({ id }) => id)).toEqual(callEvents(record, 0).map(({ id }) => id));
			}),
		);
	});
});

describe("webhookSinks", () => {
	it("are the project's webhooks, signed with its key, without digits unless asked for", async () => {
		const webhooks = new MemoryWebhookStore();
		await webhooks.putWebhooks("p", { webhooks: [{ url: "https://a.example/" }, { url: "https://b.example/", events: ["call.dtmf"] }] });
		const sent: unknown[] = [];
		const sinksOf = webhookSinks({
			webhooks,
			sender: { send: async (...parameters) => void sent.push(parameters) },
			key: (projectId) => (projectId === "p" ? { apiKey: "k", secret: "s" } : undefined),
		});
		const [a, b] = await sinksOf("p");
		expect(await sinksOf("q")).toEqual([]);
		expect([a, b].map((sink) => [sink?.wants("call.ended"), sink?.wants("call.dtmf")])).toEqual([
			[true, false],
			[false, true],
		]);
		expect(a?.id).toMatch(/^webhook-[0-9a-f]{16}$/);
		expect(a?.id).not.toBe(b?.id);
		expect((await sinksOf("p"))[0]?.id).toBe(a?.id);
		const [event] = callEvents(callRecord({ callId: "SCL_1", createdAt: now }), 0) as [CallEvent];
		await a?.send(event);
		expect(sent).toEqual([["https://a.example/", JSON.stringify(event), { apiKey: "k", secret: "s" }]]);
	});

	it("a bus gets everything but digits", async () => {
		const put: CallEvent[] = [];
		const sink = busSink({ put: async (event) => void put.push(event) });
		expect([sink.wants("call.started"), sink.wants("call.dtmf")]).toEqual([true, false]);
		const [event] = callEvents(callRecord({ callId: "SCL_1", createdAt: now }), 0) as [CallEvent];
		await sink.send(event);
		expect(put).toEqual([event]);
	});
});
