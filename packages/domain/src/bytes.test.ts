import * as fc from "fast-check";
import { expect, test } from "vitest";
import { hex, utf8 } from "./bytes.ts";

test("utf8 is TextEncoder's, lone surrogates included", () => {
	fc.assert(
		fc.property(fc.string({ unit: "binary" }), (text) => {
			expect(utf8(text)).toEqual(new TextEncoder().encode(text));
		}),
	);
	expect(utf8("a\ud800b")).toEqual(new TextEncoder().encode("a\ud800b"));
});

test("hex keeps leading zeros", () => expect(hex(Uint8Array.of(0, 10, 255))).toBe("000aff"));
