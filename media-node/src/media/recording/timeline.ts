/** Samples of each channel that may be waiting: twice as much as late packets need, and a second of the writer's. */
const SECONDS = 3;

/**
 * Two channels on one time line, in samples since the beginning. Audio may come late and out of order within the last seconds; where none came there is
 * silence.
 */
export class StereoTimeline {
	readonly #capacity: number;
	readonly #rings: readonly [Int16Array, Int16Array];
	/** everything before has been taken */
	#taken = 0;

	constructor(rate: number) {
		this.#capacity = rate * SECONDS;
		this.#rings = [new Int16Array(this.#capacity), new Int16Array(this.#capacity)];
	}

	get taken(): number {
		return this.#taken;
	}

	/** 0 = left, 1 = right. What lies before `taken`, or further ahead than there is room, is left out. */
	write(channel: 0 | 1, position: number, pcm: Int16Array): void {
		const ring = this.#rings[channel];
		const from = Math.max(0, this.#taken - position);
		const to = Math.min(pcm.length, this.#taken + this.#capacity - position);
		for (let i = from; i < to; i++) ring[(position + i) % this.#capacity] = pcm[i] ?? 0;
	}

	/** Left and right in turn, up to `position`; nothing when that was taken already. */
	take(position: number): Int16Array {
		const [left, right] = this.#rings;
		const count = Math.max(0, Math.min(position - this.#taken, this.#capacity));
		const out = new Int16Array(count * 2);
		for (let i = 0; i < count; i++) {
			const at = (this.#taken + i) % this.#capacity;
			out[2 * i] = left[at] ?? 0;
			out[2 * i + 1] = right[at] ?? 0;
			left[at] = right[at] = 0;
		}
		this.#taken += count;
		return out;
	}
}

/** A stream that is this far from where the clock says it is has jumped, or drifted: its next frame goes where the clock says, ms. */
const MAX_OFF_MS = 120;

/** Puts the frames of one RTP stream on the time line: by their timestamps, as long as those agree with the clock. */
export class StreamPosition {
	readonly #rate: number;
	#last: { timestamp: number; position: number } | undefined;

	constructor(rate: number) {
		this.#rate = rate;
	}

	/**
	 * Where the frame begins. `timestamp` counts `clockRate` a second: 8,000 (G.711, and G.722 by RFC 3551 §4.5.2) or 48,000 (Opus); `elapsedMs` = its arrival
	 * since the beginning.
	 */
	of(timestamp: number, clockRate: number, elapsedMs: number): number {
		const expected = Math.round((elapsedMs * this.#rate) / 1000);
		let position = expected;
		if (this.#last !== undefined) {
			const byTimestamp = this.#last.position + Math.round((((timestamp - this.#last.timestamp) | 0) * this.#rate) / clockRate);
			if (Math.abs(byTimestamp - expected) <= (MAX_OFF_MS * this.#rate) / 1000) position = byTimestamp;
		}
		position = Math.max(0, position);
		this.#last = { timestamp, position };
		return position;
	}
}
