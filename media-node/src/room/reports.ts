/** RTCP of a session: one sender report with reception blocks every few seconds, instead of werift's two timers per track. */
import { ntpFromUnixMs } from "@trunkline/rtp";
import { type RtcpPacket, RtcpReceiverInfo, RtcpRrPacket, RtcpSenderInfo, RtcpSourceDescriptionPacket, RtcpSrPacket } from "werift";
import { SourceDescriptionChunk, SourceDescriptionItem } from "werift";
import type { Downlink } from "./downlink.ts";
import type { Uplink } from "./uplink.ts";

/** RFC 3550 §6.2: five seconds at least */
export const REPORT_INTERVAL_MS = 5000;
/** RFC 3550 §6.4.1: the count of report blocks has five bits */
const MAX_BLOCKS = 31;

/** `now` monotonic, `wallClock` since 1970, both in milliseconds. Empty before anything was sent or received. */
export function compoundReport(
	uplink: Uplink | undefined,
	downlink: Downlink,
	ssrc: number,
	cname: string,
	now: number,
	wallClock: number,
) {
	const reports = receptionBlocks(downlink, now);
	const sent = uplink?.report();
	if (sent === undefined && reports.length === 0) return [];
	const first: RtcpPacket =
		sent === undefined
			? new RtcpRrPacket({ ssrc, reports })
			: new RtcpSrPacket({
					ssrc,
					senderInfo: new RtcpSenderInfo({
						ntpTimestamp: ntpTimestamp(wallClock),
						rtpTimestamp: sent.timestamp,
						packetCount: sent.packets,
						octetCount: sent.octets,
					}),
					reports,
				});
	const name = new SourceDescriptionItem({ type: 1, text: cname });
	return [first, new RtcpSourceDescriptionPacket({ chunks: [new SourceDescriptionChunk({ source: ssrc, items: [name] })] })];
}

/** 64-bit fixed point seconds since 1900 (RFC 3550 §4). */
export function ntpTimestamp(wallClock: number): bigint {
	const { ntpSeconds, ntpFraction } = ntpFromUnixMs(wallClock);
	return (BigInt(ntpSeconds) << 32n) | BigInt(ntpFraction);
}

/** Keeps the sender reports of the server for the round trip times that it computes from ours. */
export function noteSenderReport(packet: RtcpPacket, downlink: Downlink, now: number): void {
	if (packet instanceof RtcpSrPacket) downlink.statisticsOf(packet.ssrc)?.senderReport(packet.senderInfo.ntpTimestamp, now);
}

function receptionBlocks(downlink: Downlink, now: number): RtcpReceiverInfo[] {
	const blocks: RtcpReceiverInfo[] = [];
	for (const [ssrc, statistics] of downlink.statistics()) {
		const report = statistics.report(now);
		if (report !== undefined && blocks.length < MAX_BLOCKS) blocks.push(new RtcpReceiverInfo({ ssrc, ...report }));
	}
	return blocks;
}
