import { LossBursts } from "./rtcp-xr.ts";

/** How far `to` is ahead of `from` on the 16-bit circle, -32768..32767. */
export function sequenceDelta(from: number, to: number): number {
	return ((to - from) << 16) >> 16;
}

/** How far `to` is ahead of `from` on the 32-bit circle, in the clock's ticks. */
export function timestampDelta(from: number, to: number): number {
	return (to - from) | 0;
}

/** Unrolls a counter that wraps (RTP sequence number or timestamp) into one that does not; follows it in both directions. */
export class Unwrapper {
	readonly #bits: 16 | 32;
	#last: number | undefined;

	constructor(bits: 16 | 32) {
		this.#bits = bits;
	}

	/** The first value comes back as it is; a later one as the nearest to the one before. */
	unwrap(value: number): number {
		if (this.#last === undefined) this.#last = value;
		else this.#last += this.#bits === 16 ? sequenceDelta(this.#last, value) : timestampDelta(this.#last, value);
		return this.#last;
	}

	/** Forgets: the next value starts anew. */
	reset(): void {
		this.#last = undefined;
	}
}

/** One stream's reception as a report block tells it (RFC 3550 §6.4.1), and a little more. */
export interface ReceptionReport {
	/** cycles × 65536 + highest sequence number */
	extendedHighest: number;
	received: number;
	expected: number;
	/** expected − received; negative when packets came twice */
	cumulativeLost: number;
	/** 0..255 of 256, since the report before; 0 when nothing was expected */
	fractionLost: number;
	/** RFC 3550 A.8, in ticks of the RTP clock */
	jitterTicks: number;
	jitterMs: number;
}

/** What came of a stream since it began, over restarts and changes of its SSRC. */
export interface ReceptionTotals {
	/** packets, those that came twice included */
	received: number;
	/** never came; in all that came, how often a number is missing */
	lost: number;
	/** came after one with a higher number, for the first time */
	reordered: number;
	/** came again */
	duplicates: number;
	/** RFC 3550 A.8 */
	jitterMs: number;
}

// RFC 3550 A.1
const MAX_DROPOUT = 3000;
const MAX_MISORDER = 100;
const SEQUENCE_MOD = 1 << 16;
/** above MAX_MISORDER, a power of two: of so many numbers is known whether they were there */
const REMEMBERED = 128;

/**
 * Loss and jitter of one stream: RFC 3550 A.1 (sequence), A.3 (loss), A.8 (jitter). There is no probation: the source is known from SDP,
 * and the first packet of a call counts.
 */
export class ReceptionStatistics {
	#ticksPerMs: number;
	#base = -1;
	#highest = 0;
	#cycles = 0;
	/** the sequence number that would prove a restart of the sender */
	#restartAt = -1;
	#received = 0;
	#receivedBefore = 0;
	#expectedBefore = 0;
	/** -1 = none yet */
	#arrivalTicks = -1;
	#timestamp = 0;
	#jitter = 0;
	#reordered = 0;
	#duplicates = 0;
	#bursts = new LossBursts();
	/** when something was lost last: how many had come */
	#receivedAtLoss = 0;
	/** sequence numbers that were there, each at its place modulo REMEMBERED; -1 = none */
	readonly #seen = new Int32Array(REMEMBERED).fill(-1);
	/** of streams before this one */
	#carried = { received: 0, lost: 0, reordered: 0, duplicates: 0 };

	constructor(clockRate: number) {
		this.#ticksPerMs = clockRate / 1000;
	}

	/**
	 * Counts one packet. False when its sequence number is so far off that it is left out until a second one confirms it. `onClock` false: its timestamp
	 * is not when it was sampled (RFC 4733 §2.2: all packets of an event have the event's), and says nothing of jitter.
	 */
	onPacket(sequence: number, timestamp: number, arrivalMs: number, onClock = true): boolean {
		if (this.#base < 0) this.#start(sequence);
		else if (!this.#advance(sequence)) return false;
		if (onClock) this.#updateJitter(timestamp, arrivalMs);
		this.#received += 1;
		return true;
	}

	/** Another source from now on (RFC 3550 §8), or another codec with another clock: numbers and clock begin anew, the totals go on. */
	restart(clockRate = this.#ticksPerMs * 1000): void {
		this.#ticksPerMs = clockRate / 1000;
		this.#carry();
		this.#base = -1;
	}

	/** In all; asking changes nothing. */
	totals(): ReceptionTotals {
		const { received, lost, reordered, duplicates } = this.#carried;
		return {
			received: received + this.#received,
			lost: lost + this.#lost(),
			reordered: reordered + this.#reordered,
			duplicates: duplicates + this.#duplicates,
			jitterMs: this.#jitter / this.#ticksPerMs,
		};
	}

	/** The figures now; `fractionLost` counts from the call of `report` before. */
	report(): ReceptionReport {
		const extendedHighest = this.#cycles + this.#highest;
		const expected = this.#base < 0 ? 0 : extendedHighest - this.#base + 1;
		const expectedInterval = expected - this.#expectedBefore;
		const lostInterval = expectedInterval - (this.#received - this.#receivedBefore);
		this.#expectedBefore = expected;
		this.#receivedBefore = this.#received;
		return {
			extendedHighest,
			received: this.#received,
			expected,
			cumulativeLost: expected - this.#received,
			fractionLost: expectedInterval <= 0 || lostInterval <= 0 ? 0 : Math.min(255, Math.floor((lostInterval * 256) / expectedInterval)),
			jitterTicks: Math.floor(this.#jitter),
			jitterMs: this.#jitter / this.#ticksPerMs,
		};
	}

	/** How losses cluster (RFC 3611 §4.7.2), since the stream began; of packets of `packetMs`. */
	bursts(packetMs: number): ReturnType<LossBursts["summary"]> {
		return this.#bursts.summary(packetMs, this.#received - this.#receivedAtLoss);
	}

	#lost(): number {
		if (this.#base < 0) return 0;
		return Math.max(0, this.#cycles + this.#highest - this.#base + 1 - this.#received + this.#duplicates);
	}

	#carry(): void {
		const { received, lost, reordered, duplicates } = this.totals();
		this.#carried = { received, lost, reordered, duplicates };
		this.#received = this.#reordered = this.#duplicates = 0;
	}

	#start(sequence: number): void {
		this.#carry();
		this.#seen.fill(-1);
		this.#seen[sequence % REMEMBERED] = sequence;
		this.#base = sequence;
		this.#highest = sequence;
		this.#cycles = 0;
		this.#restartAt = -1;
		this.#received = 0;
		this.#receivedBefore = 0;
		this.#expectedBefore = 0;
		this.#arrivalTicks = -1;
		this.#jitter = 0;
		this.#bursts = new LossBursts();
		this.#receivedAtLoss = 0;
	}

	#advance(sequence: number): boolean {
		const ahead = (sequence - this.#highest) & 0xffff;
		if (ahead < MAX_DROPOUT) {
			if (sequence < this.#highest) this.#cycles += SEQUENCE_MOD;
			if (ahead === 0) this.#duplicates += 1;
			else if (ahead > 1) this.#noteLoss(ahead - 1);
			this.#highest = sequence;
			this.#seen[sequence % REMEMBERED] = sequence;
			this.#restartAt = -1;
			return true;
		}
		if (ahead <= SEQUENCE_MOD - MAX_MISORDER) {
			// A.1: two in a row with a big jump: the other side restarted without telling
			if (sequence === this.#restartAt) {
				this.#start(sequence);
				return true;
			}
			this.#restartAt = (sequence + 1) & 0xffff;
			return false;
		}
		if (this.#seen[sequence % REMEMBERED] === sequence) this.#duplicates += 1;
		else this.#reordered += 1;
		this.#seen[sequence % REMEMBERED] = sequence;
		return true;
	}

	/** One that comes late counts as lost here: whoever plays the stream did without it. */
	#noteLoss(count: number): void {
		this.#bursts.lost(count, this.#received - this.#receivedAtLoss);
		this.#receivedAtLoss = this.#received;
	}

	#updateJitter(timestamp: number, arrivalMs: number): void {
		const arrivalTicks = arrivalMs * this.#ticksPerMs;
		if (this.#arrivalTicks >= 0) {
			const difference = Math.abs(arrivalTicks - this.#arrivalTicks - timestampDelta(this.#timestamp, timestamp));
			this.#jitter += (difference - this.#jitter) / 16;
		}
		this.#arrivalTicks = arrivalTicks;
		this.#timestamp = timestamp;
	}
}
