import { describe, expect, test } from "vitest";
import type { DomainError } from "../errors.ts";
import { dialRequest, outboundTrunk, participantRequest } from "../samples.ts";
import {
	buildDialRequest,
	type InlineTrunk,
	claimDeadline,
	type ParticipantRequest,
	queuedCall,
	validateParticipantRequest,
} from "./dial.ts";

const zeros = (length: number) => new Uint8Array(length);
const inline: InlineTrunk = {
	hostname: "sip.inline.example:5080",
	transport: "TCP",
	destinationCountry: "",
	authUsername: "iu",
	authPassword: "ip",
	headersToAttributes: {},
	attributesToHeaders: {},
	fromHost: "from.example",
};
const withInline = (over: Partial<InlineTrunk>): Partial<ParticipantRequest> => ({ trunkId: "", inlineTrunk: { ...inline, ...over } });
const COUNTRY = "country must be a valid ISO 3166-1 alpha-2 code (2-letter like 'US', 'IN', 'UK')";

describe("validateParticipantRequest", () => {
	test.each<[Partial<ParticipantRequest>, string | undefined]>([
		[{}, undefined],
		[{ trunkId: "" }, "missing sip trunk id and sip number"],
		[{ trunkId: "", number: "+1" }, "missing sip trunk id"],
		[withInline({}), undefined],
		[withInline({ hostname: "" }), "no outbound hostname specified"],
		[withInline({ hostname: "sip:x" }), "trunk hostname should be a hostname or IP, not SIP URI"],
		[withInline({ fromHost: "a;transport=tcp" }), "from_host should not contain transport parameter"],
		[{ callTo: "" }, "missing sip callee number"],
		[{ callTo: "a@b" }, "SipCallTo should be a phone number or SIP user, not a full SIP URI"],
		[{ callTo: "a>b" }, 'SipCallTo should be a phone number or SIP user: it must not contain < > " \\ or @'],
		[{ callTo: "1\r\n" }, "SipCallTo must not contain control characters"],
		[{ number: "1@x" }, 'SipNumber should be a phone number or SIP user: it must not contain < > " \\ or @'],
		[{ toUserOverride: "a b" }, "ToUserOverride contains invalid characters: char 32 not allowed"],
		[{ roomName: "" }, "missing room name"],
		[{ displayName: "" }, undefined],
		[{ displayName: "d".repeat(129) }, "DisplayName too long (max 128 characters)"],
		[{ displayName: 'a"b' }, "DisplayName must be a valid quoted string: invalid syntax"],
		[{ destination: { city: "Paris", country: "", region: "" } }, "if city is specified, country or region must also be specified"],
		[{ destination: { city: "Paris", country: "FR", region: "" } }, undefined],
		[{ destination: { city: "", country: "France", region: "" } }, COUNTRY],
		[{ destination: { city: "", country: "fr", region: "" } }, COUNTRY],
		[{ headers: { From: "x" } }, "invalid header name: header name From not supported"],
		[{ dtmf: "1".repeat(257) }, "dtmf is too long: 257 characters, at most 256 are allowed"],
		[{ ringingTimeoutMs: -1 }, "ringing_timeout must not be negative"],
		[{ maxCallDurationMs: 24 * 3600 * 1000 + 1 }, "max_call_duration must not exceed 86400s"],
	])("%j: %s", (over, message) => {
		let verdict: unknown;
		try {
			validateParticipantRequest(participantRequest(over));
		} catch (error) {
			verdict = { code: (error as DomainError).code, message: (error as DomainError).message };
		}
		expect(verdict).toEqual(message === undefined ? undefined : { code: "invalid_argument", message });
	});
});

describe("buildDialRequest", () => {
	test("from a stored trunk, everything set", () => {
		const trunk = outboundTrunk({
			address: "sip.example.com:5080",
			transport: "TLS",
			fromHost: "me.example",
			authUsername: "u",
			authPassword: "p",
			headers: { "X-A": "trunk", "X-B": "trunk" },
			headersToAttributes: { "X-C": "c" },
			attributesToHeaders: { d: "X-D" },
			includeHeaders: "ALL",
			mediaEncryption: "REQUIRE",
			media: { onlyListedCodecs: true, codecs: [{ name: "PCMU", rate: 8000 }] },
		});
		const request = participantRequest({
			callTo: "+1 (555) 999-9",
			number: "1 555",
			displayName: "Bob",
			toUserOverride: "bob",
			participantIdentity: "callee",
			participantName: "Bob",
			participantMetadata: "m",
			participantAttributes: { x: "y" },
			dtmf: "1w2#",
			playDialtone: true,
			hidePhoneNumber: true,
			headers: { "x-a": "request" },
			includeHeaders: "X_HEADERS",
			ringingTimeoutMs: 20_000,
			maxCallDurationMs: 60_000,
			krispEnabled: true,
			media: { onlyListedCodecs: false, codecs: [], encryption: "DISABLE", mediaTimeoutMs: 5000 },
			waitUntilAnswered: true,
		});
		expect(buildDialRequest(request, trunk, { random: zeros })).toEqual({
			trunkId: "ST_out",
			address: "sip.example.com:5080",
			transport: "TLS",
			callTo: "+15559999",
			from: "1555",
			fromHost: "me.example",
			authUsername: "u",
			authPassword: "p",
			displayName: "Bob",
			toUserOverride: "bob",
			roomName: "lobby",
			participantIdentity: "callee",
			participantName: "Bob",
			participantMetadata: "m",
			participantAttributes: { x: "y" },
			dtmf: "1w2#",
			playDialtone: true,
			hidePhoneNumber: true,
			headers: { "x-a": "request", "X-B": "trunk" },
			headersToAttributes: { "X-C": "c" },
			attributesToHeaders: { d: "X-D" },
			includeHeaders: "X_HEADERS",
			ringingTimeoutMs: 20_000,
			maxCallDurationMs: 60_000,
			krispEnabled: true,
			mediaEncryption: "REQUIRE",
			media: { onlyListedCodecs: true, codecs: [{ name: "PCMU", rate: 8000 }], encryption: "REQUIRE", mediaTimeoutMs: 5000 },
			waitUntilAnswered: true,
		});
	});

	test("defaults", () => {
		expect(dialRequest()).toMatchObject({
			from: "+15550001",
			participantIdentity: "sip_+15559999",
			participantName: "",
			includeHeaders: "NO",
			ringingTimeoutMs: 180_000,
			maxCallDurationMs: 86_400_000,
			mediaEncryption: "DISABLE",
		});
		expect(dialRequest()).not.toHaveProperty("displayName");
		expect(dialRequest()).not.toHaveProperty("media");
		expect(dialRequest({ displayName: "" }).displayName).toBe("");
		expect(dialRequest({ ringingTimeoutMs: 0, maxCallDurationMs: 0 })).toMatchObject({
			ringingTimeoutMs: 180_000,
			maxCallDurationMs: 86_400_000,
		});
	});

	test("ringing is capped when the API waits", () => {
		const ringing = (ringingTimeoutMs?: number) =>
			buildDialRequest(participantRequest(ringingTimeoutMs === undefined ? {} : { ringingTimeoutMs }), outboundTrunk(), {
				random: zeros,
				maxRingingMs: 70_000,
			}).ringingTimeoutMs;
		expect([ringing(), ringing(60_000), ringing(90_000)]).toEqual([70_000, 60_000, 70_000]);
	});

	test("from an inline trunk", () => {
		const request = participantRequest({ trunkId: "", inlineTrunk: inline, number: "+1777" });
		expect(buildDialRequest(request, undefined, { random: zeros })).toMatchObject({
			trunkId: "",
			address: "sip.inline.example:5080",
			transport: "TCP",
			from: "+1777",
			fromHost: "from.example",
			authUsername: "iu",
			authPassword: "ip",
		});
	});

	test.each([
		["inline without a number", undefined, { trunkId: "", inlineTrunk: inline }],
		["only the wildcard", outboundTrunk({ numbers: ["*"] }), {}],
	])("%s: no number to call from", (_, trunk, over) => {
		expect(() => buildDialRequest(participantRequest(over), trunk, { random: zeros })).toThrow(
			expect.objectContaining({ code: "failed_precondition", message: "no numbers on outbound trunk" }),
		);
	});

	test("one of the trunk's numbers by chance", () => {
		const trunk = outboundTrunk({ numbers: ["*", "1", "2", "3"] });
		const from = (byte: number) => buildDialRequest(participantRequest(), trunk, { random: () => Uint8Array.of(0, 0, 0, byte) }).from;
		expect([0, 1, 2, 3].map(from)).toEqual(["1", "2", "3", "1"]);
	});

	test.each([
		["x.pstn.twilio.com", "1555", "+1555"],
		["x.pstn.TWILIO.com:5061", "1555", "+1555"],
		["x.pstn.twilio.com", "+1555", "+1555"],
		["x.pstn.twilio.com", "bob", "bob"],
		["nottwilio.com", "1555", "1555"],
		["twilio.com.example", "1555", "1555"],
	])("caller number for %s: %s → %s", (address, number, expected) => {
		expect(buildDialRequest(participantRequest({ number }), outboundTrunk({ address }), { random: zeros }).from).toBe(expected);
	});
});

test("queuedCall", () => {
	const request = dialRequest();
	expect(queuedCall({ callId: "SCL_1", projectId: "p", region: "r", request, now: 1_000_500 })).toEqual({
		callId: "SCL_1",
		projectId: "p",
		region: "r",
		direction: "outbound",
		state: "queued",
		version: 1,
		trunkId: "ST_out",
		ruleId: "",
		roomName: "lobby",
		participantIdentity: "sip_+15559999",
		participantId: "",
		from: "+15550001",
		to: "+15559999",
		sipCallId: "",
		request,
		timeline: [{ at: 1_000_500, event: "queued" }],
		createdAt: 1_000_500,
		expiresAtSeconds: 1000 + 30 * 24 * 3600,
	});
});

test("claimDeadline: before LiveKit's clients give up, 10 s after they asked", () => {
	expect(claimDeadline({ createdAt: 1000 })).toBe(10_000);
});
