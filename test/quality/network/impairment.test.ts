import { expect, it } from "vitest";
import { arrivals, CONDITIONS } from "./impairment.ts";

const COUNT = 20_000;

it.each(CONDITIONS)("$name: as much of everything as it says, and the same again for the same seed", (condition) => {
	const { loss, jitterMs, driftPpm } = condition;
	const all = arrivals(COUNT, 20, condition, 3);
	expect(all).toEqual(arrivals(COUNT, 20, condition, 3));
	expect(1 - all.length / COUNT).toBeCloseTo(loss, 2);
	const late = all.map(({ index, at }) => at - index * 20 * (1 - driftPpm / 1e6));
	expect(late.reduce((most, each) => Math.max(most, each), 0)).toBeCloseTo(jitterMs, 0);
	expect(late.reduce((least, each) => Math.min(least, each), 1_000)).toBeCloseTo(0, 0);
	for (let i = 1; i < all.length; i++) expect((all[i]?.at ?? 0) - (all[i - 1]?.at ?? 0)).toBeGreaterThanOrEqual(0);
	const { index = 0, at = 0 } = all.at(-1) ?? {};
	expect(Math.abs(at - index * 20 - (index * 20 * -driftPpm) / 1e6)).toBeLessThanOrEqual(jitterMs + 1e-6);
});
