/** Reception statistics of one RTP stream for receiver reports (RFC 3550 §6.4.1, A.1, A.3, A.8). Pure. */

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

/** RFC 3550 A.1 */
const MAX_DROPOUT = 3000;
const SEQUENCE_MODULUS = 1 << 16;

export class ReceptionStatistics {
	#base: number | undefined;
	#highest = 0;
	#cycles = 0;
	#received = 0;
	#expectedBefore = 0;
	#receivedBefore = 0;
	#jitter = 0;
	#transit: number | undefined;
	#senderReport: { ntpMiddle: number; at: number } | undefined;

	/** `now` in milliseconds */
	receive(sequence: number, timestamp: number, clockRate: number, now: number): void {
		if (this.#base === undefined) {
			this.#base = sequence;
			this.#highest = sequence;
		} else {
			const step = (sequence - this.#highest) & 0xffff;
			if (step > 0 && step < MAX_DROPOUT) {
				if (sequence < this.#highest) this.#cycles += SEQUENCE_MODULUS;
				this.#highest = sequence;
			}
		}
		this.#received++;
		// A.8, in floating point
		const transit = (now * clockRate) / 1000 - timestamp;
		if (this.#transit !== undefined) {
			const difference = Math.abs(transit - this.#transit);
			// a jump of over a second is a new timeline, not jitter
			if (difference < clockRate) this.#jitter += (difference - this.#jitter) / 16;
		}
		this.#transit = transit;
	}

	/** `ntpTimestamp` is the 64-bit one of a sender report */
	senderReport(ntpTimestamp: bigint, now: number): void {
		this.#senderReport = { ntpMiddle: Number((ntpTimestamp >> 16n) & 0xffff_ffffn), at: now };
	}

	/** undefined before the first packet */
	report(now: number): ReceptionReport | undefined {
		if (this.#base === undefined) return undefined;
		const highestSequence = (this.#cycles + this.#highest) >>> 0;
		const expected = highestSequence - this.#base + 1;
		const expectedNow = expected - this.#expectedBefore;
		const lostNow = expectedNow - (this.#received - this.#receivedBefore);
		this.#expectedBefore = expected;
		this.#receivedBefore = this.#received;
		return {
			fractionLost: expectedNow <= 0 || lostNow <= 0 ? 0 : Math.min(255, Math.floor((lostNow * 256) / expectedNow)),
			// 24 bits, signed; duplicates could make it negative, which helps nobody
			packetsLost: Math.max(0, Math.min(0x7f_ffff, expected - this.#received)),
			highestSequence,
			jitter: Math.round(this.#jitter) >>> 0,
			lsr: this.#senderReport?.ntpMiddle ?? 0,
			dlsr: this.#senderReport === undefined ? 0 : Math.round(((now - this.#senderReport.at) * 65536) / 1000) >>> 0,
		};
	}
}
