/**
 * What the room client needs to know from a remote session description (RFC 8866), section by section. Nothing is negotiated here:
 * werift does that; this reads which SSRC and which payload types belong to which track.
 */
import type { RoomCodec } from "../call/ports.ts";

export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

export interface MediaSection {
	mid: string;
	kind: string;
	/** 0 = rejected (RFC 3264 §6) */
	port: number;
	direction: Direction;
	/** the second token of `a=msid`; a LiveKit server writes the track SID there */
	trackId: string | undefined;
	/** the first token of `a=msid`; a LiveKit server writes `<participant SID>|<track SID>` */
	streamId: string | undefined;
	ssrcs: readonly number[];
	/** payload type → codec, in the order of the `m=` line */
	codecs: ReadonlyMap<number, RoomCodec>;
	/** header extension URI → id (RFC 8285 §5) */
	extensions: ReadonlyMap<string, number>;
}

/** RFC 6464 §4 */
export const AUDIO_LEVEL_URI = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

const MAX_SDP_LENGTH = 512 * 1024;

const CODEC_BY_ENCODING: Readonly<Record<string, RoomCodec>> = { "pcmu/8000": "PCMU", "pcma/8000": "PCMA", "opus/48000/2": "opus" };

/** RFC 3551 §6: static payload types need no rtpmap */
const STATIC_CODECS: Readonly<Record<number, RoomCodec>> = { 0: "PCMU", 8: "PCMA" };

interface OpenSection {
	section: Omit<MediaSection, "codecs" | "extensions" | "ssrcs">;
	payloadTypes: number[];
	rtpmaps: Map<number, string>;
	extensions: Map<string, number>;
	ssrcs: Set<number>;
}

/** The sections of a description in order; text that is no SDP gives none. */
export function parseMediaSections(sdp: string): readonly MediaSection[] {
	if (sdp.length > MAX_SDP_LENGTH) return [];
	const open: OpenSection[] = [];
	for (const line of sdp.split(/\r?\n/)) {
		if (line.startsWith("m=")) open.push(openSection(line));
		else {
			const current = open.at(-1);
			if (current !== undefined && line.startsWith("a=")) readAttribute(current, line.slice(2));
		}
	}
	return open.map(closeSection);
}

function openSection(line: string): OpenSection {
	const [kind = "", port = "0", , ...formats] = line.slice(2).split(" ");
	return {
		// RFC 8866 §6.7: sendrecv is the default
		section: { mid: "", kind, port: Number.parseInt(port, 10) || 0, direction: "sendrecv", trackId: undefined, streamId: undefined },
		payloadTypes: kind === "audio" || kind === "video" ? formats.map(Number).filter((format) => Number.isInteger(format)) : [],
		rtpmaps: new Map(),
		extensions: new Map(),
		ssrcs: new Set(),
	};
}

function readAttribute(open: OpenSection, attribute: string): void {
	const colon = attribute.indexOf(":");
	const name = colon < 0 ? attribute : attribute.slice(0, colon);
	const value = colon < 0 ? "" : attribute.slice(colon + 1);
	switch (name) {
		case "mid":
			open.section.mid = value.trim();
			break;
		case "sendrecv":
		case "sendonly":
		case "recvonly":
		case "inactive":
			open.section.direction = name;
			break;
		case "msid": {
			const [streamId, trackId] = value.split(" ");
			open.section.streamId = streamId === "" || streamId === "-" ? undefined : streamId;
			open.section.trackId = trackId;
			break;
		}
		case "ssrc": {
			const ssrc = Number.parseInt(value, 10);
			if (Number.isInteger(ssrc) && ssrc >= 0 && ssrc <= 0xffff_ffff) open.ssrcs.add(ssrc);
			break;
		}
		case "rtpmap": {
			const [payloadType, encoding] = value.split(" ");
			if (encoding !== undefined) open.rtpmaps.set(Number(payloadType), encoding.toLowerCase());
			break;
		}
		case "extmap": {
			const [id, uri] = value.split(" ");
			if (uri !== undefined) open.extensions.set(uri, Number.parseInt(id ?? "", 10));
			break;
		}
		default:
	}
}

function closeSection(open: OpenSection): MediaSection {
	const codecs = new Map<number, RoomCodec>();
	for (const payloadType of open.payloadTypes) {
		const encoding = open.rtpmaps.get(payloadType);
		const codec = encoding === undefined ? STATIC_CODECS[payloadType] : CODEC_BY_ENCODING[encoding];
		if (codec !== undefined) codecs.set(payloadType, codec);
	}
	return { ...open.section, codecs, extensions: open.extensions, ssrcs: [...open.ssrcs] };
}
