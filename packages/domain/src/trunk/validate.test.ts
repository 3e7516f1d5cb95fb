import type { InboundTrunk, MediaConfig, OutboundTrunk } from "@trunkline/contracts";
import { describe, expect, test } from "vitest";
import type { DomainError } from "../errors.ts";
import { inboundTrunk, outboundTrunk } from "../samples.ts";
import { validateInboundTrunk, validateOutboundTrunk } from "./validate.ts";

const media = (over: Partial<MediaConfig>): { media: MediaConfig } => ({ media: { onlyListedCodecs: false, codecs: [], ...over } });
const verdict = (run: () => void): unknown => {
	try {
		run();
		return "ok";
	} catch (error) {
		const { code, message } = error as DomainError;
		return { code, message };
	}
};
const SECURITY = "for security, one of the fields must be set: AuthUsername+AuthPassword, AllowedAddresses or Numbers";
const PAIR = "AuthUsername and AuthPassword must be set together: with one alone no call would be authenticated";

describe("validateInboundTrunk", () => {
	test.each<[Partial<InboundTrunk>, string | undefined]>([
		[{}, SECURITY],
		[{ allowedNumbers: ["+1"] }, SECURITY],
		[{ numbers: ["+1"] }, undefined],
		[{ allowedAddresses: ["10.0.0.0/8", "2001:db8::/32", "1.2.3.4"] }, undefined],
		[{ authUsername: "u", authPassword: "p" }, undefined],
		[{ authUsername: "u" }, PAIR],
		[{ authPassword: "p" }, PAIR],
		[{ authUsername: "u", numbers: ["+1"] }, PAIR],
		[
			{ allowedAddresses: ["sip.example.com"] },
			'invalid allowed address "sip.example.com": must be an IP address or a CIDR block, like 203.0.113.7 or 203.0.113.0/24',
		],
		[{ numbers: [""] }, "empty element in numbers"],
		[{ numbers: ["+1\r\n"] }, "element of numbers must not contain control characters"],
		[{ numbers: Array.from({ length: 1001 }, (_, n) => String(n)) }, "numbers has 1001 elements, at most 1000 are allowed"],
		[{ numbers: ["1"], metadata: "m".repeat(65_537) }, "metadata is too long: 65537 characters, at most 65536 are allowed"],
		[{ numbers: ["1"], metadata: "line\nline" }, undefined],
		[
			{ numbers: Array.from({ length: 3 }, (_, n) => String(n)), allowedNumbers: Array.from({ length: 667 }, (_, n) => String(n)) },
			"numbers × allowed_numbers makes 2001 combinations, at most 2000 are allowed",
		],
		[{ numbers: Array.from({ length: 1000 }, (_, n) => String(n)), allowedNumbers: ["1", "2"] }, undefined],
		[{ numbers: ["1"], authRealm: 'a"b' }, "auth_realm must not contain quotes or backslashes"],
		[{ numbers: ["1"], ringingTimeoutMs: -1 }, "ringing_timeout must not be negative"],
		[{ numbers: ["1"], maxCallDurationMs: 86_400_001 }, "max_call_duration must not exceed 86400s"],
		[{ numbers: ["1"], headers: { From: "x" } }, "invalid header name: header name From not supported"],
		[{ numbers: ["1"], headersToAttributes: { From: "x" } }, undefined],
		[{ numbers: ["1"], ...media({ codecs: [{ name: "", rate: 8000 }] }) }, "missing codec name"],
		[{ numbers: ["1"], ...media({ codecs: [{ name: "PC MU", rate: 8000 }] }) }, "invalid codec name"],
		[{ numbers: ["1"], ...media({ codecs: [{ name: "PCMU/8000", rate: 8000 }] }) }, "codec name must not contain '/'"],
		[
			{ numbers: ["1"], ...media({ codecs: [{ name: "G729", rate: 8000 }] }) },
			'unknown codec name "G729", known are: pcmu, pcma, g722, amr-wb, opus, telephone-event',
		],
		[{ numbers: ["1"], ...media({ codecs: [{ name: "PCMU", rate: 8000 }], onlyListedCodecs: true }) }, undefined],
		[{ numbers: ["1"], ...media({ onlyListedCodecs: true }) }, "only_listed_codecs is set but no codecs are listed"],
		[{ numbers: ["1"], ...media({ mediaTimeoutMs: -1 }) }, "media_timeout must not be negative"],
		[{ numbers: ["1"], ...media({ mediaTimeoutMs: 600_001 }) }, "media_timeout must not exceed 10m0s"],
		[{ numbers: ["1"], ...media({ mediaTimeoutMs: 600_000 }) }, undefined],
	])("%j: %s", (over, message) => {
		const result = verdict(() => validateInboundTrunk(inboundTrunk(over)));
		expect(result).toEqual(message === undefined ? "ok" : { code: "invalid_argument", message });
	});
});

describe("validateOutboundTrunk", () => {
	const shape = (field: string, host: string) =>
		`${field} ${JSON.stringify(host)} should be a hostname or IP, with a port if need be, like sip.example.com:5060 or [2001:db8::1]:5060`;
	test.each<[Partial<OutboundTrunk>, string | undefined]>([
		[{}, undefined],
		[{ numbers: [] }, "no trunk numbers specified"],
		[{ address: "" }, "no outbound address specified"],
		[{ address: "a.com;transport=tcp" }, "trunk address should not contain transport parameter"],
		[{ address: "sip:a.com" }, "trunk address should be a hostname or IP, not SIP URI"],
		[{ address: "SIPS:a.com" }, "trunk address should be a hostname or IP, not SIP URI"],
		[{ address: "u@a.com" }, "trunk address should be a hostname or IP, not SIP URI"],
		[{ address: "a.com;x" }, "trunk address should be a hostname or IP, not SIP URI"],
		[{ fromHost: "a.com;transport=tcp" }, "from_host should not contain transport parameter"],
		[{ fromHost: "sip:x" }, "from_host should be a hostname or IP, not SIP URI"],
		[{ address: "my_pbx.internal:5080" }, undefined],
		[{ address: "[2001:db8::1]:5060" }, undefined],
		[{ address: "[zzz]" }, shape("trunk address", "[zzz]")],
		[{ address: "a.com:99999" }, shape("trunk address", "a.com:99999")],
		[{ address: "a.com:0" }, shape("trunk address", "a.com:0")],
		[{ address: "a b" }, shape("trunk address", "a b")],
		[{ address: "a.com\r\nX: y" }, "trunk address must not contain control characters"],
		[{ destinationCountry: "US" }, undefined],
		[{ destinationCountry: "us" }, "destination_country must be a valid ISO 3166-1 alpha-2 code (2-letter like 'US', 'IN', 'UK')"],
	])("%j: %s", (over, message) => {
		const result = verdict(() => validateOutboundTrunk(outboundTrunk(over)));
		expect(result).toEqual(message === undefined ? "ok" : { code: "invalid_argument", message });
	});
});
