import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inboundTrunk } from "../samples.ts";
import { attributesFromHeaders, headersFromAttributes } from "./headers.ts";
import { identityAttributes, isTrustedTrunk, wantsPrivacy } from "./identity.ts";

const h = (...pairs: [string, string][]) => pairs.map(([name, value]) => ({ name, value }));
const trusted = { trusted: true, hidden: false };
const all = h(
	["P-Asserted-Identity", '"Anna" <sip:+15551234@carrier.example;verstat=TN-Validation-Passed-A>;x=y'],
	["Diversion", "<sip:+15550000@pbx.example>;reason=unconditional"],
	["Diversion", "<sip:+15550001@pbx.example>;reason=no-answer"],
	["History-Info", "<sip:+15550002@pbx.example>;index=1"],
	["Identity", "eyJhbGciOiJFUzI1NiJ9..sig;info=<https://cert.example/a.pem>"],
);

describe("what carriers say of a call", () => {
	it("a trusted trunk's is all there", () => {
		expect(identityAttributes(all, trusted)).toEqual({
			"sip.assertedIdentity": "sip:+15551234@carrier.example;verstat=TN-Validation-Passed-A",
			"sip.diversion": "<sip:+15550000@pbx.example>;reason=unconditional, <sip:+15550001@pbx.example>;reason=no-answer",
			"sip.historyInfo": "<sip:+15550002@pbx.example>;index=1",
			"sip.verstat": "TN-Validation-Passed-A",
			"sip.identity": "eyJhbGciOiJFUzI1NiJ9..sig;info=<https://cert.example/a.pem>",
		});
	});

	it("RFC 3325 §5: assertions of others do not count", () => {
		expect(Object.keys(identityAttributes(all, { trusted: false, hidden: false }))).toEqual([
			"sip.diversion",
			"sip.historyInfo",
			"sip.identity",
		]);
	});

	it("hidden: no number anywhere", () => {
		expect(identityAttributes(all, { trusted: true, hidden: true })).toEqual({ "sip.verstat": "TN-Validation-Passed-A" });
	});

	it.each([
		[h(["From", "<sip:+1@a;verstat=No-TN-Validation>;tag=x"]), "No-TN-Validation"],
		[h(["f", "<sip:+1@a>;tag=x;verstat=TN-Validation-Failed"]), "TN-Validation-Failed"],
		[h(["X-Twilio-VerStat", "TN-Validation-Passed-B"]), "TN-Validation-Passed-B"],
		[h(["X-Twilio-VerStat", "a b"]), undefined],
	])("verstat of %j", (headers, verstat) => expect(identityAttributes(headers, trusted)["sip.verstat"]).toBe(verstat));

	it("what is too long is left out, not cut", () => {
		const long = h(
			["Identity", "x".repeat(4097)],
			["P-Asserted-Identity", `<sip:${"1".repeat(1100)}@a>`],
			["Diversion", `<sip:${"1".repeat(1100)}@a>`],
		);
		expect(identityAttributes(long, trusted)).toEqual({});
	});

	it.each([
		["id", true],
		["header; session;ID", true],
		["none", false],
		["critical", false],
	])("Privacy: %s", (value, wanted) => expect(wantsPrivacy(h(["Privacy", value]))).toBe(wanted));

	it("a trunk is trusted by its credentials, or by addresses that say something", () => {
		const open = inboundTrunk({ allowedAddresses: [], authUsername: "", authPassword: "" });
		expect(isTrustedTrunk(undefined)).toBe(false);
		expect(isTrustedTrunk(open)).toBe(false);
		expect(isTrustedTrunk({ ...open, allowedAddresses: ["0.0.0.0/0"] })).toBe(false);
		expect(isTrustedTrunk({ ...open, allowedAddresses: ["::/0"] })).toBe(false);
		expect(isTrustedTrunk({ ...open, allowedAddresses: ["192.0.2.0/24"] })).toBe(true);
		expect(isTrustedTrunk({ ...open, authUsername: "a", authPassword: "b" })).toBe(true);
	});
});

describe("whatever anybody writes", () => {
	const text = fc.string({ unit: "binary", maxLength: 40 });
	it("no header that attributes make can end its line", () => {
		fc.assert(
			fc.property(fc.dictionary(text, text), fc.dictionary(text, text), (attributes, map) => {
				for (const { value } of headersFromAttributes(attributes, map)) expect(value).not.toMatch(/[\r\n\0]/);
			}),
		);
	});

	it("attributes of any headers are bounded, and only named ones come out", () => {
		const headers = fc.array(
			fc.record({
				name: fc.oneof(
					text,
					fc.constantFrom("P-Asserted-Identity", "From", "Privacy", "Diversion", "History-Info", "Identity", "X-Twilio-VerStat"),
				),
				value: fc.string({ unit: "binary", maxLength: 3_000 }),
			}),
			{ maxLength: 80 },
		);
		fc.assert(
			fc.property(headers, fc.boolean(), fc.boolean(), (given, isTrusted, hidden) => {
				const found = identityAttributes(given, { trusted: isTrusted, hidden });
				expect(JSON.stringify(found).length).toBeLessThan(60_000);
				for (const name of Object.keys(found)) expect(name).toMatch(/^sip\.(assertedIdentity|diversion|historyInfo|verstat|identity)$/);
				const mapped = attributesFromHeaders(given, { includeHeaders: "ALL", headersToAttributes: {}, hidePhoneNumber: hidden });
				for (const value of Object.values(mapped)) expect(value.length).toBeLessThanOrEqual(1_024);
			}),
		);
	});
});
