import type { DialMessage } from "@trunkline/contracts";
import type { DialQueue, Received } from "@trunkline/domain";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

export interface DialQueueUnderTest {
	/** its visibility time-out is one second */
	queue: DialQueue;
	/** puts any text into the queue */
	sendBody(body: string): Promise<void>;
	/** bodies that were dead-lettered */
	deadLetters(): Promise<string[]>;
	close?: () => Promise<void>;
}

/** What every DialQueue does; each test has a queue of its own. */
export function dialQueueContract(name: string, factory: () => Promise<DialQueueUnderTest>): void {
	let tested: DialQueueUnderTest;
	let queue: DialQueue;

	const dial = (callId: string): DialMessage => ({
		version: 1,
		type: "dial",
		projectId: "project",
		callId,
		region: "local",
		enqueuedAt: 1_700_000_000_000,
	});
	const callIds = (received: Received<DialMessage>[]): string[] => received.map(({ message }) => message.callId).sort();

	describe(`DialQueue: ${name}`, () => {
		beforeEach(async () => {
			tested = await factory();
			queue = tested.queue;
		}, 30_000);
		afterEach(() => tested.close?.());

		it("delivers what was sent, and no more of it once acknowledged", async () => {
			await queue.send(dial("SCL_1"));
			const [received] = await queue.receive(10, 0);
			expect(received?.message).toStrictEqual(dial("SCL_1"));
			await received?.ack();
			expect(await queue.receive(10, 1100)).toEqual([]);
		});

		it("refuses to send what is no dial message", async () => {
			await expect(queue.send({ ...dial("SCL_1"), callId: "no call" })).rejects.toThrow("callId");
			expect(await queue.receive(10, 0)).toEqual([]);
		});

		it("gives at most `max` at once, and each message to one receiver", async () => {
			for (const id of ["a", "b", "c", "d", "e"]) await queue.send(dial(`SCL_${id}`));
			expect((await queue.receive(2, 0)).length).toBeLessThanOrEqual(2);
			const rest = await Promise.all([queue.receive(10, 0), queue.receive(10, 0)]);
			expect(new Set(callIds(rest.flat())).size).toBe(rest.flat().length);
			expect(rest.flat().length).toBeLessThanOrEqual(3);
		});

		it("delivers again at once what was given back", async () => {
			await queue.send(dial("SCL_1"));
			const [first] = await queue.receive(1, 0);
			expect(await queue.receive(1, 0)).toEqual([]);
			await first?.release();
			expect(callIds(await queue.receive(1, 0))).toEqual(["SCL_1"]);
		});

		it("delivers again what nobody acknowledged in time", async () => {
			await queue.send(dial("SCL_1"));
			await queue.receive(1, 0);
			await expect.poll(async () => callIds(await queue.receive(1, 0)), { timeout: 5000, interval: 100 }).toEqual(["SCL_1"]);
		});

		it("wakes a waiting receiver as soon as there is work", async () => {
			const waiting = queue.receive(1, 10_000);
			const sent = performance.now();
			await queue.send(dial("SCL_1"));
			expect(callIds(await waiting)).toEqual(["SCL_1"]);
			expect(performance.now() - sent).toBeLessThan(2000);
		});

		it("stops waiting when it is told to", async () => {
			const stop = new AbortController();
			const waiting = queue.receive(1, 20_000, stop.signal);
			const asked = performance.now();
			setTimeout(() => stop.abort(), 20);
			expect(await waiting).toEqual([]);
			expect(performance.now() - asked).toBeLessThan(2000);
			expect(await queue.receive(1, 20_000, AbortSignal.abort())).toEqual([]);
		});

		it("dead-letters what it cannot read, and delivers the rest", async () => {
			const bad = ["not json", "{}", JSON.stringify({ ...dial("SCL_1"), version: 2 })];
			for (const body of bad) await tested.sendBody(body);
			await queue.send(dial("SCL_good"));
			const received: Received<DialMessage>[] = [];
			for (let i = 0; i < 4; i++) received.push(...(await queue.receive(10, 0)));
			expect(callIds(received)).toEqual(["SCL_good"]);
			await expect.poll(async () => (await tested.deadLetters()).sort(), { timeout: 5000 }).toEqual([...bad].sort());
		});
	});
}
