import { expect, test } from "vitest";
import { referInDialect } from "./refer.ts";

const call = { peerHost: "1234.zt.plivo.com", ownNumber: "15550100" };

test.each([
	["generic", "tel:+15550199", { referTo: "tel:+15550199" }],
	["twilio", "tel:+15550199", { referTo: "tel:+15550199" }],
	["telnyx", "tel:+1-555-0199", { referTo: "<sip:+15550199@sip.telnyx.com>", diversion: "<sip:+15550100@sip.telnyx.com>" }],
	["telnyx", "<sip:desk@example.com>", { referTo: "<sip:desk@example.com>", diversion: "<sip:+15550100@sip.telnyx.com>" }],
	["plivo", "<tel:+15550199>", { referTo: "<sip:+15550199@1234.zt.plivo.com>" }],
	["wavix", "tel:+15550199", { referTo: "<sip:+15550199@1234.zt.plivo.com>" }],
	["plivo", "tel:0199;phone-context=+1555", { referTo: "tel:0199;phone-context=+1555" }],
	["plivo", "tel:+15550199;ext=7", { referTo: "tel:+15550199;ext=7" }],
] as const)("%s: %s", (provider, target, expected) => {
	expect(referInDialect(target, { ...call, settings: { provider } })).toEqual(expected);
});

test("a call without a number of ours names nobody who sent it on", () => {
	expect(referInDialect("tel:+15550199", { ...call, ownNumber: "reception", settings: { provider: "telnyx" } })).toEqual({
		referTo: "<sip:+15550199@sip.telnyx.com>",
	});
	expect(referInDialect("tel:+15550199", { ...call, peerHost: "", settings: { provider: "plivo" } })).toEqual({ referTo: "tel:+15550199" });
});
