import { describe, expect, test } from "vitest";
import { pii } from "./pii.ts";

describe("pii", () => {
	test.each([
		["", ""],
		["+15550100", "***0100"],
		["+1 555-0100", "***0100"],
		["sip:+15550100@carrier.example", "***0100"],
		["<sip:+15550100@10.0.0.1:5060>;tag=1", "***0100"],
		["tel:+15550100", "***0100"],
		["lobby", "***"],
		["1234", "***"],
		["123456", "***56"],
		["sip_+15550100", "***0100"],
		["sip:10.0.0.1", "***.1"],
	])("%s → %s", (value, expected) => expect(pii(value)).toBe(expected));

	test("a key gives a stable hash that differs by value and by key", () => {
		expect(pii("+15550100", "k")).toMatch(/^\*\*\*0100#[0-9a-f]{8}$/);
		expect(pii("+15550100", "k")).toBe(pii("+15550100", "k"));
		expect(pii("+15550100", "k")).not.toBe(pii("+25550100", "k"));
		expect(pii("+15550100", "k")).not.toBe(pii("+15550100", "other"));
	});
});
