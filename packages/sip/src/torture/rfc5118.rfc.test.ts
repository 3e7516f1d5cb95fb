import { SimClock, SimNet, simEndpoint } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import type { Address } from "../endpoint-types.ts";
import { utf8Encode } from "../grammar/text.ts";
import { parseUri } from "../grammar/uri.ts";
import { readEnvelope } from "../message/envelope.ts";
import { header } from "../message/headers.ts";
import { parseMessage } from "../message/parse.ts";

const REMOTE: Address = { host: "2001:db8::9:1", port: 5060, transport: "UDP" };
const SDP6 = [
	"v=0",
	"o=assistant 971731711378798081 0 IN IP6 2001:db8::20",
	"s=Live video feed for today's meeting",
	"c=IN IP6 2001:db8::20",
	"t=3338481189 3370017201",
	"m=audio 6000 RTP/AVP 2",
	"a=rtpmap:2 G726-32/8000",
	"m=video 6024 RTP/AVP 107",
	"a=rtpmap:107 H263-1998/90000",
];
const SDP_MIXED = [
	"v=0",
	"o=bob 280744730 28977631 IN IP4 host.example.com",
	"s=",
	"t=0 0",
	"m=audio 22334 RTP/AVP 0",
	"c=IN IP4 192.0.2.1",
	"m=video 6024 RTP/AVP 107",
	"c=IN IP6 2001:db8::1",
	"a=rtpmap:107 H263-1998/90000",
];

function message(lines: readonly string[], sdp: readonly string[] = []): Uint8Array {
	const body = sdp.map((line) => `${line}\r\n`).join("");
	const type = sdp.length === 0 ? [] : ["Content-Type: application/sdp"];
	return utf8Encode([...lines, "Max-Forwards: 70", ...type, `Content-Length: ${body.length}`, "", body].join("\r\n"));
}

const register = (uri: string): Uint8Array =>
	message([
		`REGISTER ${uri} SIP/2.0`,
		"To: sip:user@example.com",
		"From: sip:user@example.com;tag=81x2",
		"Via: SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111",
		"Call-ID: SSG9559905523997077@hlau_4100",
		'Contact: "Caller" <sip:caller@[2001:db8::1]>',
		"CSeq: 98176 REGISTER",
	]);

const options = (uri: string): Uint8Array =>
	message([
		`OPTIONS ${uri} SIP/2.0`,
		`To: ${uri}`,
		"From: sip:user@example.com;tag=810x2",
		"Via: SIP/2.0/UDP lab1.east.example.com;branch=z9hG4bKas3-111",
		"Call-ID: G9559905523997077@hlau_4100",
		"CSeq: 689 OPTIONS",
	]);

const invite = (uri: string, via: string, contact: string, sdp: readonly string[]): Uint8Array =>
	message(
		[
			`INVITE ${uri} SIP/2.0`,
			`To: ${uri}`,
			"From: sip:user@example.com;tag=81x2",
			...via.split("\n").map((value) => `Via: ${value}`),
			"Call-ID: SSG9559905523997077@hlau_4100",
			`Contact: ${contact}`,
			"CSeq: 8612 INVITE",
		],
		sdp,
	);

const receivedIn = (received: string): Uint8Array =>
	message([
		"BYE sip:[2001:db8::10] SIP/2.0",
		"To: sip:user@example.com;tag=bd76ya",
		"From: sip:user@example.com;tag=81x2",
		`Via: SIP/2.0/UDP [2001:db8::9:1];received=${received};branch=z9hG4bKas3-111`,
		"Call-ID: SSG9559905523997077@hlau_4100",
		"CSeq: 321 BYE",
	]);

const mixedVias = message([
	"BYE sip:user@host.example.net SIP/2.0",
	"Via: SIP/2.0/UDP [2001:db8::9:1]:6050;branch=z9hG4bKas3-111",
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKjhja8781hjuaij65144",
	"Via: SIP/2.0/TCP [2001:db8::9:255];branch=z9hG4bK451jj;received=192.0.2.200",
	"Call-ID: 997077@lau_4100",
	"CSeq: 89187 BYE",
	"To: sip:user@example.net;tag=9817--94",
	"From: sip:user@example.com;tag=81x2",
]);

function receive(bytes: Uint8Array) {
	const net = new SimNet(new SimClock());
	const host = simEndpoint(new SimClock(), net, { host: "2001:db8::10", port: 5060, transport: "UDP" }, { answerOptions: true });
	host.handle({ kind: "received", bytes, remote: REMOTE });
	const statuses = net.sent.map((packet) => {
		const parsed = parseMessage(packet.bytes);
		return parsed.ok && parsed.message.kind === "response" ? parsed.message.status : "?";
	});
	return { host, net, statuses };
}

function envelopeOf(bytes: Uint8Array) {
	const parsed = parseMessage(bytes);
	if (!parsed.ok) throw new Error(parsed.detail);
	const read = readEnvelope(parsed.message);
	if (!read.ok) throw new Error(read.detail);
	return read.envelope;
}

describe("RFC 5118: messages with IPv6 addresses and the answer of each", () => {
	it.each<[string, Uint8Array, number]>([
		["§4.1 valid message with an IPv6 reference (we are no registrar)", register("sip:[2001:db8::10]"), 405],
		["§4.3 port ambiguous in a SIP URI: well formed", register("sip:[2001:db8::10:5070]"), 405],
		["§4.4 port unambiguous", register("sip:[2001:db8::10]:5070"), 405],
		["§4.5 delimiters in Via's received: taken although the grammar has none", receivedIn("[2001:db8::9:255]"), 481],
		["§4.5 received without delimiters", receivedIn("2001:db8::9:255"), 481],
		[
			"§4.6 IPv6 addresses in SDP",
			invite("sip:user@[2001:db8::10]", "SIP/2.0/UDP [2001:db8::20];branch=z9hG4bKas3-111", '"Caller" <sip:caller@[2001:db8::20]>', SDP6),
			100,
		],
		["§4.7 multiple IP addresses in SIP header fields", mixedVias, 481],
		[
			"§4.8 multiple IP addresses in SDP",
			invite(
				"sip:user@[2001:db8::10]",
				"SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111",
				'"Caller" <sip:caller@[2001:db8::9:1]>',
				SDP_MIXED,
			),
			100,
		],
		[
			"§4.9 IPv4-mapped IPv6 addresses",
			invite(
				"sip:user@example.com",
				"SIP/2.0/UDP [::ffff:192.0.2.10]:19823;branch=z9hG4bKbh19\nSIP/2.0/UDP [::ffff:192.0.2.2];branch=z9hG4bKas3-111",
				'"T. desk phone" <sip:ted@[::ffff:192.0.2.2]>',
				SDP6,
			),
			100,
		],
		["§4.10 the correct reference", options("sip:user@[2001:db8::192.0.2.1]"), 200],
	])("%s", (_, bytes, status) => expect(receive(bytes).statuses).toEqual([status]));

	it("§4.2 an IPv6 address without [ ] in the Request-URI → 400", () => {
		const invited = invite("sip:2001:db8::10", "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKas3-111", "<sip:caller@[2001:db8::1]>", SDP6);
		expect(receive(invited).statuses).toEqual([400]);
		expect(parseUri("sip:2001:db8::10")).toBeUndefined();
		// No registrar: the method is refused before its URI is read.
		expect(receive(register("sip:2001:db8::10")).statuses).toEqual([405]);
	});

	it("§4.3 what is inside [ ] is the address; a port stands behind it (erratum 1311)", () => {
		expect(parseUri("sip:[2001:db8::10:5070]")).toMatchObject({ host: "2001:db8::10:5070" });
		expect(parseUri("sip:[2001:db8::10:5070]")?.port).toBeUndefined();
		expect(parseUri("sip:[2001:db8::10]:5070")).toMatchObject({ host: "2001:db8::10", port: 5070 });
	});

	it("§4.10 the extra colon of RFC 3261's ABNF: not guessed at, 400; never a crash", () => {
		expect(parseUri("sip:user@[2001:db8:::192.0.2.1]")).toBeUndefined();
		expect(receive(options("sip:user@[2001:db8:::192.0.2.1]")).statuses).toEqual([400]);
	});

	it("§4.7 the topmost Via alone says where the response goes", () => {
		const envelope = envelopeOf(mixedVias);
		expect(envelope).toMatchObject({ viaCount: 3, via: { host: "2001:db8::9:1", port: 6050 } });
		expect(receive(mixedVias).net.sent[0]?.to).toMatchObject({ host: REMOTE.host, port: 6050 });
	});

	it("§4.5 a received that the sender wrote is replaced by where the message came from", () => {
		const { net } = receive(receivedIn("[2001:db8::9:255]"));
		const parsed = parseMessage(net.sent[0]?.bytes ?? new Uint8Array());
		expect(net.sent[0]?.to.host).toBe(REMOTE.host);
		expect(parsed.ok && header(parsed.message, "via")).not.toContain("received=2001:db8::9:255,");
	});
});
