import type { RoomCodec } from "../../call/ports.ts";
import { AUDIO_LEVEL_URI, type Direction } from "../sdp-sections.ts";
import { HOST_PRIORITY } from "./candidate.ts";

/** Our end of the one transport. */
export interface LocalTransport {
	ufrag: string;
	password: string;
	/** SHA-256 */
	fingerprint: string;
	address: string;
	port: number;
}

/** A track that we send: `cid` is what AddTrackRequest calls it. */
export interface SentTrack {
	cid: string;
	ssrc: number;
}

export type LocalSection =
	| { kind: "rejected"; mid: string; media: string }
	| { kind: "data"; mid: string }
	| {
			kind: "audio";
			mid: string;
			direction: Direction;
			/** payload type → codec, in order of preference */
			codecs: ReadonlyMap<number, RoomCodec>;
			/** id of the RFC 6464 extension; undefined: not wanted */
			audioLevelId: number | undefined;
			sent: SentTrack | undefined;
	  };

export interface LocalDescription {
	sessionId: number;
	/** one more with each description (RFC 8866 §5.2) */
	version: number;
	/** RFC 8842 §5 */
	setup: "actpass" | "active" | "passive";
	cname: string;
	transport: LocalTransport;
	sections: readonly LocalSection[];
}

/** Numbers as WebRTC implementations use them; RFC 3551 fixes those of G.711. */
export const PAYLOAD_TYPES: Readonly<Record<RoomCodec, number>> = { PCMU: 0, PCMA: 8, opus: 111 };
const RTPMAPS: Readonly<Record<RoomCodec, string>> = { PCMU: "PCMU/8000", PCMA: "PCMA/8000", opus: "opus/48000/2" };
const OPUS_PARAMETERS = "minptime=10;useinbandfec=1";
const MAX_MESSAGE_BYTES = 65_536;

/** An offer or answer (RFC 8866, RFC 9429) with all of ICE's candidates in it. */
export function writeDescription(description: LocalDescription): string {
	const bundled = description.sections.filter(({ kind }) => kind !== "rejected").map(({ mid }) => mid);
	const lines = [
		"v=0",
		`o=- ${description.sessionId} ${description.version} IN IP4 0.0.0.0`,
		"s=-",
		"t=0 0",
		`a=group:BUNDLE ${bundled.join(" ")}`,
		"a=extmap-allow-mixed",
		"a=msid-semantic:WMS *",
	];
	for (const section of description.sections) {
		if (section.kind === "rejected") {
			lines.push(`m=${section.media} 0 UDP/TLS/RTP/SAVPF 0`, "c=IN IP4 0.0.0.0", `a=mid:${section.mid}`, "a=inactive");
			continue;
		}
		const formats =
			section.kind === "data" ? "UDP/DTLS/SCTP webrtc-datachannel" : `UDP/TLS/RTP/SAVPF ${[...section.codecs.keys()].join(" ")}`;
		lines.push(`m=${section.kind === "data" ? "application" : "audio"} 9 ${formats}`, "c=IN IP4 0.0.0.0");
		transportLines(lines, description, section.mid, section.mid === bundled[0]);
		if (section.kind === "data") lines.push("a=sctp-port:5000", `a=max-message-size:${MAX_MESSAGE_BYTES}`);
		else audioLines(lines, section, description.cname);
	}
	return `${lines.join("\r\n")}\r\n`;
}

/** RFC 9143 §7.1.3: the first section's transport is everybody's, so candidates need to be there only. */
function transportLines(lines: string[], { transport, setup }: LocalDescription, mid: string, isFirst: boolean): void {
	const { ufrag, password, fingerprint, address, port } = transport;
	if (isFirst) {
		lines.push(`a=candidate:1 1 udp ${HOST_PRIORITY} ${address} ${port} typ host generation 0 ufrag ${ufrag}`, "a=end-of-candidates");
	}
	lines.push(`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${password}`, "a=ice-options:trickle", `a=fingerprint:sha-256 ${fingerprint}`);
	lines.push(`a=setup:${setup}`, `a=mid:${mid}`);
}

function audioLines(lines: string[], section: Extract<LocalSection, { kind: "audio" }>, cname: string): void {
	lines.push(`a=${section.direction}`, "a=rtcp:9 IN IP4 0.0.0.0", "a=rtcp-mux", "a=rtcp-rsize");
	for (const [payloadType, codec] of section.codecs) {
		lines.push(`a=rtpmap:${payloadType} ${RTPMAPS[codec]}`);
		if (codec === "opus") lines.push(`a=fmtp:${payloadType} ${OPUS_PARAMETERS}`);
	}
	if (section.audioLevelId !== undefined) lines.push(`a=extmap:${section.audioLevelId} ${AUDIO_LEVEL_URI}`);
	if (section.sent !== undefined) lines.push(`a=msid:- ${section.sent.cid}`, `a=ssrc:${section.sent.ssrc} cname:${cname}`);
}
