import { DtmfReceiver, parseRtcp, parseRtp, parseTelephoneEvent } from "@trunkline/rtp";
import { answerOffer, type LocalMedia, readAnswer } from "@trunkline/sdp";
import {
	type Address,
	challenge,
	firstSight,
	headerList,
	parseMessage,
	parseNameAddr,
	parseSipfrag,
	parseUri,
	parseVia,
	readReferNotify,
	SipEndpoint,
	sourceOf,
	StreamFramer,
	verifyAuthorization,
	writeMessage,
	writeNameAddr,
	writeUri,
} from "@trunkline/sip";
import { nodeHashes } from "@trunkline/testkit";
import fc from "fast-check";
import { parseBindingRequest } from "@trunkline/ice";
import { HEADERS } from "./headers.ts";
import { bytesLike, textLike, utf8 } from "./mutations.ts";
import { feedMarker, feedMask, feedPcapng, feedTrace, MARKED, PCAPNG } from "./fleet-and-traces.ts";
import { CONNECTED_RECORD, DTLS_FLIGHTS, feedConnectedDtls, feedDtls, feedIce, feedRoomSdp, ICE_PACKETS, ROOM_SDP } from "./webrtc.ts";

/** One parser of the shipped code and what is fed to it. `run` throws when something is wrong. */
export interface Driver {
	readonly name: string;
	readonly inputs: fc.Arbitrary<unknown>;
	run(input: never): void;
}

const driver = <T>(name: string, inputs: fc.Arbitrary<T>, run: (input: T) => void): Driver => ({ name, inputs, run }) as Driver;

const REMOTE: Address = { host: "192.0.2.9", port: 5060, transport: "UDP" };
const SDP = [
	"v=0\r\no=- 1 1 IN IP4 192.0.2.4\r\ns=-\r\nc=IN IP4 192.0.2.4\r\nt=0 0\r\nm=audio 49172 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n",
	"v=0\r\no=- 1 1 IN IP6 2001:db8::1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/SAVP 0\r\nc=IN IP6 2001:db8::1\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4\r\nm=video 0 RTP/AVP 31\r\n",
];

let serial = 0;

function invite(name: string, value: string): string {
	serial += 1;
	const fields: Record<string, string> = {
		Via: `SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK${serial}`,
		From: "<sip:a@192.0.2.9>;tag=f",
		To: "<sip:b@192.0.2.1>",
		"Call-ID": `c${serial}`,
		CSeq: "1 INVITE",
		"Max-Forwards": "70",
		Contact: "<sip:a@192.0.2.9>",
		[name]: value,
	};
	return `INVITE sip:b@192.0.2.1 SIP/2.0\r\n${Object.entries(fields)
		.map(([key, text]) => `${key}: ${text}\r\n`)
		.join("")}\r\n`;
}

const endpoint = (): SipEndpoint =>
	new SipEndpoint({
		userAgent: "fuzz",
		contact: { host: "192.0.2.1", port: 5060 },
		random: (n) => new Uint8Array(n).fill(++serial & 0xff),
		hashes: nodeHashes,
		supported: ["100rel", "timer"],
		allow: ["INFO", "UPDATE", "REFER", "NOTIFY", "PRACK"],
	});

/** Takes everything out; what is sent has to be SIP, and the driver's answer to a call has to be possible. */
function drain(ua: SipEndpoint): Uint8Array[] {
	const sent: Uint8Array[] = [];
	for (let output = ua.pollOutput(); output !== undefined; output = ua.pollOutput()) {
		if (output.kind === "transmit") {
			const parsed = parseMessage(output.bytes);
			if (!parsed.ok && parsed.code !== "keep-alive") throw new Error(`we sent what we cannot read: ${parsed.detail}`);
			sent.push(output.bytes);
		} else if (output.event.type === "incoming") {
			ua.handle({ kind: "ring", leg: output.event.leg, status: 180 }, 1);
			ua.handle({ kind: "accept", leg: output.event.leg }, 2);
			ua.handle({ kind: "bye", leg: output.event.leg }, 3);
		}
	}
	return sent;
}

/** An INVITE to us with this header field, answered and hung up. */
function asRequest(name: string, value: string): void {
	const ua = endpoint();
	ua.handle({ kind: "received", bytes: utf8(invite(name, value)), remote: REMOTE }, 0);
	drain(ua);
	ua.handleTimeout(400_000);
	drain(ua);
}

/** A response with this header field to an INVITE of ours. */
function asResponse(status: number, name: string, value: string): void {
	const ua = endpoint();
	const party = { uri: "sip:b@192.0.2.9" };
	const auth = { username: "u", password: "p" };
	ua.handle({ kind: "call", leg: "l", requestUri: party.uri, from: { uri: "sip:a@192.0.2.1" }, to: party, target: REMOTE, auth }, 0);
	const [sent] = drain(ua);
	const parsed = parseMessage(sent ?? new Uint8Array());
	if (!parsed.ok) throw new Error("no INVITE was sent");
	const echoed = parsed.message.headers.filter(
		({ key }) => ["via", "from", "to", "call-id", "cseq"].includes(key) && key !== name.toLowerCase(),
	);
	const lines = echoed.map((field) => `${field.name}: ${field.value}${field.key === "to" ? ";tag=t" : ""}\r\n`);
	const text = `SIP/2.0 ${status} X\r\n${lines.join("")}${name}: ${value}\r\n\r\n`;
	ua.handle({ kind: "received", bytes: utf8(text), remote: REMOTE }, 10);
	drain(ua);
	ua.handle({ kind: "bye", leg: "l" }, 20);
	drain(ua);
	ua.handleTimeout(400_000);
	drain(ua);
}

const headerDrivers = Object.entries(HEADERS).map(([name, seeds]) =>
	driver(`header ${name}`, textLike(...seeds), (value) => {
		asRequest(name, value);
		headerList(
			{ kind: "response", status: 200, reason: "", headers: [{ name, key: name.toLowerCase(), value }], body: new Uint8Array() },
			name,
		);
	}),
);

const responseDrivers = (
	[
		["WWW-Authenticate", 401],
		["Proxy-Authenticate", 407],
		["Contact", 200],
		["Record-Route", 200],
		["Session-Expires", 200],
		["RSeq", 183],
		["To", 200],
		["Min-SE", 422],
	] as const
).map(([name, status]) => driver(`${name} of a ${status}`, textLike(...(HEADERS[name] ?? [])), (value) => asResponse(status, name, value)));

const local: LocalMedia = { address: "192.0.2.1", port: 4000, codecs: ["PCMU", "PCMA"], sessionId: 1, sessionVersion: 1 };

const RTP = Uint8Array.of(0x90, 0x80, 0, 1, 0, 0, 0, 160, 1, 2, 3, 4, 0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0, ...new Uint8Array(160));
const RTCP = Uint8Array.of(0x81, 200, 0, 12, 1, 2, 3, 4, ...new Uint8Array(44), 0x81, 203, 0, 1, 1, 2, 3, 4);
const STUN = Uint8Array.of(
	0,
	1,
	0,
	16,
	0x21,
	0x12,
	0xa4,
	0x42,
	...new Uint8Array(12),
	0,
	6,
	0,
	3,
	97,
	58,
	98,
	0,
	0x80,
	0x28,
	0,
	4,
	1,
	2,
	3,
	4,
);
const SECRET = new Uint8Array(32).fill(9);

export const DRIVERS: readonly Driver[] = [
	driver("message", textLike(invite("Subject", "x"), `SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nl: 3\r\n\r\nabc`), (text) => {
		const parsed = parseMessage(utf8(text));
		if (!parsed.ok) return;
		const again = parseMessage(
			writeMessage({ ...parsed.message, headers: parsed.message.headers.filter(({ key }) => key !== "content-length") }),
		);
		if (!again.ok) throw new Error(`what was parsed and written is not read: ${again.detail}`);
	}),
	driver("message of bytes", bytesLike(utf8(invite("Subject", "é"))), (bytes) => void parseMessage(bytes)),
	driver("first sight", bytesLike(utf8(invite("User-Agent", "friendly-scanner"))), (bytes) => void firstSight(bytes)),
	driver("source", textLike("192.0.2.1", "2001:db8::1", "::ffff:1.2.3.4", "fe80::1%eth0"), (text) => void sourceOf(text)),
	driver("URI", textLike("sip:alice:pw@atlanta.com:5060;transport=tcp;lr?a=b&c=d", "tel:+1-555;phone-context=+1", "sips:[::1]"), (text) => {
		const uri = parseUri(text);
		if (uri !== undefined && parseUri(writeUri(uri)) === undefined) throw new Error("a URI that we wrote is not read");
	}),
	driver("name-addr", textLike('"A \\"B\\"" <sip:a@b>;tag=1', "Bob <sip:bob@biloxi.com>;x=y"), (text) => {
		const address = parseNameAddr(text);
		if (address !== undefined && parseNameAddr(writeNameAddr(address)) === undefined)
			throw new Error("a name-addr that we wrote is not read");
	}),
	driver("Via alone", textLike("SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK;rport=1"), (text) => void parseVia(text)),
	...headerDrivers,
	...responseDrivers,
	driver("digest of a caller", textLike(answered()), (value) => {
		const verdict = verifyAuthorization({
			...{ hashes: nodeHashes, secret: SECRET, realm: "r", scope: "c", now: 1_000, values: [value] },
			...{ method: "INVITE", requestUri: "sip:x", username: "u", password: "p" },
		});
		if (verdict === "ok") throw new Error("credentials that nobody could know were taken");
	}),
	driver("sipfrag", textLike("SIP/2.0 503 Service Unavailable\r\nX: y\r\n", "SIP/2.0 100 Trying"), (text) => void parseSipfrag(utf8(text))),
	driver(
		"NOTIFY of a REFER",
		fc.tuple(textLike("refer;id=1"), textLike("terminated;reason=noresource"), textLike("SIP/2.0 200 OK")),
		(parts) => {
			const [event, state, body] = parts;
			const field = (name: string, value: string) => ({ name, key: name.toLowerCase(), value });
			const headers = [field("Event", event), field("Subscription-State", state), field("Content-Type", "message/sipfrag")];
			readReferNotify({ kind: "request", method: "NOTIFY", uri: "sip:a@b", headers, body: utf8(body) });
		},
	),
	driver(
		"stream",
		fc.tuple(textLike(`${invite("Subject", "x")}\r\n\r\n${invite("Content-Length", "0")}`), fc.array(fc.nat(300), { maxLength: 8 })),
		(parts) => {
			const [text, cuts] = parts;
			const bytes = utf8(text);
			const framer = new StreamFramer();
			let from = 0;
			for (const cut of [...cuts, bytes.length]) {
				const until = Math.min(bytes.length, Math.max(from, cut));
				for (const item of framer.push(bytes.subarray(from, until)).items) if (item.kind === "message") parseMessage(item.bytes);
				from = until;
			}
			if (framer.pending > 200_000) throw new Error(`${framer.pending} bytes are kept`);
		},
	),
	driver("SDP offer", textLike(...SDP), (sdp) => void answerOffer(sdp, local)),
	driver("SDP answer", textLike(...SDP), (sdp) => void readAnswer(sdp, local)),
	driver("RTP", bytesLike(RTP), (bytes) => void parseRtp(bytes)),
	driver("RTCP", bytesLike(RTCP), (bytes) => void parseRtcp(bytes)),
	driver(
		"telephone-event",
		fc.array(bytesLike(Uint8Array.of(5, 10, 0, 160), Uint8Array.of(5, 0x8a, 3, 0x20)), { maxLength: 6 }),
		(payloads) => {
			const receiver = new DtmfReceiver();
			for (const [index, payload] of payloads.entries()) {
				parseTelephoneEvent(payload);
				receiver.receive(payload, index * 160, index === 0, index * 20);
			}
		},
	),
	driver("STUN", bytesLike(STUN), (bytes) => void parseBindingRequest(bytes)),
	driver("ICE", bytesLike(...ICE_PACKETS), feedIce),
	...DTLS_FLIGHTS.map((flight, index) => driver(`DTLS, flight ${index + 1}`, bytesLike(flight), (bytes) => feedDtls(index, bytes))),
	driver("DTLS, after the keys", bytesLike(CONNECTED_RECORD), feedConnectedDtls),
	driver("SDP of a room", textLike(ROOM_SDP), feedRoomSdp),
	driver("masks of a trace", fc.tuple(textLike(invite("Subject", "x")), textLike("<sip:a:b@c>"), textLike("Signal=5\r\n")), feedMask),
	driver("a message in a trace", bytesLike(utf8(invite("Subject", "é"))), feedTrace),
	driver("pcapng", bytesLike(PCAPNG), feedPcapng),
	driver("marker of the relay", bytesLike(MARKED), feedMarker),
];

/** Right in form, for a nonce of ours; the password is not the account's. */
function answered(): string {
	const given = challenge({ hashes: nodeHashes, secret: SECRET, realm: "r", scope: "c", now: 0 });
	const nonce = /nonce="([^"]*)"/.exec(given)?.[1] ?? "";
	return `Digest username="u", realm="r", nonce="${nonce}", uri="sip:x", response="${"0".repeat(32)}", algorithm=MD5, qop=auth, nc=00000001, cnonce="c"`;
}
