import fc from "fast-check";
import { expect, it } from "vitest";
import { SortedIds } from "./sorted-ids.ts";

it("is a sorted set, also of many", () => {
	const steps = fc.array(fc.record({ id: fc.integer({ min: 0, max: 2000 }).map(String), remove: fc.boolean() }), {
		maxLength: 3000,
		size: "max",
	});
	fc.assert(
		fc.property(steps, fc.integer({ min: 0, max: 2000 }).map(String), fc.integer({ min: 1, max: 400 }), (sequence, after, limit) => {
			const ids = new SortedIds();
			const model = new Set<string>();
			for (const { id, remove } of sequence) {
				if (remove) ids.remove(id);
				else ids.add(id);
				if (remove) model.delete(id);
				else model.add(id);
			}
			const sorted = [...model].sort();
			expect(ids.after("", Infinity)).toEqual(sorted);
			expect(ids.after(after, limit)).toEqual(sorted.filter((id) => id > after).slice(0, limit));
		}),
		{ numRuns: 50 },
	);
});
