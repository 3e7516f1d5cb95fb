import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RateLimiter } from "./rate-limit.ts";

describe("RateLimiter", () => {
	it("lets a burst through, then the rate, each key on its own", () => {
		const limiter = new RateLimiter({ perSecond: 10, burst: 3 });
		expect([0, 0, 0, 0].map((at) => limiter.take("a", at))).toEqual([0, 0, 0, 100]);
		expect(limiter.take("b", 0)).toBe(0);
		expect(limiter.take("a", 60)).toBe(40);
		expect(limiter.take("a", 100)).toBe(0);
		expect(limiter.take("a", 100)).toBe(100);
		expect([60_000, 60_000, 60_000, 60_000].map((at) => limiter.take("a", at))).toEqual([0, 0, 0, 100]);
	});

	it("never lets more than burst + rate × time through, and a client that waits as told always through", () => {
		fc.assert(
			fc.property(fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 100 }), (gaps) => {
				const limiter = new RateLimiter({ perSecond: 7, burst: 5 });
				let now = 0;
				let passed = 0;
				for (const gap of gaps) {
					now += gap;
					if (limiter.take("k", now) === 0) passed++;
				}
				expect(passed).toBeLessThanOrEqual(5 + (7 * now) / 1000);
				const wait = limiter.take("k", now);
				if (wait > 0) expect(limiter.take("k", now + wait)).toBe(0);
			}),
		);
	});

	it("forgets who paused the longest when there are too many keys", () => {
		const limiter = new RateLimiter({ perSecond: 0.001, burst: 1 });
		for (let i = 0; i < 10_001; i++) limiter.take(`k${i}`, 0);
		expect(limiter.take("k0", 0)).toBe(0);
		expect(limiter.take("k10000", 0)).toBeGreaterThan(0);
	});

	it("a clock that goes back takes nothing away", () => {
		const limiter = new RateLimiter({ perSecond: 1, burst: 2 });
		expect(limiter.take("k", 1000)).toBe(0);
		expect(limiter.take("k", 0)).toBe(0);
	});
});
