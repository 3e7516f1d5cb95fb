import { expect, test } from "vitest";
import { FaultBudget } from "./faults.ts";

test("a fault now and then is allowed for ever", () => {
	const budget = new FaultBudget(3);
	for (let now = 0; now < 10_000_000; now += 20_000) expect(budget.allows(now)).toBe(true);
});

test("more than the limit within a minute is not", () => {
	const budget = new FaultBudget(3);
	expect([0, 10, 20, 59_999].map((now) => budget.allows(now))).toEqual([true, true, true, false]);
	expect(budget.allows(60_010), "the first two are a minute ago").toBe(true);
});
