import { describe, expect, it } from "vitest";
import { TrunkLimits } from "./trunk-limits.ts";

const offer = (
	limits: TrunkLimits,
	count: number,
	settings: { concurrentCalls?: number; callsPerSecond?: number },
	now: number,
	from = 0,
) =>
	Array.from({ length: count }, (_, i) => limits.admit("ST_1", `SCL_${now}_${from + i}`, settings, now)).filter(
		(refusal) => refusal === undefined,
	).length;

describe("limits of a trunk", () => {
	it("calls at a time: exact, and a call that is over makes room", () => {
		const limits = new TrunkLimits();
		expect(offer(limits, 10, { concurrentCalls: 3 }, 0)).toBe(3);
		expect(limits.admit("ST_1", "SCL_x", { concurrentCalls: 3 }, 0)).toEqual({
			message: expect.stringContaining("3 calls"),
			retryAfterSeconds: 5,
		});
		expect(limits.admit("ST_2", "SCL_y", { concurrentCalls: 3 }, 0)).toBeUndefined();
		limits.release("SCL_0_1");
		limits.release("SCL_0_1");
		expect(offer(limits, 10, { concurrentCalls: 3 }, 1)).toBe(1);
	});

	it("new calls a second: a second's worth at once, then evenly; Retry-After says when", () => {
		const limits = new TrunkLimits();
		expect(offer(limits, 50, { callsPerSecond: 10 }, 0)).toBe(10);
		expect(offer(limits, 50, { callsPerSecond: 10 }, 500)).toBe(5);
		expect(offer(limits, 50, { callsPerSecond: 10 }, 10_000)).toBe(10);
		expect(limits.admit("ST_1", "SCL_x", { callsPerSecond: 10 }, 10_000)?.retryAfterSeconds).toBe(1);
		const slow = new TrunkLimits();
		expect(offer(slow, 5, { callsPerSecond: 0.1 }, 0)).toBe(1);
		expect(slow.admit("ST_1", "SCL_x", { callsPerSecond: 0.1 }, 0)?.retryAfterSeconds).toBe(10);
		expect(offer(slow, 5, { callsPerSecond: 0.1 }, 10_000)).toBe(1);
	});

	it("the same call takes one slot; no limits cost nothing; nothing is kept of trunks without calls", () => {
		const limits = new TrunkLimits();
		expect(limits.admit("ST_1", "SCL_1", { concurrentCalls: 1 }, 0)).toBeUndefined();
		expect(limits.admit("ST_1", "SCL_1", { concurrentCalls: 1 }, 0)).toBeUndefined();
		expect(limits.admit("ST_9", "SCL_9", undefined, 0)).toBeUndefined();
		expect(limits.size).toBe(1);
		limits.release("SCL_1");
		limits.admit("ST_2", "SCL_2", { concurrentCalls: 1 }, 5_000);
		expect(limits.size).toBe(1);
	});
});
