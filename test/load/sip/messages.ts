import { createHash, createHmac } from "node:crypto";
import { type Address, type EndpointOptions, type Hashes, SipEndpoint, type SipEvent } from "@trunkline/sip";

const hashes: Hashes = {
	md5: (bytes) => createHash("md5").update(bytes).digest(),
	sha256: (bytes) => createHash("sha256").update(bytes).digest(),
	hmacSha256: (key, bytes) => createHmac("sha256", key).update(bytes).digest(),
};

export function endpoint(contact: { host: string; port: number }, random: EndpointOptions["random"]): SipEndpoint {
	return new SipEndpoint({
		userAgent: "Trunkline",
		contact,
		random,
		hashes,
		allow: ["INFO", "NOTIFY"],
		answerOptions: true,
		maxTransactions: 1_000_000,
	});
}

const SDP = [
	"v=0",
	"o=- 3981224 1 IN IP4 192.0.2.7",
	"s=-",
	"c=IN IP4 192.0.2.7",
	"t=0 0",
	"m=audio 16384 RTP/AVP 0 8 9 101",
	"a=rtpmap:0 PCMU/8000",
	"a=rtpmap:8 PCMA/8000",
	"a=rtpmap:9 G722/8000",
	"a=rtpmap:101 telephone-event/8000",
	"a=fmtp:101 0-15",
	"a=ptime:20",
	"a=sendrecv",
	"",
].join("\r\n");

export const sdpBody = { contentType: "application/sdp", bytes: new TextEncoder().encode(SDP) };

export const PEER: Address = { host: "192.0.2.7", port: 5060, transport: "UDP" };

const encoder = new TextEncoder();

/** A carrier's requests for call number `n`, as it would write them: two proxies on the way, the headers that come with numbers. */
export function carrierInvite(n: number): Uint8Array {
	return encoder.encode(
		[
			"INVITE sip:+15550100@198.51.100.4:5060 SIP/2.0",
			`Via: SIP/2.0/UDP 192.0.2.7:5060;rport;branch=z9hG4bKa${n}`,
			`Via: SIP/2.0/UDP 203.0.113.9:5060;branch=z9hG4bKb${n}`,
			"Record-Route: <sip:192.0.2.7:5060;lr;ftag=x>",
			`From: "+15557777" <sip:+15557777@carrier.example>;tag=f${n}`,
			"To: <sip:+15550100@198.51.100.4>",
			`Call-ID: ${n}-6f2b9c@203.0.113.9`,
			"CSeq: 102 INVITE",
			"Max-Forwards: 67",
			"Contact: <sip:+15557777@203.0.113.9:5060;transport=udp>",
			"User-Agent: Carrier Gateway",
			"Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY",
			'P-Asserted-Identity: "+15557777" <sip:+15557777@203.0.113.9:5060>',
			`X-Carrier-CallSid: CA${n}`,
			"Diversion: <sip:+15550111@carrier.example>;reason=unconditional",
			"Content-Type: application/sdp",
			`Content-Length: ${SDP.length}`,
			"",
			SDP,
		].join("\r\n"),
	);
}

/** ACK and BYE of the same call, once our tag is known. */
export function carrierRequest(method: "ACK" | "BYE", n: number, toTag: string): Uint8Array {
	return encoder.encode(
		[
			`${method} sip:198.51.100.4:5060 SIP/2.0`,
			`Via: SIP/2.0/UDP 192.0.2.7:5060;rport;branch=z9hG4bK${method}${n}`,
			`From: "+15557777" <sip:+15557777@carrier.example>;tag=f${n}`,
			`To: <sip:+15550100@198.51.100.4>;tag=${toTag}`,
			`Call-ID: ${n}-6f2b9c@203.0.113.9`,
			`CSeq: ${method === "ACK" ? 102 : 103} ${method}`,
			"Max-Forwards: 67",
			"User-Agent: Carrier Gateway",
			"Content-Length: 0",
			"",
			"",
		].join("\r\n"),
	);
}

export function carrierOptions(n: number): Uint8Array {
	return encoder.encode(
		[
			"OPTIONS sip:198.51.100.4:5060 SIP/2.0",
			`Via: SIP/2.0/UDP 192.0.2.7:5060;rport;branch=z9hG4bKo${n}`,
			`From: <sip:ping@carrier.example>;tag=p${n}`,
			"To: <sip:198.51.100.4>",
			`Call-ID: ping-${n}@203.0.113.9`,
			"CSeq: 1 OPTIONS",
			"Max-Forwards: 70",
			"Content-Length: 0",
			"",
			"",
		].join("\r\n"),
	);
}

export interface Answered {
	/** messages that came in */
	received: number;
	/** messages that went out */
	sent: number;
}

/** Takes what comes out: counts messages, answers each call with 180 and 200; gives the tag of the latest call. */
export function answerAll(callee: SipEndpoint, now: number, count: Answered): string {
	let tag = "";
	for (let output = callee.pollOutput(); output !== undefined; output = callee.pollOutput()) {
		if (output.kind === "transmit") count.sent++;
		else if (output.event.type === "incoming") tag = take(callee, output.event, now);
	}
	return tag;
}

function take(callee: SipEndpoint, event: Extract<SipEvent, { type: "incoming" }>, now: number): string {
	callee.handle({ kind: "ring", leg: event.leg, status: 180 }, now);
	callee.handle({ kind: "accept", leg: event.leg, body: sdpBody }, now);
	return event.localTag;
}
