/** RTCP of a session: one sender report with reception blocks every few seconds. */
import { ntpFromUnixMs, parseRtcp, type ReportBlock, writeReceiverReport, writeSenderReport } from "@trunkline/rtp";
import type { Downlink } from "./downlink.ts";
import type { Uplink } from "./uplink.ts";

/** RFC 3550 §6.2: five seconds at least */
export const REPORT_INTERVAL_MS = 5000;
/** RFC 3550 §6.4.1: the count of report blocks has five bits */
const MAX_BLOCKS = 31;

/** `now` monotonic, `wallClock` since 1970, both in milliseconds. Undefined before anything was sent or received. */
export function compoundReport(
	uplink: Uplink | undefined,
	downlink: Downlink,
	ssrc: number,
	cname: string,
	now: number,
	wallClock: number,
): Uint8Array | undefined {
	const blocks = receptionBlocks(downlink, now);
	const sent = uplink?.report();
	if (sent === undefined) return blocks.length === 0 ? undefined : writeReceiverReport(ssrc, blocks, cname);
	const sender = {
		...ntpFromUnixMs(wallClock),
		...{ rtpTimestamp: sent.timestamp, packetCount: sent.packets, octetCount: sent.octets },
	};
	return writeSenderReport(ssrc, sender, blocks, cname);
}

/** Keeps the sender reports of the server for the round trip times that it computes from ours. */
export function noteSenderReports(compound: Uint8Array, downlink: Downlink, now: number): void {
	for (const packet of parseRtcp(compound) ?? []) {
		if (packet.type === "sr") downlink.statisticsOf(packet.ssrc)?.senderReport(packet.sender, now);
	}
}

function receptionBlocks(downlink: Downlink, now: number): ReportBlock[] {
	const blocks: ReportBlock[] = [];
	for (const [ssrc, statistics] of downlink.statistics()) {
		const report = statistics.report(now);
		if (report === undefined || blocks.length >= MAX_BLOCKS) continue;
		blocks.push({
			...{ ssrc, fractionLost: report.fractionLost, cumulativeLost: report.packetsLost, extendedHighest: report.highestSequence },
			...{ jitterTicks: report.jitter, lastSr: report.lsr, delaySinceLastSr: report.dlsr },
		});
	}
	return blocks;
}
