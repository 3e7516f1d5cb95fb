const FULL_SCALE = 32767;
/** A sine of amplitude 1 has this level (RMS against a square wave). */
const SINE_DBOV = -3.0103;

/** A steady sum of sines, continued from call to call. `levelDbov` is of each sine (RMS, a full-scale sine is −3). */
export class ToneGenerator {
	readonly #steps: number[];
	readonly #phases: number[];
	readonly #amplitude: number;

	constructor(rate: number, hz: readonly number[], levelDbov = -20) {
		this.#steps = hz.map((frequency) => (2 * Math.PI * frequency) / rate);
		this.#phases = hz.map(() => 0);
		this.#amplitude = FULL_SCALE * 10 ** ((levelDbov - SINE_DBOV) / 20);
	}

	/** Fills `out` with the next samples. */
	fill(out: Int16Array): Int16Array {
		out.fill(0);
		for (let k = 0; k < this.#steps.length; k++) {
			const step = this.#steps[k] ?? 0;
			let phase = this.#phases[k] ?? 0;
			for (let i = 0; i < out.length; i++) {
				const sum = (out[i] ?? 0) + this.#amplitude * Math.sin(phase);
				out[i] = Math.max(-32768, Math.min(32767, Math.round(sum)));
				phase += step;
			}
			this.#phases[k] = phase % (2 * Math.PI);
		}
		return out;
	}
}

/** `durationMs` of a tone in new samples. */
export function tone(rate: number, hz: number | readonly number[], durationMs: number, levelDbov = -20): Int16Array {
	const frequencies = typeof hz === "number" ? [hz] : hz;
	return new ToneGenerator(rate, frequencies, levelDbov).fill(new Int16Array(Math.round((rate * durationMs) / 1000)));
}

export const DTMF_ROWS = [697, 770, 852, 941] as const;
export const DTMF_COLUMNS = [1209, 1336, 1477, 1633] as const;
export const DTMF_KEYS = "123A456B789C*0#D";

/** The two frequencies of a digit (ITU-T Q.23); undefined when it is none. */
export function dtmfFrequencies(digit: string): readonly [number, number] | undefined {
	const index = digit.length === 1 ? DTMF_KEYS.indexOf(digit.toUpperCase()) : -1;
	const low = DTMF_ROWS[Math.floor(index / 4)];
	const high = DTMF_COLUMNS[index % 4];
	return index < 0 || low === undefined || high === undefined ? undefined : [low, high];
}
