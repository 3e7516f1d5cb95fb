import type { Direction, OfferedCodec } from "./offer.ts";

export const AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
export const RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
export const MID = "urn:ietf:params:rtp-hdrext:sdes:mid";

/** RFC 4585 §4.2, RFC 5104 §7.1, and the limit of rate that browsers know */
const VIDEO_FEEDBACK = ["nack", "nack pli", "ccm fir", "goog-remb"];

/** Our end of the one transport that all sections share. */
export interface LocalTransport {
	ufrag: string;
	password: string;
	fingerprint: string;
	candidate: string;
}

/** What is sent in a section; the ids are what LiveKit clients read out of `a=msid`. */
export interface SentTrack {
	participantSid: string;
	trackSid: string;
	ssrc: number;
}

export type LocalSection =
	| { kind: "rejected"; mid: string; media: string; protocol: string; formats: string }
	| { kind: "data"; mid: string; maxMessageSize: number }
	| {
			kind: "media";
			mid: string;
			media: string;
			direction: Direction;
			codecs: readonly OfferedCodec[];
			extensions: readonly { id: number; uri: string }[];
			sent: SentTrack | undefined;
			/** the one simulcast layer that is wanted; undefined: there is but one stream */
			rid: string | undefined;
	  };

export interface LocalDescription {
	/** constant over the life of the connection */
	sessionId: string;
	/** one more with each description (RFC 8866 §5.2) */
	version: number;
	/** "passive" in answers, "actpass" in offers: this end is always the DTLS server (RFC 8842 §5) */
	setup: "passive" | "actpass";
	transport: LocalTransport;
	sections: readonly LocalSection[];
}

/** Writes an SDP answer or offer. Unused sections keep port 9: port 0 would reject them for good (RFC 9143 §7.1.3, RFC 9429 §5.2.2). */
export function writeDescription(description: LocalDescription): string {
	const bundled = description.sections.filter((section) => section.kind !== "rejected").map((section) => section.mid);
	const lines = [
		"v=0",
		`o=- ${description.sessionId} ${description.version} IN IP4 127.0.0.1`,
		"s=-",
		"t=0 0",
		"a=ice-lite",
		`a=group:BUNDLE ${bundled.join(" ")}`,
		"a=extmap-allow-mixed",
		"a=msid-semantic: WMS *",
	];
	for (const section of description.sections) {
		if (section.kind === "rejected") {
			lines.push(`m=${section.media} 0 ${section.protocol} ${section.formats}`, "c=IN IP4 0.0.0.0", `a=mid:${section.mid}`, "a=inactive");
			continue;
		}
		// RFC 9143 §7.1.3: the first bundled section's transport is everybody's; candidates need to be there only
		const first = section.mid === bundled[0];
		lines.push(...(section.kind === "data" ? dataSection(section, description, first) : mediaSection(section, description, first)));
	}
	return `${lines.join("\r\n")}\r\n`;
}

function dataSection(section: Extract<LocalSection, { kind: "data" }>, description: LocalDescription, first: boolean): string[] {
	return [
		"m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
		"c=IN IP4 0.0.0.0",
		...transportLines(description, section.mid, first),
		"a=sctp-port:5000",
		`a=max-message-size:${section.maxMessageSize}`,
	];
}

function mediaSection(section: Extract<LocalSection, { kind: "media" }>, description: LocalDescription, first: boolean): string[] {
	const payloadTypes = section.codecs.map((codec) => codec.payloadType).join(" ");
	const lines = [`m=${section.media} 9 UDP/TLS/RTP/SAVPF ${payloadTypes}`, "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0"];
	lines.push(...transportLines(description, section.mid, first), `a=${section.direction}`, "a=rtcp-mux", "a=rtcp-rsize");
	for (const codec of section.codecs) {
		lines.push(`a=rtpmap:${codec.payloadType} ${codec.rtpmap}`);
		if (codec.fmtp !== "") lines.push(`a=fmtp:${codec.payloadType} ${codec.fmtp}`);
		if (codec.video !== undefined) for (const feedback of VIDEO_FEEDBACK) lines.push(`a=rtcp-fb:${codec.payloadType} ${feedback}`);
	}
	for (const extension of section.extensions) lines.push(`a=extmap:${extension.id} ${extension.uri}`);
	// RFC 8853 §5.3: layers that the answer leaves out are not sent
	if (section.rid !== undefined) lines.push(`a=rid:${section.rid} recv`, `a=simulcast:recv ${section.rid}`);
	if (section.sent !== undefined) {
		const { participantSid, trackSid, ssrc } = section.sent;
		// LiveKit clients split the stream id at "|" to find whose track it is
		lines.push(`a=msid:${participantSid}|${trackSid} ${trackSid}`, `a=ssrc:${ssrc} cname:${participantSid}`);
		lines.push(`a=ssrc:${ssrc} msid:${participantSid}|${trackSid} ${trackSid}`);
	}
	return lines;
}

function transportLines(description: LocalDescription, mid: string, first: boolean): string[] {
	const { ufrag, password, fingerprint, candidate } = description.transport;
	const lines = [
		`a=ice-ufrag:${ufrag}`,
		`a=ice-pwd:${password}`,
		`a=fingerprint:sha-256 ${fingerprint}`,
		`a=setup:${description.setup}`,
		`a=mid:${mid}`,
	];
	if (first) lines.push(`a=${candidate}`, "a=end-of-candidates");
	return lines;
}
