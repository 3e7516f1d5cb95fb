import { readUint16, readUint32, writeUint16, writeUint32 } from "./bytes.ts";

const SR = 200;
const RR = 201;
const SDES = 202;
const BYE = 203;
const REPORT_BYTES = 24;
/** Seconds between 1900 (NTP) and 1970 (Unix). */
const NTP_EPOCH_OFFSET_SECONDS = 2_208_988_800;
/** A datagram holds no more; a limit for what a stranger can make us allocate. */
const MAX_PACKETS = 64;

/** RFC 3550 §6.4.1 */
export interface ReportBlock {
	ssrc: number;
	/** of 256 */
	fractionLost: number;
	/** signed, 24 bits */
	cumulativeLost: number;
	extendedHighest: number;
	/** in ticks of the RTP clock */
	jitterTicks: number;
	/** middle 32 bits of the NTP time of the last SR, 0 when none */
	lastSr: number;
	/** in units of 1/65536 s, 0 when no SR came */
	delaySinceLastSr: number;
}

export interface SenderInfo {
	ntpSeconds: number;
	ntpFraction: number;
	rtpTimestamp: number;
	packetCount: number;
	octetCount: number;
}

export type RtcpPacket =
	| { type: "sr"; ssrc: number; sender: SenderInfo; reports: ReportBlock[] }
	| { type: "rr"; ssrc: number; reports: ReportBlock[] }
	| { type: "bye"; ssrcs: number[] }
	/** anything else (SDES, APP, feedback), told by its number only */
	| { type: "other"; packetType: number };

/** Reads a compound RTCP packet (RFC 3550 §6.1); `undefined` when any length in it is wrong. */
export function parseRtcp(bytes: Uint8Array): RtcpPacket[] | undefined {
	const packets: RtcpPacket[] = [];
	let offset = 0;
	while (offset < bytes.length) {
		if (offset + 4 > bytes.length || packets.length >= MAX_PACKETS) return undefined;
		const head = bytes[offset] ?? 0;
		const end = offset + 4 + readUint16(bytes, offset + 2) * 4;
		if (head >> 6 !== 2 || end > bytes.length) return undefined;
		const packet = parseOne(bytes.subarray(offset, end), head & 0x1f);
		if (packet === undefined) return undefined;
		packets.push(packet);
		offset = end;
	}
	return packets.length === 0 ? undefined : packets;
}

function parseOne(bytes: Uint8Array, count: number): RtcpPacket | undefined {
	const packetType = bytes[1] ?? 0;
	if (packetType === SR) {
		if (bytes.length < 28 + count * REPORT_BYTES) return undefined;
		const sender: SenderInfo = {
			ntpSeconds: readUint32(bytes, 8),
			ntpFraction: readUint32(bytes, 12),
			rtpTimestamp: readUint32(bytes, 16),
			packetCount: readUint32(bytes, 20),
			octetCount: readUint32(bytes, 24),
		};
		return { type: "sr", ssrc: readUint32(bytes, 4), sender, reports: parseReports(bytes, 28, count) };
	}
	if (packetType === RR) {
		if (bytes.length < 8 + count * REPORT_BYTES) return undefined;
		return { type: "rr", ssrc: readUint32(bytes, 4), reports: parseReports(bytes, 8, count) };
	}
	if (packetType === BYE) {
		if (bytes.length < 4 + count * 4) return undefined;
		return { type: "bye", ssrcs: Array.from({ length: count }, (_, i) => readUint32(bytes, 4 + i * 4)) };
	}
	return { type: "other", packetType };
}

function parseReports(bytes: Uint8Array, offset: number, count: number): ReportBlock[] {
	return Array.from({ length: count }, (_, i) => {
		const at = offset + i * REPORT_BYTES;
		const loss = readUint32(bytes, at + 4);
		return {
			ssrc: readUint32(bytes, at),
			fractionLost: loss >>> 24,
			cumulativeLost: (loss << 8) >> 8,
			extendedHighest: readUint32(bytes, at + 8),
			jitterTicks: readUint32(bytes, at + 12),
			lastSr: readUint32(bytes, at + 16),
			delaySinceLastSr: readUint32(bytes, at + 20),
		};
	});
}

/** A sender report; with `cname` the compound of SR and SDES that RFC 3550 §6.1 asks for. */
export function writeSenderReport(ssrc: number, sender: SenderInfo, reports: readonly ReportBlock[], cname?: string): Uint8Array {
	const bytes = header(SR, reports.length, 28 + reports.length * REPORT_BYTES, cname);
	writeUint32(bytes, 4, ssrc);
	writeUint32(bytes, 8, sender.ntpSeconds);
	writeUint32(bytes, 12, sender.ntpFraction);
	writeUint32(bytes, 16, sender.rtpTimestamp);
	writeUint32(bytes, 20, sender.packetCount);
	writeUint32(bytes, 24, sender.octetCount);
	writeReports(bytes, 28, reports);
	if (cname !== undefined) writeSdes(bytes, 28 + reports.length * REPORT_BYTES, ssrc, cname);
	return bytes;
}

/** A receiver report; with `cname` followed by the SDES packet. */
export function writeReceiverReport(ssrc: number, reports: readonly ReportBlock[], cname?: string): Uint8Array {
	const bytes = header(RR, reports.length, 8 + reports.length * REPORT_BYTES, cname);
	writeUint32(bytes, 4, ssrc);
	writeReports(bytes, 8, reports);
	if (cname !== undefined) writeSdes(bytes, 8 + reports.length * REPORT_BYTES, ssrc, cname);
	return bytes;
}

/** "This source leaves" (RFC 3550 §6.6), after the empty receiver report that a compound must begin with, and with `cname` the SDES (§6.1). */
export function writeBye(ssrc: number, cname?: string): Uint8Array {
	const report = writeReceiverReport(ssrc, [], cname);
	const bytes = new Uint8Array(report.length + 8);
	bytes.set(report, 0);
	bytes[report.length] = 0x81;
	bytes[report.length + 1] = BYE;
	writeUint16(bytes, report.length + 2, 1);
	writeUint32(bytes, report.length + 4, ssrc);
	return bytes;
}

/** NTP time of a Unix time in ms (RFC 3550 §4), as the two words of a sender report. */
export function ntpFromUnixMs(unixMs: number): { ntpSeconds: number; ntpFraction: number } {
	const seconds = Math.floor(unixMs / 1000);
	return {
		ntpSeconds: (seconds + NTP_EPOCH_OFFSET_SECONDS) >>> 0,
		ntpFraction: Math.floor(((unixMs - seconds * 1000) / 1000) * 2 ** 32) >>> 0,
	};
}

function header(packetType: number, count: number, length: number, cname: string | undefined): Uint8Array {
	if (count > 31) throw new RangeError("RTCP: at most 31 report blocks");
	const bytes = new Uint8Array(length + (cname === undefined ? 0 : sdesLength(cname)));
	bytes[0] = 0x80 | count;
	bytes[1] = packetType;
	writeUint16(bytes, 2, length / 4 - 1);
	return bytes;
}

function writeReports(bytes: Uint8Array, offset: number, reports: readonly ReportBlock[]): void {
	let at = offset;
	for (const report of reports) {
		const lost = Math.max(-0x800000, Math.min(0x7fffff, report.cumulativeLost));
		writeUint32(bytes, at, report.ssrc);
		writeUint32(bytes, at + 4, (report.fractionLost << 24) | (lost & 0xffffff));
		writeUint32(bytes, at + 8, report.extendedHighest);
		writeUint32(bytes, at + 12, report.jitterTicks);
		writeUint32(bytes, at + 16, report.lastSr);
		writeUint32(bytes, at + 20, report.delaySinceLastSr);
		at += REPORT_BYTES;
	}
}

/** One chunk: SSRC, the CNAME item, and at least one zero byte up to a multiple of four (RFC 3550 §6.5). */
function sdesLength(cname: string): number {
	if (cname.length > 255 || !/^[\x21-\x7e]+$/.test(cname)) throw new RangeError("RTCP CNAME: 1..255 printable ASCII characters");
	return 8 + Math.ceil((2 + cname.length + 1) / 4) * 4;
}

function writeSdes(bytes: Uint8Array, offset: number, ssrc: number, cname: string): void {
	bytes[offset] = 0x81;
	bytes[offset + 1] = SDES;
	writeUint16(bytes, offset + 2, sdesLength(cname) / 4 - 1);
	writeUint32(bytes, offset + 4, ssrc);
	bytes[offset + 8] = 1; // CNAME
	bytes[offset + 9] = cname.length;
	for (let i = 0; i < cname.length; i++) bytes[offset + 10 + i] = cname.charCodeAt(i);
}
