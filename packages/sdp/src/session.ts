import { parse } from "sdp-transform";
import { attributesOf, inherited, valuesOf } from "./attributes.ts";
import { type OfferedDtls, readDtls } from "./dtls.ts";
import { type OfferedIce, readIce } from "./ice.ts";
import type { Direction } from "./types.ts";
import { problem, type SdpProblem } from "./types.ts";

/** What a stranger's SDP may cost us at most; a telephone's is below 2 KB. */
const MAX_CHARACTERS = 16 * 1024;
const MAX_LINES = 400;
const MAX_LINE_CHARACTERS = 2_000;
const MAX_MEDIA = 16;
/** RFC 3551 §6: payload types that need no a=rtpmap */
const STATIC_AUDIO: ReadonlyMap<number, RtpMap> = new Map([
	[0, { name: "PCMU", clockRate: 8000 }],
	[8, { name: "PCMA", clockRate: 8000 }],
	[9, { name: "G722", clockRate: 8000 }],
]);

const LOWER_CASE: ReadonlyMap<string, string> = new Map([
	["TELEPHONE-EVENT", "telephone-event"],
	["OPUS", "opus"],
]);

export interface RtpMap {
	/** upper case, telephone-event and opus lower case: encoding names compare without case (RFC 4566 §6) */
	name: string;
	clockRate: number;
}

export interface MediaSection {
	/** as the peer wrote it: audio, video, image, ... */
	kind: string;
	port: number;
	protocol: string;
	/** the formats as they stand in the m= line */
	formats: string;
	payloadTypes: number[];
	rtpMaps: ReadonlyMap<number, RtpMap>;
	/** a=fmtp by payload type, as the peer wrote them */
	formatParameters: ReadonlyMap<number, string>;
	/** IP literal, or undefined when there is none or it is a name */
	address: string | undefined;
	direction: Direction;
	ptimeMs: number | undefined;
	maxPtimeMs: number | undefined;
	/** a=rtcp-mux (RFC 5761 §5.1.1) */
	rtcpMux: boolean;
	/** a=rtcp (RFC 3605); without an address that we can use it is RTP's */
	rtcp: { port: number; address: string | undefined } | undefined;
	/** a=rtcp-xr (RFC 3611 §5.1) of the section or of the session: VoIP metrics are to be sent there */
	wantsVoipMetrics: boolean;
	/** what follows a=crypto: in each such line; those of the session part count for nothing (RFC 4568 §9.2) */
	cryptoLines: readonly string[];
	dtls: OfferedDtls | undefined;
	ice: OfferedIce | undefined;
	/** a=mid (RFC 5888) */
	mid: string | undefined;
	/** it is part of a BUNDLE group (RFC 8843) */
	bundled: boolean;
}

export interface Session {
	media: MediaSection[];
}

export type SessionResult = { ok: true; session: Session } | SdpProblem;

/** Reads a session description into what negotiation needs. Never throws, whatever it is given. */
export function readSession(text: string): SessionResult {
	const tooLarge = checkSize(text);
	if (tooLarge !== undefined) return tooLarge;
	if (!/^v=0[\r\n]/.test(text)) return problem("malformed", "SDP does not begin with v=0");
	const parsed = parseQuietly(text);
	if (parsed === undefined) return problem("malformed", "SDP cannot be read");
	if (parsed.media.length > MAX_MEDIA) return problem("too-large", `SDP has more than ${MAX_MEDIA} media sections`);
	if (countLines(text, "m=") !== parsed.media.filter((media) => media.type !== undefined).length)
		return problem("malformed", "SDP has a broken m= line");
	if (parsed.media.some((media) => !(Number(media.port) <= 65535))) return problem("malformed", "SDP has a port beyond 65535");
	const sessionDirection = parsed.direction;
	const sessionAddress = ipLiteral(parsed.connection?.ip);
	const attributes = attributesOf(text);
	const bundles = valuesOf(attributes.session, "group").filter((group) => group.startsWith("BUNDLE "));
	const media = parsed.media.map((section, i): MediaSection => {
		const formats = String(section.payloads ?? "");
		const own = attributes.media[i] ?? [];
		const [mid] = valuesOf(own, "mid").filter((token) => /^[\w!#$%&'*+.^`{|}~-]{1,64}$/.test(token));
		return {
			kind: String(section.type),
			port: Number(section.port),
			protocol: String(section.protocol),
			formats,
			payloadTypes: formats.split(" ").flatMap((format) => (/^\d{1,3}$/.test(format) && Number(format) < 128 ? [Number(format)] : [])),
			rtpMaps: rtpMaps(section.rtp),
			formatParameters: new Map(section.fmtp.map(({ payload, config }) => [Number(payload), String(config)])),
			// RFC 4566 §5.7: the section's own c= line stands before the session's
			address: section.connection === undefined ? sessionAddress : ipLiteral(section.connection.ip),
			direction: section.direction ?? sessionDirection ?? "sendrecv",
			ptimeMs: milliseconds(section.ptime),
			maxPtimeMs: milliseconds(section.maxptime),
			rtcpMux: section.rtcpMux !== undefined,
			rtcp: rtcp(section.rtcp),
			wantsVoipMetrics: inherited(own, attributes.session, "rtcp-xr").some((formats) => formats.split(/\s+/).includes("voip-metrics")),
			// Not the library's: it drops what it does not know at the end of a line, a parameter that turns encryption off.
			cryptoLines: valuesOf(own, "crypto"),
			dtls: readDtls(own, attributes.session),
			ice: readIce(own, attributes.session),
			mid,
			bundled: mid !== undefined && bundles.some((group) => group.split(" ").includes(mid)),
		};
	});
	return { ok: true, session: { media } };
}

/** Whether this address means "send nowhere" (RFC 3264 §8.4, RFC 2543's hold). */
export function isNowhere(address: string): boolean {
	return address === "0.0.0.0" || /^[0:]+$/.test(address);
}

function checkSize(text: string): SdpProblem | undefined {
	if (text.length > MAX_CHARACTERS) return problem("too-large", `SDP of more than ${MAX_CHARACTERS} characters`);
	const lines = text.split(/\r\n|\r|\n/);
	if (lines.length > MAX_LINES) return problem("too-large", `SDP of more than ${MAX_LINES} lines`);
	if (lines.some((line) => line.length > MAX_LINE_CHARACTERS))
		return problem("too-large", `SDP with a line of more than ${MAX_LINE_CHARACTERS} characters`);
	return undefined;
}

function parseQuietly(text: string): ReturnType<typeof parse> | undefined {
	try {
		return parse(text);
	} catch {
		return undefined; // the library does not say that it cannot throw
	}
}

function countLines(text: string, start: string): number {
	return text.split(/\r\n|\r|\n/).filter((line) => line.startsWith(start)).length;
}

/** A line that cannot be used is as if it were not there: RTCP is not worth a call. */
function rtcp(line: { port?: number; address?: string } | undefined): MediaSection["rtcp"] {
	const port = Number(line?.port);
	return Number.isInteger(port) && port > 0 && port <= 65_535 ? { port, address: ipLiteral(line?.address) } : undefined;
}

/** The static ones, and over them what the section declares. */
function rtpMaps(declared: readonly { payload: number; codec: string; rate?: number }[]): ReadonlyMap<number, RtpMap> {
	const maps = new Map(STATIC_AUDIO);
	for (const { payload, codec, rate } of declared) {
		const name = String(codec).toUpperCase();
		maps.set(Number(payload), { name: LOWER_CASE.get(name) ?? name, clockRate: Number(rate ?? 8000) });
	}
	return maps;
}

/** ptime may have a fraction (RFC 4566 §6); anything that is no time is as if unset. */
function milliseconds(value: unknown): number | undefined {
	const ms = Number(value);
	return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}

/**
 * IPv4 or IPv6 literal; names are not looked up, as media must not wait for DNS. A group is no telephone, whether its /ttl is written or not: a
 * stranger's call must not send to everybody on a network.
 */
function ipLiteral(value: string | number | undefined): string | undefined {
	const text = String(value ?? "");
	return (isIpv4(text) || isIpv6(text)) && !isGroup(text) ? text : undefined;
}

/** Multicast, reserved and broadcast (RFC 5771, RFC 1112 §4, RFC 919); IPv6 multicast (RFC 4291 §2.7); IPv4 within IPv6 alike. */
function isGroup(address: string): boolean {
	if (/^ff[0-9a-f]{2}:/i.test(address)) return true;
	const last = address.slice(address.lastIndexOf(":") + 1);
	return last.includes(".") && Number.parseInt(last, 10) >= 224;
}

function isIpv4(text: string): boolean {
	return /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(text);
}

function isIpv6(text: string): boolean {
	if (text.length > 45 || !text.includes(":")) return false;
	const halves = text.split("::");
	if (halves.length > 2) return false;
	const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
	// an IPv4 tail counts as two groups
	const tail = groups.at(-1)?.includes(".") === true ? groups.pop() : undefined;
	if (tail !== undefined && !isIpv4(tail)) return false;
	if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return false;
	const count = groups.length + (tail === undefined ? 0 : 2);
	return halves.length === 2 ? count < 8 : count === 8;
}
