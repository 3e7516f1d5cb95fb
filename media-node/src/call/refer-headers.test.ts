import { expect, test } from "vitest";
import { referHeaders } from "./refer-headers.ts";

const from = {
	referredBy: "sip:+15550100@192.0.2.10",
	attributes: { order: "4711", empty: "" },
	attributesToHeaders: { order: "X-Order", empty: "X-Empty" },
};

test("target, referrer, the request's headers, mapped attributes", () => {
	expect(referHeaders({ transferTo: "tel:+1", headers: { "X-A": "b" } }, from)).toEqual({
		headers: [
			["Refer-To", "tel:+1"],
			["Referred-By", "<sip:+15550100@192.0.2.10>"],
			["X-A", "b"],
			["X-Order", "4711"],
		],
		refused: [],
	});
});

test("the request's own Referred-By and X-Order stand; no second target", () => {
	const headers = { "referred-by": "<sip:a@b>", "x-order": "1", "Refer-To": "tel:+1900", r: "tel:+1900" };
	expect(
		referHeaders(
			{ transferTo: "<sip:a@b>", headers },
			{ ...from, attributesToHeaders: { order: "X-Order", evil: "Refer-To" }, attributes: { order: "2", evil: "tel:+1900" } },
		),
	).toEqual({
		headers: [
			["Refer-To", "<sip:a@b>"],
			["referred-by", "<sip:a@b>"],
			["x-order", "1"],
		],
		refused: [],
	});
});

test("the provider's dialect: host and Diversion of Telnyx, unless the request has its own", () => {
	const dialect = { settings: { provider: "telnyx" } as const, peerHost: "192.76.120.10", ownNumber: "+15550100" };
	expect(referHeaders({ transferTo: "tel:+15550199", headers: {} }, { ...from, attributesToHeaders: {} }, dialect).headers).toEqual([
		["Refer-To", "<sip:+15550199@sip.telnyx.com>"],
		["Referred-By", "<sip:+15550100@192.0.2.10>"],
		["Diversion", "<sip:+15550100@sip.telnyx.com>"],
	]);
	const own = referHeaders({ transferTo: "tel:+15550199", headers: { diversion: "<sip:+1@a>" } }, from, dialect).headers ?? [];
	expect(own.filter(([name]) => name.toLowerCase() === "diversion")).toEqual([["diversion", "<sip:+1@a>"]]);
});

test("what cannot be written is left out, a target that cannot is none", () => {
	expect(referHeaders({ transferTo: "tel:+1", headers: { Via: "x", "X-A": "b\r\nc" } }, from).refused).toEqual(["Via", "X-A"]);
	expect(referHeaders({ transferTo: "tel:+1\r\nX: y", headers: {} }, from).headers).toBeUndefined();
});
