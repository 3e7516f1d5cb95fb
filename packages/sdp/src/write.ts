import { type CryptoAttribute, writeCrypto } from "./crypto.ts";
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

/** The session part (RFC 4566 §5): v=, o=, s=, c=, t=. */
export function sessionLines(local: LocalMedia): string[] {
	const address = `IN ${local.address.includes(":") ? "IP6" : "IP4"} ${local.address}`;
	return ["v=0", `o=- ${local.sessionId} ${local.sessionVersion} ${address}`, "s=-", `c=${address}`, "t=0 0"];
}

export interface SectionTransport {
	/** RTP/AVP, RTP/SAVP, ... */
	protocol: string;
	cryptos: readonly CryptoAttribute[];
	rtcpMux?: boolean;
}

/** Our audio section. */
export function audioLines(local: LocalMedia, formats: readonly Format[], direction: Direction, transport: SectionTransport): string[] {
	const lines = [`m=audio ${local.port} ${transport.protocol} ${formats.map((format) => format.payloadType).join(" ")}`];
	for (const crypto of transport.cryptos) lines.push(writeCrypto(crypto));
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
