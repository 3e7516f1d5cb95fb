import { type CryptoAttribute, writeCrypto } from "./crypto.ts";
import { iceLines, type LocalIce } from "./ice.ts";
import type { MediaSection } from "./session.ts";
import { writeOpusParameters } from "./opus.ts";
import type { AudioCodec, Direction, LocalMedia } from "./types.ts";

/** In our offers: RFC 3551 §6, and for Opus, which has no number of its own, the one that browsers use. */
export const OFFERED_PAYLOAD_TYPES: Record<AudioCodec, number> = { PCMU: 0, PCMA: 8, G722: 9, opus: 111 };
export const DEFAULT_PTIME_MS = 20;

export interface Format {
	payloadType: number;
	name: string;
	clockRate: number;
}

/** The session part (RFC 4566 §5): v=, o=, s=, c=, t=, and what our section has for the whole session. */
export function sessionLines(local: LocalMedia, { ice, bundledMid }: Pick<SectionTransport, "ice" | "bundledMid"> = {}): string[] {
	const address = `IN ${local.address.includes(":") ? "IP6" : "IP4"} ${local.address}`;
	const lines = ["v=0", `o=- ${local.sessionId} ${local.sessionVersion} ${address}`, "s=-", `c=${address}`, "t=0 0"];
	// RFC 8843 §7.3: what is refused is no longer in the group
	if (bundledMid !== undefined) lines.push(`a=group:BUNDLE ${bundledMid}`);
	if (ice !== undefined) lines.push("a=ice-lite");
	return lines;
}

export interface SectionTransport {
	/** RTP/AVP, RTP/SAVP, ... */
	protocol: string;
	cryptos: readonly CryptoAttribute[];
	/** a=fingerprint, a=setup */
	dtlsLines?: readonly string[];
	rtcpMux?: boolean;
	ice?: LocalIce | undefined;
	/** RFC 8839 §4.2.5: the peer's ICE was not taken up because its address was changed on the way */
	iceMismatch?: boolean;
	mid?: string | undefined;
	/** the same when the offer bundles */
	bundledMid?: string | undefined;
}

/** Our audio section. */
export function audioLines(local: LocalMedia, formats: readonly Format[], direction: Direction, transport: SectionTransport): string[] {
	const lines = [`m=audio ${local.port} ${transport.protocol} ${formats.map((format) => format.payloadType).join(" ")}`];
	if (transport.mid !== undefined) lines.push(`a=mid:${transport.mid}`);
	for (const crypto of transport.cryptos) lines.push(writeCrypto(crypto));
	lines.push(...(transport.dtlsLines ?? []));
	if (transport.ice !== undefined) lines.push(...iceLines(transport.ice, local.address, local.port));
	if (transport.iceMismatch === true) lines.push("a=ice-mismatch");
	for (const { payloadType, name, clockRate } of formats) {
		// RFC 7587 §7: two channels, even when only mono is ever sent
		lines.push(`a=rtpmap:${payloadType} ${name}/${clockRate}${name === "opus" ? "/2" : ""}`);
		if (name === "opus") lines.push(`a=fmtp:${payloadType} ${writeOpusParameters(local.opus)}`);
		// RFC 4733 §2.4.1: DTMF digits and hook flash
		if (name === "telephone-event") lines.push(`a=fmtp:${payloadType} 0-16`);
	}
	if (transport.rtcpMux === true) lines.push("a=rtcp-mux");
	lines.push(`a=ptime:${local.ptimeMs ?? DEFAULT_PTIME_MS}`, `a=${direction}`);
	return lines;
}

/** RFC 3264 §6: every section of the offer is mirrored in its place; port 0 refuses it. */
export function rejectedLines(section: MediaSection): string[] {
	return [`m=${section.kind} 0 ${section.protocol} ${section.formats}`];
}

/** RFC 4566 §5: lines end with CRLF. */
export function toText(lines: readonly string[]): string {
	return `${lines.join("\r\n")}\r\n`;
}
