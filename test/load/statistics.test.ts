import { describe, expect, test } from "vitest";
import { percentile, spread } from "./statistics.ts";

describe("percentiles by nearest rank", () => {
	const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
	test.each([
		[0, 1],
		[0.5, 50],
		[0.95, 95],
		[0.951, 96],
		[1, 100],
	])("%d of 1..100 is %d, whatever their order", (share, value) => {
		expect(percentile(hundred, share)).toBe(value);
	});
	test("of few values one of them, never something between", () => {
		expect(percentile([7], 0.95)).toBe(7);
		expect(percentile([10, 20, 30, 40], 0.5)).toBe(20);
		expect(percentile([9, 10], 0.5)).toBe(9);
	});
	test("numbers are compared as numbers", () => {
		expect(percentile([100, 9], 1)).toBe(100);
	});
	test("of nothing, nothing", () => {
		expect(percentile([], 0.5)).toBeUndefined();
		expect(spread([])).toBeUndefined();
	});
	test("a spread leaves its values as they are", () => {
		const values = [3, 1, 2];
		expect(spread(values)).toEqual({ count: 3, p50: 2, p95: 3, max: 3 });
		expect(values).toEqual([3, 1, 2]);
	});
});
