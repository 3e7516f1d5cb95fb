/** Pitch of speech: 66 to 400 Hz. */
const MIN_PERIOD_MS = 2.5;
const MAX_PERIOD_MS = 15;
/** Kept of what was played: two of the longest periods. */
const HISTORY_MS = 30;
/** Full level this long, then down to nothing (G.711 Appendix I fades over 60 ms, too). */
const HOLD_MS = 10;
const FADE_MS = 50;
/** The real sound comes back over this long. */
const BLEND_MS = 5;

/**
 * Fills in for lost audio: repeats the last pitch period and fades it out, and blends back into what comes next. After 60 ms it is silence.
 */
export class LossConcealment {
	readonly #ticksPerMs: number;
	readonly #history: Int16Array;
	#period = 0;
	/** samples made up since the last real one */
	#concealed = 0;

	constructor(rate: number) {
		this.#ticksPerMs = rate / 1000;
		this.#history = new Int16Array(HISTORY_MS * this.#ticksPerMs);
	}

	/** Takes a frame that did arrive; smooths its first samples in place when the one before was made up. */
	received(frame: Int16Array): void {
		if (this.#concealed > 0) {
			const blend = Math.min(frame.length, Math.round(BLEND_MS * this.#ticksPerMs));
			for (let i = 0; i < blend; i++) {
				const share = (i + 1) / (blend + 1);
				frame[i] = Math.round((frame[i] ?? 0) * share + this.#madeUp() * (1 - share));
			}
			this.#concealed = 0;
		}
		this.#remember(frame);
	}

	/** Fills `out` in place of a frame that did not arrive. */
	conceal(out: Int16Array): Int16Array {
		if (this.#concealed === 0) this.#period = this.#findPeriod();
		for (let i = 0; i < out.length; i++) out[i] = this.#madeUp();
		return out;
	}

	#madeUp(): number {
		const ms = this.#concealed / this.#ticksPerMs;
		const gain = ms <= HOLD_MS ? 1 : Math.max(0, 1 - (ms - HOLD_MS) / FADE_MS);
		const sample = this.#history[this.#history.length - this.#period + (this.#concealed % this.#period)] ?? 0;
		this.#concealed += 1;
		return Math.round(sample * gain);
	}

	#remember(frame: Int16Array): void {
		const length = this.#history.length;
		if (frame.length >= length) {
			this.#history.set(frame.subarray(frame.length - length));
			return;
		}
		this.#history.copyWithin(0, frame.length);
		this.#history.set(frame, length - frame.length);
	}

	/** The lag at which the end of the history is most like itself (normalised correlation over one longest period). */
	#findPeriod(): number {
		const history = this.#history;
		const longest = Math.round(MAX_PERIOD_MS * this.#ticksPerMs);
		// a coarse step is enough for rates above a telephone's
		const stride = Math.max(1, Math.floor(this.#ticksPerMs / 8));
		const from = history.length - longest;
		let best = longest;
		let bestScore = 0;
		for (let lag = Math.round(MIN_PERIOD_MS * this.#ticksPerMs); lag <= longest; lag += stride) {
			let cross = 0;
			let energy = 0;
			for (let i = from; i < history.length; i += stride) {
				const past = history[i - lag] ?? 0;
				cross += (history[i] ?? 0) * past;
				energy += past * past;
			}
			const score = cross <= 0 || energy === 0 ? 0 : (cross * cross) / energy;
			if (score > bestScore * 1.001) {
				bestScore = score;
				best = lag;
			}
		}
		return best;
	}
}
