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
