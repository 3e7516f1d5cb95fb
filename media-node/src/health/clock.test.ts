import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "./clock.ts";

const START = 1_700_000_000_000;
const DAY = 86_400_000;

beforeEach(() => {
	vi.useFakeTimers({ now: START, toFake: ["Date", "setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
	vi.useRealTimers();
});

describe("the node's clock", () => {
	it("counts whole ms since the epoch", () => {
		const { now } = systemClock();
		expect(now()).toBe(START);
		vi.advanceTimersByTime(1_234);
		expect(now()).toBe(START + 1_234);
	});

	it("a corrected system clock neither turns it back nor makes it jump", () => {
		const { now } = systemClock();
		vi.advanceTimersByTime(1_000);
		for (const corrected of [START - DAY, START + DAY]) {
			vi.setSystemTime(corrected);
			expect(now()).toBe(START + 1_000);
		}
	});

	it("calls back once, at the instant, and not when cancelled", () => {
		const { wakeAt } = systemClock();
		const woken: string[] = [];
		wakeAt(START + 100, () => woken.push("kept"));
		const cancel = wakeAt(START + 100, () => woken.push("cancelled"));
		cancel();
		vi.advanceTimersByTime(99);
		expect(woken).toEqual([]);
		vi.advanceTimersByTime(1_000);
		expect(woken).toEqual(["kept"]);
		cancel();
	});

	it.each([START - 1, START - 100 * DAY, START, Number.NEGATIVE_INFINITY])(
		"an instant that is past (%d): as soon as possible, never inside the call",
		(at) => {
			const { wakeAt } = systemClock();
			let woken = 0;
			wakeAt(at, () => woken++);
			expect(woken).toBe(0);
			vi.advanceTimersByTime(1);
			expect(woken).toBe(1);
		},
	);

	// setTimeout counts in 32 bits: 30 days would otherwise fire at once.
	it("an instant that is far: exactly then, and it can be cancelled on the way", () => {
		const { wakeAt } = systemClock();
		const woken: string[] = [];
		wakeAt(START + 60 * DAY, () => woken.push("kept"));
		const cancel = wakeAt(START + 60 * DAY, () => woken.push("cancelled"));
		vi.advanceTimersByTime(59 * DAY);
		cancel();
		vi.advanceTimersByTime(DAY - 1);
		expect(woken).toEqual([]);
		vi.advanceTimersByTime(1);
		expect(woken).toEqual(["kept"]);
	});

	it("never", () => {
		const { wakeAt } = systemClock();
		let woken = 0;
		const cancel = wakeAt(Number.POSITIVE_INFINITY, () => woken++);
		vi.advanceTimersByTime(365 * DAY);
		expect(woken).toBe(0);
		cancel();
		expect(vi.getTimerCount()).toBe(0);
	});
});
