import conditionParser from "dynalite/db/conditionParser.js";
import updateParser from "dynalite/db/updateParser.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { keeping } from "./known-expressions.ts";

const NAMES = { "#a": "first", "#b": "second", "#c": "first" };
const CONDITIONS = [
	"#a = :x",
	"#a = :x AND #b < :y",
	"attribute_not_exists(#a) OR (begins_with(#b, :x) AND NOT #a IN (:x, :y, :z))",
	"#a BETWEEN :x AND :y",
	"attribute_type(#a, :x)",
	"contains(#a.#b[3], :x) AND size(#b) > :y",
	"#a = #c",
	"#a = :x AND",
	"first = :x",
	"#missing = :x",
	"#a = :missing",
	"(#a = :x)",
	"((#a = :x))",
	"begins_with(#a, :x)",
	"status = :x",
];
const UPDATES = [
	"SET #a = :x",
	"SET #a = :x, #b = list_append(#b, :y) REMOVE third",
	"SET #a = if_not_exists(#a, :x) + :y ADD #b :z",
	"SET #a = :x, #c = :y",
	"DELETE #a :x",
	"SET #a = :x SET #b = :y",
];
const value = fc.oneof(
	fc.record({ S: fc.string({ maxLength: 3 }) }),
	fc.record({ S: fc.constantFrom("S", "N", "L") }),
	fc.record({ N: fc.integer({ min: -5, max: 5 }).map(String) }),
	fc.record({ BOOL: fc.boolean() }),
	fc.record({ L: fc.array(fc.record({ S: fc.string({ maxLength: 2 }) }), { maxLength: 2 }) }),
	fc.record({ SS: fc.constant(["a", "b"]) }),
);
const values = fc.record({ ":x": value, ":y": value, ":z": value });

/** What dynalite makes of it, and which placeholders it then takes for unused. */
function outcome(parser: dynalite.Parser, expression: string, attrVals: Record<string, dynalite.AttributeValue>) {
	const context = {
		attrNames: NAMES,
		attrVals,
		unusedAttrNames: Object.fromEntries(Object.keys(NAMES).map((name) => [name, true])),
		unusedAttrVals: Object.fromEntries(Object.keys(attrVals).map((name) => [name, true])),
		// as dynalite's own caller has them
		isReserved: (name: string) => name.toUpperCase() === "STATUS",
		compare: (_comparison: string, x: dynalite.AttributeValue, y: dynalite.AttributeValue) => JSON.stringify(x) > JSON.stringify(y),
	};
	let result: unknown;
	try {
		result = parser.parse(expression, { context });
	} catch (error) {
		result = { thrown: String(error) };
	}
	return { result, unused: [Object.keys(context.unusedAttrNames), Object.keys(context.unusedAttrVals)] };
}

describe.each([
	["conditions", conditionParser, CONDITIONS],
	["updates", updateParser, UPDATES],
] as const)("%s that are known", (_kind, original, expressions) => {
	it("mean what the parser says, whatever the values", () => {
		const known = { parse: keeping(original.parse) };
		fc.assert(
			fc.property(fc.constantFrom(...expressions), values, (expression, attrVals) => {
				const told = outcome(known, expression, attrVals);
				expect(told).toEqual(outcome(original, expression, attrVals));
				// what an operation does to it is not there the next time
				scribble(told.result);
			}),
			{ numRuns: 500 },
		);
	});
});

describe("an expression", () => {
	it("is parsed once for the same names and types of values", () => {
		let parsed = 0;
		const known = keeping((expression, options) => {
			parsed += 1;
			return updateParser.parse(expression, options);
		});
		for (const S of ["one", "two", "three"]) outcome({ parse: known }, "SET #a = :x", { ":x": { S } });
		expect(parsed).toBe(1);
		outcome({ parse: known }, "SET #a = :x", { ":x": { N: "1" } });
		expect(parsed).toBe(2);
	});

	it("does not get a value of another request where one object stood for two", () => {
		const known = { parse: keeping(updateParser.parse) };
		const shared = { S: "same" };
		const expression = "SET #a = :x, #b = :y";
		outcome(known, expression, { ":x": shared, ":y": shared });
		const different = { ":x": { S: "one" }, ":y": { S: "two" } };
		expect(outcome(known, expression, different)).toEqual(outcome(updateParser, expression, different));
	});

	it("does not get the names of another request whose names only look alike when written one after the other", () => {
		const parse = keeping(conditionParser.parse);
		const namesIn = (first: string, second: string): string =>
			JSON.stringify(
				parse("attribute_exists(#a) AND attribute_exists(#b)", {
					context: { attrNames: { "#a": first, "#b": second }, attrVals: null, unusedAttrNames: {}, unusedAttrVals: {} },
				}),
			);
		expect(namesIn("p", "q\nr")).toContain('"p"');
		expect(namesIn("p\nq", "r")).not.toContain('"p"');
	});
});

function scribble(node: unknown): void {
	if (typeof node !== "object" || node === null) return;
	for (const member of Object.values(node)) scribble(member);
	if (Array.isArray(node)) node.push("scribbled");
	else if (!("S" in node || "N" in node || "BOOL" in node || "L" in node || "SS" in node))
		Object.assign(node, { type: "scribbled", val: "scribbled" });
}
