import { limits } from "../limits.ts";
import { type AudioCodec, audioCodecOf } from "../media/audio-codec.ts";
import { type VideoCodec, videoCodecOf } from "../media/video-codec.ts";

/** most SSRCs read of one section; one is what a track needs */
const MAX_SSRCS = 8;
const MAX_RIDS = 8;

export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

export interface OfferedCodec {
	payloadType: number;
	/** `a=rtpmap` value, e.g. "opus/48000/2" */
	rtpmap: string;
	/** `a=fmtp` value, "" when there is none */
	fmtp: string;
	/** undefined: not one that is forwarded */
	audio: AudioCodec | undefined;
	/** undefined: not one that is forwarded */
	video: VideoCodec | undefined;
}

export interface MediaSection {
	kind: string;
	mid: string;
	port: number;
	/** the transport of the m-line, e.g. "UDP/TLS/RTP/SAVPF" */
	protocol: string;
	/** formats of the m-line as they stand */
	formats: string;
	direction: Direction;
	codecs: OfferedCodec[];
	/** `a=extmap` uri → id */
	extensions: Map<string, number>;
	/** second word of `a=msid`: the id of the track the peer sends here */
	trackId: string | undefined;
	/** from `a=ssrc`, in order, without repeats */
	ssrcs: number[];
	/** simulcast layers that the peer would send, from `a=rid` (RFC 8851) */
	rids: string[];
	sctpPort: number | undefined;
	maxMessageSize: number | undefined;
}

/** A peer's offer or answer, as far as a bundling, ICE-lite server reads it. */
export interface RemoteDescription {
	sections: MediaSection[];
	/** SHA-256 only */
	fingerprints: string[];
	setup: string | undefined;
	/** changes when the peer restarts ICE (RFC 8839 §4.4.1.1.1) */
	iceUfrag: string | undefined;
}

/** Reads a session description (RFC 8866, RFC 9429); a string says what is wrong with it. */
export function parseDescription(sdp: string): RemoteDescription | string {
	const description: RemoteDescription = { sections: [], fingerprints: [], setup: undefined, iceUfrag: undefined };
	let section: MediaSection | undefined;
	for (const line of sdp.split(/\r?\n/)) {
		if (line.startsWith("m=")) {
			if (description.sections.length >= limits.mediaSections) return "too many media sections";
			const parsed = parseMediaLine(line);
			if (parsed === undefined) return "broken m-line";
			section = parsed;
			description.sections.push(parsed);
		} else if (line.startsWith("a=")) {
			const colon = line.indexOf(":");
			const name = colon === -1 ? line.slice(2) : line.slice(2, colon);
			const value = colon === -1 ? "" : line.slice(colon + 1);
			if (!readTransportAttribute(description, name, value) && section !== undefined) readMediaAttribute(section, name, value);
		}
	}
	if (description.sections.some((each) => each.mid === "")) return "a media section has no a=mid";
	if (description.fingerprints.length === 0) return "no SHA-256 a=fingerprint";
	return description;
}

function parseMediaLine(line: string): MediaSection | undefined {
	const [kind = "", port = "", protocol = "", ...formats] = line.slice(2).split(" ");
	if (protocol === "" || !/^\d+$/.test(port)) return undefined;
	return {
		kind,
		mid: "",
		port: Number(port),
		protocol,
		formats: formats.join(" "),
		direction: "sendrecv",
		codecs: [],
		extensions: new Map(),
		trackId: undefined,
		ssrcs: [],
		rids: [],
		sctpPort: undefined,
		maxMessageSize: undefined,
	};
}

/** All sections share one transport (BUNDLE), so these count for the whole description wherever they stand. */
function readTransportAttribute(description: RemoteDescription, name: string, value: string): boolean {
	if (name === "fingerprint") {
		const [algorithm = "", hash = ""] = value.split(" ");
		if (algorithm.toLowerCase() === "sha-256" && hash !== "" && !description.fingerprints.includes(hash))
			description.fingerprints.push(hash);
		return true;
	}
	if (name === "ice-ufrag") {
		description.iceUfrag ??= value.trim();
		return true;
	}
	if (name === "setup") {
		description.setup ??= value.trim();
		return true;
	}
	return false;
}

function readMediaAttribute(section: MediaSection, name: string, value: string): void {
	if (isDirection(name)) section.direction = name;
	else mediaAttributes.get(name)?.(section, value);
}

const directions: readonly Direction[] = ["sendrecv", "sendonly", "recvonly", "inactive"];

function isDirection(name: string): name is Direction {
	return directions.some((direction) => direction === name);
}

/** what each attribute of a section says; others say nothing that counts here */
const mediaAttributes = new Map<string, (section: MediaSection, value: string) => void>([
	["rtpmap", readRtpmap],
	["fmtp", readFmtp],
	["extmap", readExtmap],
	["ssrc", readSsrc],
	["rid", readRid],
	[
		"mid",
		(section, value) => {
			section.mid = value.trim();
		},
	],
	[
		"msid",
		(section, value) => {
			section.trackId = value.split(" ")[1];
		},
	],
	[
		"sctp-port",
		(section, value) => {
			section.sctpPort = wholeNumber(value);
		},
	],
	[
		"max-message-size",
		(section, value) => {
			section.maxMessageSize = wholeNumber(value);
		},
	],
]);

function readRtpmap(section: MediaSection, value: string): void {
	const [payloadTypeText, rtpmap] = splitOnce(value, " ");
	const payloadType = Number(payloadTypeText);
	if (!Number.isInteger(payloadType) || payloadType < 0 || payloadType > 127) return;
	const [name = "", rate = ""] = rtpmap.split("/");
	const audio = section.kind === "audio" ? audioCodecOf(name, Number(rate)) : undefined;
	const video = section.kind === "video" && rate === "90000" ? videoCodecOf(name, "") : undefined;
	section.codecs.push({ payloadType, rtpmap: rtpmap.trim(), fmtp: "", audio, video });
}

function splitOnce(text: string, separator: string): [string, string] {
	const at = text.indexOf(separator);
	return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

function readFmtp(section: MediaSection, value: string): void {
	const [payloadType, parameters] = splitOnce(value, " ");
	const codec = section.codecs.find((each) => each.payloadType === Number(payloadType));
	if (codec === undefined) return;
	codec.fmtp = parameters;
	if (codec.video !== undefined) codec.video = videoCodecOf(codec.video.name, parameters);
}

function readExtmap(section: MediaSection, value: string): void {
	const [id = "", uri = ""] = value.split(" ");
	// RFC 8285 §5: "id/direction"; 15 and above need the two-byte form, which is not sent here
	const number = Number.parseInt(id, 10);
	if (number >= 1 && number <= 14) section.extensions.set(uri, number);
}

function readSsrc(section: MediaSection, value: string): void {
	const ssrc = Number.parseInt(value, 10);
	if (Number.isInteger(ssrc) && !section.ssrcs.includes(ssrc) && section.ssrcs.length < MAX_SSRCS) section.ssrcs.push(ssrc);
}

function readRid(section: MediaSection, value: string): void {
	const [id = "", direction] = value.split(" ");
	if (direction === "send" && /^[\w-]{1,16}$/.test(id) && section.rids.length < MAX_RIDS) section.rids.push(id);
}

function wholeNumber(value: string): number | undefined {
	return /^\d{1,9}$/.test(value.trim()) ? Number(value) : undefined;
}
