/** What receiver reports say of one RTP stream (RFC 3550 §6.4.1). Pure. */
import { ReceptionStatistics as StreamStatistics } from "@trunkline/rtp";

export interface ReceptionReport {
	/** 8-bit fixed point share of packets lost since the last report */
	fractionLost: number;
	packetsLost: number;
	/** extended highest sequence number */
	highestSequence: number;
	/** in timestamp units */
	jitter: number;
	/** middle 32 bits of the last sender report's NTP time, and the time since then in 1/65536 s; 0 without one */
	lsr: number;
	dlsr: number;
}

export class ReceptionStatistics {
	/** of the clock rate that the stream has now: another codec's timestamps are another time line */
	#stream: StreamStatistics | undefined;
	#clockRate = 0;
	#senderReport: { ntpMiddle: number; at: number } | undefined;

	/** `now` in milliseconds */
	receive(sequence: number, timestamp: number, clockRate: number, now: number): void {
		if (this.#stream === undefined || clockRate !== this.#clockRate) {
			this.#stream = new StreamStatistics(clockRate);
			this.#clockRate = clockRate;
		}
		this.#stream.onPacket(sequence, timestamp, now);
	}

	/** of a sender report's 64-bit time */
	senderReport({ ntpSeconds, ntpFraction }: { ntpSeconds: number; ntpFraction: number }, now: number): void {
		this.#senderReport = { ntpMiddle: (((ntpSeconds & 0xffff) << 16) | (ntpFraction >>> 16)) >>> 0, at: now };
	}

	/** undefined before the first packet */
	report(now: number): ReceptionReport | undefined {
		if (this.#stream === undefined) return undefined;
		const { fractionLost, cumulativeLost, extendedHighest, jitterMs } = this.#stream.report();
		return {
			fractionLost,
			// 24 bits, signed; duplicates could make it negative, which helps nobody
			packetsLost: Math.max(0, Math.min(0x7f_ffff, cumulativeLost)),
			highestSequence: extendedHighest >>> 0,
			jitter: Math.round((jitterMs * this.#clockRate) / 1000) >>> 0,
			lsr: this.#senderReport?.ntpMiddle ?? 0,
			dlsr: this.#senderReport === undefined ? 0 : Math.round(((now - this.#senderReport.at) * 65536) / 1000) >>> 0,
		};
	}
}
