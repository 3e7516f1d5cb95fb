import { describe, expect, test } from "vitest";
import { applyListUpdate, applyMapDiff, type ListUpdate } from "./list-update.ts";
import { normalizeNumber } from "./number.ts";

const update = (over: Partial<ListUpdate>): ListUpdate => ({ set: [], add: [], remove: [], clear: false, ...over });
const of = (list: string[], over: Partial<ListUpdate>) => applyListUpdate("numbers", list, update(over));

describe("a list update", () => {
	test("that is not there changes nothing", () => expect(applyListUpdate("numbers", ["a", "a"], undefined)).toEqual(["a", "a"]));
	test.each<[Partial<ListUpdate>, string[]]>([
		[{ set: ["x", "y"] }, ["x", "y"]],
		[{ clear: true }, []],
		[{ add: ["c"] }, ["a", "b", "c"]],
		[{ add: ["b", "c", "c"] }, ["a", "b", "c"]],
		[{ remove: ["a", "z"] }, ["b"]],
		// remove first: what is named in both ends up at the end
		[{ remove: ["a"], add: ["a"] }, ["b", "a"]],
	])("%j", (over, result) => expect(of(["a", "b"], over)).toEqual(result));

	test.each<[Partial<ListUpdate>, string]>([
		[{}, "unsupported list update operation"],
		[{ clear: true, set: ["a"] }, "cannot clear and change the list at the same time"],
		[{ clear: true, add: ["a"] }, "cannot clear and change the list at the same time"],
		[{ clear: true, remove: ["a"] }, "cannot clear and change the list at the same time"],
		[{ set: ["a"], add: ["b"] }, "cannot set and change the list at the same time"],
		[{ set: ["a"], remove: ["b"] }, "cannot set and change the list at the same time"],
		[{ set: [""] }, "empty element in the list"],
		[{ add: ["a", ""] }, "empty element in the list"],
		[{ remove: [""] }, "empty element in the list"],
	])("%j is refused", (over, message) =>
		expect(() => of(["a"], over)).toThrow(expect.objectContaining({ code: "invalid_argument", message, meta: { field: "numbers" } })),
	);

	test("compares numbers however they are written", () => {
		const numbers = (over: Partial<ListUpdate>) => applyListUpdate("numbers", ["+1 (555) 0100", "desk"], update(over), normalizeNumber);
		expect(numbers({ add: ["15550100", "+1555-0101", "15550101"] })).toEqual(["+1 (555) 0100", "desk", "+1555-0101"]);
		expect(numbers({ remove: ["1-555-0100"] })).toEqual(["desk"]);
	});
});

test("a map diff: an empty value deletes, but only what it names", () => {
	expect(applyMapDiff({ a: "1", b: "2", empty: "" }, { a: "", b: "3", c: "4", d: "" })).toEqual({ b: "3", c: "4", empty: "" });
	expect(applyMapDiff({ a: "1" }, {})).toEqual({ a: "1" });
});
