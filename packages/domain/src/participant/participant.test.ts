import { describe, expect, test } from "vitest";
import { queuedCall } from "../call/dial.ts";
import { dialRequest, direct, dispatchRule } from "../samples.ts";
import { attributesFromHeaders, headersFromAttributes } from "./headers.ts";
import { participantForInbound, roomForCall } from "./inbound.ts";
import { outboundParticipantAttributes } from "./outbound.ts";

const zeros = (length: number) => new Uint8Array(length);
const suffix = "1".repeat(12);

describe("roomForCall", () => {
	const call = { from: "+15551111", to: "+15552222", random: zeros };
	test.each([
		["direct", direct("lobby"), false, "lobby"],
		["individual", { type: "individual", roomPrefix: "call", pin: "", noRandomness: false }, false, `call_+15551111_${suffix}`],
		["individual, no prefix", { type: "individual", roomPrefix: "", pin: "", noRandomness: false }, false, `+15551111_${suffix}`],
		["individual, not random", { type: "individual", roomPrefix: "call", pin: "", noRandomness: true }, false, "call_+15551111"],
		["individual, hidden", { type: "individual", roomPrefix: "call", pin: "", noRandomness: true }, true, "call_1111"],
		["callee", { type: "callee", roomPrefix: "call", pin: "", randomize: false }, false, "call_+15552222"],
		["callee, random", { type: "callee", roomPrefix: "", pin: "", randomize: true }, false, `+15552222_${suffix}`],
		["callee, hidden: the called number is ours", { type: "callee", roomPrefix: "", pin: "", randomize: false }, true, "+15552222"],
	] as const)("%s", (_, rule, hidePhoneNumber, expected) =>
		expect(roomForCall(dispatchRule({ rule, hidePhoneNumber }), call)).toBe(expected),
	);
});

describe("participantForInbound", () => {
	const call = {
		callId: "SCL_1",
		sipCallId: "abc@host",
		remoteTag: "tag1",
		from: "+11112222",
		fromHost: "carrier.example",
		to: "+15552222",
		trunkId: "ST_1",
	};
	test("shown", () => {
		const rule = dispatchRule({ metadata: "meta", attributes: { team: "a", "sip.callID": "forged" } });
		expect(participantForInbound(rule, call, "ringing")).toEqual({
			identity: "sip_+11112222",
			name: "Phone +11112222",
			metadata: "meta",
			attributes: {
				team: "a",
				"sip.callID": "SCL_1",
				"sip.callIDFull": "abc@host",
				"sip.callTag": "tag1",
				"sip.trunkID": "ST_1",
				"sip.ruleID": "SDR_a",
				"sip.phoneNumber": "+11112222",
				"sip.trunkPhoneNumber": "+15552222",
				"sip.hostname": "carrier.example",
				"sip.callStatus": "ringing",
			},
		});
	});
	test("hidden: LiveKit's vector, and no number anywhere", () => {
		const participant = participantForInbound(dispatchRule({ hidePhoneNumber: true }), call, "active");
		expect(participant.identity).toBe("sip_c15a31c71649a522");
		expect(participant.name).toBe("Phone 2222");
		expect(Object.keys(participant.attributes)).toEqual([
			"sip.callID",
			"sip.callIDFull",
			"sip.callTag",
			"sip.trunkID",
			"sip.ruleID",
			"sip.callStatus",
		]);
		expect(JSON.stringify(participant)).not.toContain("1111");
	});
	test("a number of four characters or less shows one", () => {
		expect(participantForInbound(dispatchRule({ hidePhoneNumber: true }), { ...call, from: "1234" }, "active").name).toBe("Phone 4");
	});
	test("a taken identity gets the call id behind it", () => {
		expect(participantForInbound(dispatchRule(), { ...call, identityTaken: true }, "ringing").identity).toBe("sip_+11112222_SCL_1");
	});
});

describe("outboundParticipantAttributes", () => {
	const record = (hidePhoneNumber: boolean) =>
		queuedCall({
			callId: "SCL_1",
			projectId: "p",
			region: "r",
			now: 0,
			request: dialRequest({ hidePhoneNumber, participantAttributes: { a: "b", "sip.callStatus": "forged" } }),
		});
	test("shown and hidden", () => {
		const base = { a: "b", "sip.callID": "SCL_1", "sip.trunkID": "ST_out", "sip.callStatus": "dialing" };
		const numbers = { "sip.phoneNumber": "+15559999", "sip.trunkPhoneNumber": "+15550001", "sip.hostname": "sip.example.com" };
		expect(outboundParticipantAttributes(record(false))).toEqual({ ...base, ...numbers });
		expect(outboundParticipantAttributes(record(true))).toEqual(base);
	});
});

describe("attributesFromHeaders", () => {
	const headers = [
		{ name: "From", value: "<sip:+1@x>" },
		{ name: "X-Custom", value: "one" },
		{ name: "x-custom", value: "two" },
		{ name: "X-Twilio-CallSid", value: "CA1" },
		{ name: "Subject", value: "hi" },
	];
	const off = { includeHeaders: "NO", headersToAttributes: {}, hidePhoneNumber: false } as const;
	test.each([
		["NO", false, { "sip.twilio.callSid": "CA1" }],
		["X_HEADERS", false, { "sip.twilio.callSid": "CA1", "sip.h.x-custom": "one", "sip.h.x-twilio-callsid": "CA1" }],
		[
			"ALL",
			false,
			{
				"sip.twilio.callSid": "CA1",
				"sip.h.from": "<sip:+1@x>",
				"sip.h.x-custom": "one",
				"sip.h.x-twilio-callsid": "CA1",
				"sip.h.subject": "hi",
			},
		],
		["ALL", true, { "sip.twilio.callSid": "CA1", "sip.h.x-custom": "one", "sip.h.x-twilio-callsid": "CA1", "sip.h.subject": "hi" }],
	] as const)("%s, hidden: %s", (includeHeaders, hidePhoneNumber, expected) => {
		expect(attributesFromHeaders(headers, { ...off, includeHeaders, hidePhoneNumber })).toEqual(expected);
	});
	test("the trunk's map is case-insensitive, takes the first and has the last word", () => {
		const attributes = attributesFromHeaders(headers, {
			...off,
			headersToAttributes: { "X-CUSTOM": "custom", from: "who", "X-Absent": "no", "X-Twilio-Callsid": "sid" },
		});
		expect(attributes).toEqual({ "sip.twilio.callSid": "CA1", custom: "one", who: "<sip:+1@x>", sid: "CA1" });
	});
	test("RFC 3261 §7.3.3: a compact name is the long one", () => {
		const compact = [
			{ name: "s", value: "order 66" },
			{ name: "f", value: "<sip:+15551111@a>" },
		];
		const trunk = { includeHeaders: "ALL", headersToAttributes: { Subject: "subject", T: "to" }, hidePhoneNumber: true } as const;
		// From has a number whatever it is called.
		expect(attributesFromHeaders([...compact, { name: "To", value: "x" }], trunk)).toEqual({
			"sip.h.subject": "order 66",
			subject: "order 66",
			to: "x",
		});
	});

	test.each([
		["X-Twilio-AccountSid", "sip.twilio.accountSid"],
		["X-Twilio-CallSid", "sip.twilio.callSid"],
		["X-call_leg_id", "sip.telnyx.callLegID"],
		["X-call_session_id", "sip.telnyx.callSessionID"],
		["X-Amzn-ConnectContactId", "sip.amazon.contactId"],
		["X-Amzn-ConnectInitialContactId", "sip.amazon.initialContactId"],
		["X-Amzn-SourceAccount", "sip.amazon.sourceAccount"],
		["X-Amzn-SourceArn", "sip.amazon.sourceArn"],
		["X-Amzn-TargetArn", "sip.amazon.targetArn"],
		["X-Lk-Test-Id", "lktest.id"],
	])("LiveKit's built-in %s → %s", (name, attribute) => {
		const nothing = { includeHeaders: "NO", headersToAttributes: {}, hidePhoneNumber: true } as const;
		expect(attributesFromHeaders([{ name: name.toUpperCase(), value: "v" }], nothing)).toEqual({ [attribute]: "v" });
	});

	test("is bounded", () => {
		const many = Array.from({ length: 1000 }, (_, index) => ({ name: `X-${index}`, value: "v".repeat(5000) }));
		const attributes = attributesFromHeaders(many, { ...off, includeHeaders: "ALL" });
		expect(Object.keys(attributes)).toHaveLength(64);
		expect(attributes["sip.h.x-0"]).toHaveLength(1024);
	});
});

test("headersFromAttributes: a line break in an attribute cannot add a header", () => {
	const attributes = { a: "x\r\nBYE: y", b: "", c: "ünï" };
	expect(headersFromAttributes(attributes, { a: "X-A", b: "X-B", c: "X-C", missing: "X-D", toString: "X-E" })).toEqual([
		{ name: "X-A", value: "x  BYE: y" },
		{ name: "X-C", value: "ünï" },
	]);
});
