import type { CallRecord } from "@trunkline/contracts";
import type { CallStore, ClaimedEvents, EventDelivery, EventOutbox } from "@trunkline/domain";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { callRecord } from "../records.ts";

export interface EventOutboxUnderTest {
	/** of the same calls */
	store: CallStore;
	outbox: EventOutbox;
	close?: () => Promise<void>;
}

/** What every EventOutbox does for the calls of its store. `now` is the store's clock. */
export function eventOutboxContract(name: string, factory: (now: () => number) => Promise<EventOutboxUnderTest>): void {
	// Ahead of the machine's clock, so that a store that removes expired items by itself removes none of these.
	const start = Math.floor(Date.now() / 1000) * 1000 + 3_600_000;
	let now = start;
	let tested: EventOutboxUnderTest;
	let store: CallStore;
	let outbox: EventOutbox;
	let tests = 0;
	let callId = "";

	const create = async (): Promise<CallRecord> => {
		const call = callRecord({ callId, createdAt: now });
		expect(await store.createCall(call)).toBe(true);
		return call;
	};

	describe(`EventOutbox: ${name}`, () => {
		beforeAll(async () => {
			tested = await factory(() => now);
			({ store, outbox } = tested);
		}, 60_000);
		afterAll(() => tested.close?.());
		beforeEach(() => {
			now = start;
			callId = `SCL_${++tests}`;
		});
		const HOUR = 3_600_000;
		const isDue = async (at: number): Promise<boolean> => (await outbox.dueCalls(at, 1000)).includes(callId);
		const delivered = (count: number): Record<string, EventDelivery> => ({ hook: { delivered: count, attempts: 0, nextAt: 0 } });
		const claim = async (at: number, until = at + 1000): Promise<ClaimedEvents> => {
			const claimed = await outbox.claimEvents(callId, at, until);
			if (claimed === undefined) throw new Error("the events could not be claimed");
			return claimed;
		};

		it("has every written call until all is delivered", async () => {
			const call = await create();
			expect(await isDue(now - 1)).toBe(false);
			expect(await isDue(now)).toBe(true);
			const claimed = await claim(now);
			expect(claimed).toStrictEqual({ record: call, deliveries: {}, claim: expect.any(String) });
			expect(await outbox.settleEvents(claimed, delivered(1), undefined)).toBe(true);
			expect(await isDue(now + HOUR)).toBe(false);
			expect(await outbox.claimEvents(callId, now + HOUR, now + 2 * HOUR)).toBeUndefined();
			expect(await store.getCall(callId)).toStrictEqual(call);
			now += 5;
			await store.claimCall(callId, "ND_1", now, now + 1000);
			expect(await isDue(now)).toBe(true);
			expect(await claim(now)).toMatchObject({ deliveries: delivered(1), record: { state: "claimed" } });
		});

		it("every kind of write puts a call there", async () => {
			const settle = async () => outbox.settleEvents(await claim(now), delivered(1), undefined);
			await create();
			expect(await settle()).toBe(true);
			await store.transitionCall(callId, { from: ["queued"], to: "claimed", at: now, event: "claimed" });
			expect(await settle()).toBe(true);
			await store.endCall(callId, now, { by: "peer", reason: "hangup" });
			expect(await settle()).toBe(true);
			expect(await isDue(now + HOUR)).toBe(false);
		});

		it("the quality of a call that goes on is nobody's event, and in nobody's way", async () => {
			await create();
			await store.claimCall(callId, "ND_1", now, now + 1000);
			const claimed = await claim(now);
			expect(await store.noteQuality(callId, "ND_1", { codec: "PCMU" })).toBe(true);
			expect(await outbox.settleEvents(claimed, delivered(2), undefined)).toBe(true);
			expect(await store.noteQuality(callId, "ND_1", { codec: "PCMA" })).toBe(true);
			expect(await isDue(now + HOUR)).toBe(false);
		});

		it("one deliverer at a time, until its time is over", async () => {
			await create();
			const claims = await Promise.all(Array.from({ length: 10 }, () => outbox.claimEvents(callId, now, now + 1000)));
			const [first, ...others] = claims.filter((one) => one !== undefined);
			expect(others).toEqual([]);
			expect(await outbox.claimEvents(callId, now + 999, now + 2000)).toBeUndefined();
			const second = await claim(now + 1000, now + 2000);
			if (first === undefined) throw new Error("nobody got it");
			// the first one wakes up late
			expect(await outbox.settleEvents(first, delivered(1), undefined)).toBe(false);
			expect(await outbox.settleEvents(second, delivered(0), now + 5000)).toBe(true);
			expect(await outbox.claimEvents(callId, now + 5000, now + 9000)).toMatchObject({ deliveries: delivered(0) });
		});

		it("comes back when the deliverer said", async () => {
			await create();
			const failed = { hook: { delivered: 0, attempts: 1, nextAt: now + 2000 } };
			await outbox.settleEvents(await claim(now), failed, now + 2000);
			expect(await isDue(now + 1999)).toBe(false);
			// Somebody who is told of every write, this one included, must not do it all again at once.
			expect(await outbox.claimEvents(callId, now + 1999, now + 5000)).toBeUndefined();
			expect(await isDue(now + 2000)).toBe(true);
			expect((await claim(now + 2000)).deliveries).toEqual(failed);
		});

		it.each([undefined, 3_600_000])("what is written during a delivery is due at once after it (next in %s ms)", async (later) => {
			await create();
			const claimed = await claim(now, now + 60_000);
			await store.claimCall(callId, "ND_1", now, now + 1000);
			expect(await outbox.settleEvents(claimed, delivered(1), later === undefined ? undefined : now + later)).toBe(true);
			expect(await isDue(now)).toBe(true);
			const again = await claim(now);
			expect(again.record.timeline).toHaveLength(2);
			expect(again.deliveries).toEqual(delivered(1));
		});

		it("nobody has events of a call that is not there", async () => {
			expect(await outbox.claimEvents("SCL_none", now, now + 1)).toBeUndefined();
		});
	});
}
