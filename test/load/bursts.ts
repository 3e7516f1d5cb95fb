import { ToneGenerator } from "@trunkline/audio";

/** Bursts are so far apart that the one that is heard is the one said last: a delay above this would be told wrongly. */
export const PERIOD_MS = 500;
const BURST_MS = 60;
const HZ = 1_000;
const LEVEL_DBOV = -10;
/** far above what a codec makes of digital silence, far below the tone (its peaks are at 14,600) */
const THRESHOLD = 2_000;
/** A burst's echoes, gaps and codec ringing do not count as another one. */
const QUIET_MS = 100;

/** A short tone every half second, silence between: whoever hears it can tell when each one began. */
export class BurstSpeaker {
	readonly #frameMs: number;
	readonly #tone: ToneGenerator;
	/** ms of audio made so far, within the period */
	#position: number;
	/** when each burst's first sample was sent, ms */
	readonly sentAt: number[] = [];

	/** `startMs` (below the period) of silence come first, so that calls do not speak in chorus. */
	constructor(rate: number, frameMs: number, startMs: number) {
		this.#tone = new ToneGenerator(rate, [HZ], LEVEL_DBOV);
		this.#frameMs = frameMs;
		this.#position = PERIOD_MS - Math.floor(startMs / frameMs) * frameMs;
	}

	/** Fills the next frame, which leaves at `now`. */
	fill(frame: Int16Array, now: number): void {
		if (this.#position >= PERIOD_MS) this.#position = 0;
		if (this.#position === 0) this.sentAt.push(now);
		if (this.#position < BURST_MS) this.#tone.fill(frame);
		else frame.fill(0);
		this.#position += this.#frameMs;
	}
}

/** Hears the beginnings of bursts in a stream of samples. */
export class BurstListener {
	/** when the packet or chunk with each burst's first sample arrived, ms */
	readonly heardAt: number[] = [];
	#loudAt = Number.NEGATIVE_INFINITY;

	hear(pcm: Int16Array, now: number): void {
		if (!pcm.some((sample) => Math.abs(sample) > THRESHOLD)) return;
		if (now - this.#loudAt > QUIET_MS) this.heardAt.push(now);
		this.#loudAt = now;
	}
}

export interface Delays {
	/** ms, of each burst that was heard */
	delays: number[];
	/** bursts that were said and not heard */
	missed: number;
}

/** Matches each burst said in `from`..`until` (ms) with the first one heard before the next was said. */
export function matchBursts(sentAt: readonly number[], heardAt: readonly number[], from: number, until: number): Delays {
	const delays: number[] = [];
	let missed = 0;
	sentAt.forEach((sent, index) => {
		if (sent < from || sent > until) return;
		const next = sentAt[index + 1] ?? Number.POSITIVE_INFINITY;
		const heard = heardAt.find((at) => at >= sent && at < next);
		if (heard === undefined) missed += 1;
		else delays.push(heard - sent);
	});
	return { delays, missed };
}
