import { afterEach, expect, test, vi } from "vitest";
import { Ticker } from "./ticker.ts";

afterEach(() => {
	vi.useRealTimers();
});

test("one tick that throws is called no more, and the others go on", async () => {
	vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
	const thrown: unknown[] = [];
	const listeners = process.listeners("uncaughtException");
	process.removeAllListeners("uncaughtException").on("uncaughtException", (error) => thrown.push(error));
	try {
		const ticker = new Ticker();
		const calls = [0, 0, 0, 0, 0];
		const stops = calls.map((_, i) =>
			ticker.subscribe(() => {
				calls[i] = (calls[i] ?? 0) + 1;
				if (i === 0 && calls[i] === 3) throw new Error("on purpose");
			}),
		);
		await vi.advanceTimersByTimeAsync(1_000);
		for (const stop of stops) stop();
		await vi.advanceTimersByTimeAsync(1_000);
		// what is thrown in a microtask comes out at the end of it
		await new Promise((resolve) => setImmediate(resolve));
		expect(calls[0]).toBe(3);
		for (const count of calls.slice(1)) expect(Math.abs(count - 50)).toBeLessThanOrEqual(1);
		expect(thrown).toEqual([expect.objectContaining({ message: "on purpose" })]);
		expect(vi.getTimerCount()).toBe(0);
	} finally {
		process.removeAllListeners("uncaughtException");
		for (const listener of listeners) process.on("uncaughtException", listener);
	}
});

test("frames that come 20 ms late or more are counted, those of a longer pause too", () => {
	let now = 0;
	let due: { run: () => void; at: number } | undefined;
	vi.spyOn(performance, "now").mockImplementation(() => now);
	vi.spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms: number) => {
		due = { run, at: now + ms };
		return 0;
	}) as unknown as typeof setTimeout);
	const next = (lateMs: number): void => {
		now = (due?.at ?? now) + lateMs;
		due?.run();
	};
	const ticker = new Ticker();
	const stops = [0, 1, 2, 3, 4, 5, 6, 7].map(() => ticker.subscribe(() => {}));
	for (let i = 0; i < 8; i++) next(0);
	expect(ticker.lateFrames).toBe(0);
	next(19.9);
	expect(ticker.lateFrames, "late, but by less than a frame").toBe(0);
	next(25);
	// the steps of 25 and 20 ms ago, two calls each
	expect(ticker.lateFrames).toBe(4);
	next(300);
	// nothing is made up for: 15 frames of eight calls
	expect(ticker.lateFrames).toBe(4 + 15 * 8);
	for (const stop of stops) stop();
	vi.restoreAllMocks();
});
