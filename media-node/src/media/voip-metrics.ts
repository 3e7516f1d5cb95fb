import {
	CODEC_IMPAIRMENTS,
	meanOpinionScore,
	type ReceptionReport,
	type ReceptionStatistics,
	transmissionRating,
	writeVoipMetrics,
} from "@trunkline/rtp";
import type { PhoneCodec } from "../call/ports.ts";

const PACKET_MS = 20;

/** What is heard of the telephone, as a VoIP metrics report block (RFC 3611 §4.7) for those that ask for it. Nothing waits here on its way to the room. */
export function voipMetrics(
	ssrc: number,
	peerSsrc: number,
	codec: PhoneCodec,
	received: ReceptionReport,
	statistics: ReceptionStatistics,
	roundTripMs: number | undefined,
): Uint8Array {
	const lossRate = Math.max(0, (256 * received.cumulativeLost) / received.expected);
	const lossPercent = (lossRate * 100) / 256;
	const rate = (delayMs: number): number => transmissionRating(CODEC_IMPAIRMENTS[codec], { delayMs, lossPercent });
	const rFactor = rate((roundTripMs ?? 0) / 2 + PACKET_MS);
	return writeVoipMetrics(ssrc, {
		sourceSsrc: peerSsrc,
		lossRate,
		// what comes late goes on in its place
		discardRate: 0,
		...statistics.bursts(PACKET_MS),
		roundTripMs,
		endSystemMs: PACKET_MS,
		rFactor,
		mosListening: meanOpinionScore(rate(0)),
		mosConversation: meanOpinionScore(rFactor),
		bufferMs: 0,
	});
}
