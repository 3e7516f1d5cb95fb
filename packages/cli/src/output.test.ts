import { describe, expect, it } from "vitest";
import { clean, table } from "./output.ts";

describe("what strangers sent", () => {
	it.each([
		["escape sequences", "\u001b[2Ja\u009b31m", "?[2Ja?31m"],
		["line breaks", "a\r\nb\u2028c", "a??b?c"],
		["bidirectional text", "a\u202e05510\u2066b\u200f", "a?05510?b?"],
		["names in any language", "Jörg 田中 مريم", "Jörg 田中 مريم"],
	])("neither drives nor turns a terminal around: %s", (_what, text, shown) => {
		expect(clean(text)).toBe(shown);
		expect(table(["NAME"], [[text]], "")).toBe(`NAME\n${shown}`);
	});
});
