import type { HoldMusic } from "../call/ports.ts";

const RATE = 8_000;
/** ms; a quarter of a bar */
const NOTE_MS = 400;
const NOTE = (RATE * NOTE_MS) / 1000;
/** of full scale: as loud as quiet speech, about -24 dBov */
const AMPLITUDE = 0.09;

/** Broken chords of a slow turn in C: C, A minor, F, G. Hz; 0 = a rest. */
const TUNE: readonly number[] = [
	...[523.25, 659.26, 783.99, 659.26, 523.25, 659.26, 783.99, 0],
	...[440, 523.25, 659.26, 523.25, 440, 523.25, 659.26, 0],
	...[349.23, 440, 523.25, 440, 349.23, 440, 523.25, 0],
	...[392, 493.88, 587.33, 493.88, 392, 493.88, 587.33, 0],
];

/** Audio without an end, 8 kHz. */
export interface EndlessAudio {
	/** Fills all of `out` with what comes next, and gives it. */
	fill(out: Int16Array): Int16Array;
}

/** What a held caller hears: a file of the deployment (8 kHz), a small tune that is made here, or silence. */
export function holdMusic(music: HoldMusic, file?: Int16Array): EndlessAudio {
	if (music === "silence") return { fill: (out) => out.fill(0) };
	return file === undefined || file.length === 0 ? new HoldTune() : new Loop(file);
}

/** Plucked notes: a sine and its octave that fade away. */
class HoldTune implements EndlessAudio {
	#position = 0;

	fill(out: Int16Array): Int16Array {
		for (let i = 0; i < out.length; i++) {
			const index = Math.floor(this.#position / NOTE) % TUNE.length;
			const at = this.#position % NOTE;
			const angle = (2 * Math.PI * (TUNE[index] ?? 0) * at) / RATE;
			// 5 ms to begin without a click, then down to a third until the next note
			const envelope = Math.min(1, at / 40) * Math.exp((-1.1 * at) / NOTE);
			out[i] = Math.round(32_767 * AMPLITUDE * envelope * (Math.sin(angle) + 0.25 * Math.sin(2 * angle)));
			this.#position += 1;
		}
		return out;
	}
}

class Loop implements EndlessAudio {
	readonly #pcm: Int16Array;
	#position = 0;

	constructor(pcm: Int16Array) {
		this.#pcm = pcm;
	}

	fill(out: Int16Array): Int16Array {
		for (let i = 0; i < out.length; i++) {
			out[i] = this.#pcm[this.#position] ?? 0;
			this.#position = (this.#position + 1) % this.#pcm.length;
		}
		return out;
	}
}
