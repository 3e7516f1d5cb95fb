import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { includesNumber, normalizeNumber } from "./number.ts";

describe("normalizeNumber", () => {
	test.each([
		["", ""],
		["15550100", "+15550100"],
		["+15550100", "+15550100"],
		["+1 (555) 010-0", "+15550100"],
		["00 44 20", "+004420"],
		["user", "user"],
		["user-1", "user-1"],
		["++1", "++1"],
		["1.2", "1.2"],
		["*", "*"],
	])("%j → %j", (given, expected) => expect(normalizeNumber(given)).toBe(expected));

	test("is idempotent", () => {
		fc.assert(
			fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\+?[\d\- ()]+$/)), (text) => {
				expect(normalizeNumber(normalizeNumber(text))).toBe(normalizeNumber(text));
			}),
		);
	});
});

test("numbers are found in a list however they are written", () => {
	expect(includesNumber(["1 555", "user"], "+1555")).toBe(true);
	expect(includesNumber(["1 555", "user"], "user")).toBe(true);
	expect(includesNumber(["1 555"], "+1556")).toBe(false);
	expect(includesNumber([], "")).toBe(false);
});
