import { expect, it } from "vitest";
import { withAttributes } from "./attribute-headers.ts";

const map = { order: "X-Order", team: "X-Team", evil: "Via" };

it("headers that attributes give stand for those of the same name, as they are now", () => {
	const headers = [
		["X-Trunk", "yes"],
		["x-order", "as it was"],
	] as const;
	expect(withAttributes(headers, { order: "4711", team: "" }, map)).toEqual([
		["X-Trunk", "yes"],
		["X-Order", "4711"],
	]);
	expect(withAttributes(headers, {}, map)).toEqual(headers);
});

it("nothing that an attribute says adds a header of its own, or a line", () => {
	expect(withAttributes([], { evil: "SIP/2.0/UDP 203.0.113.9", order: "1\r\nX-Evil: 2" }, map)).toEqual([["X-Order", "1  X-Evil: 2"]]);
});
