import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sleep } from "./sleep.ts";

describe("sleep", () => {
	beforeEach(() => void vi.useFakeTimers());
	afterEach(() => void vi.useRealTimers());

	test("takes its time, less when aborted, none when it was before; leaves no timer", async () => {
		let awake = 0;
		const wake = () => void awake++;
		const abort = new AbortController();
		void sleep(100).then(wake);
		void sleep(500, abort.signal).then(wake);
		await vi.advanceTimersByTimeAsync(99);
		expect(awake).toBe(0);
		await vi.advanceTimersByTimeAsync(1);
		expect(awake).toBe(1);
		abort.abort();
		await vi.advanceTimersByTimeAsync(0);
		expect(awake).toBe(2);
		await sleep(500, abort.signal);
		expect(vi.getTimerCount()).toBe(0);
	});
});
