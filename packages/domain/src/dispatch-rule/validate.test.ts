import type { DispatchRule } from "@trunkline/contracts";
import { expect, test } from "vitest";
import { direct, dispatchRule } from "../samples.ts";
import { validateDispatchRule } from "./validate.ts";

test.each<[Partial<DispatchRule>, string]>([
	[{ rule: direct("") }, "missing room name"],
	[{ rule: direct("r", "12a4") }, "pin must have digits only"],
	[{ rule: direct("r", "1".repeat(17)) }, "pin must have at most 16 digits"],
	[{ rule: { type: "individual", roomPrefix: "a\nb", pin: "", noRandomness: false } }, "room_prefix must not contain control characters"],
	[{ trunkIds: [""] }, "empty element in trunk_ids"],
	[{ attributes: { "": "x".repeat(8193) } }, "attributes. is too long: 8193 characters, at most 8192 are allowed"],
])("%j is refused: %s", (over, message) => {
	expect(() => validateDispatchRule(dispatchRule(over))).toThrow(expect.objectContaining({ code: "invalid_argument", message }));
});

test.each<Partial<DispatchRule>>([
	{},
	{ rule: direct("r", "0042") },
	{ rule: { type: "individual", roomPrefix: "", pin: "", noRandomness: true } },
	{ rule: { type: "callee", roomPrefix: "call", pin: "1", randomize: true }, trunkIds: ["ST_unknown"], attributes: { a: "b" } },
])("%j passes", (over) => {
	expect(() => validateDispatchRule(dispatchRule(over))).not.toThrow();
});
