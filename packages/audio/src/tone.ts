const FULL_SCALE = 32767;
/** A sine of amplitude 1 has this level (RMS against a square wave). */
const SINE_DBOV = -3.0103;
/** Tones fade in and out over this long, so that switching does not click. */
const RAMP_MS = 4;

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

export type CallProgressTone = "dial" | "ringback" | "busy" | "congestion";

/** ETSI (ITU-T E.180): one frequency, and the cadence tells what it means: ms on, ms off, again and again. */
const CADENCES: Record<CallProgressTone, readonly [onMs: number, offMs: number]> = {
	dial: [1, 0],
	ringback: [1000, 4000],
	busy: [500, 500],
	congestion: [250, 250],
};
export const CALL_PROGRESS_HZ = 425;

/** Whether the tone sounds this long after it began. */
export function cadenceSounds(kind: CallProgressTone, elapsedMs: number): boolean {
	const [onMs, offMs] = CADENCES[kind];
	return elapsedMs % (onMs + offMs) < onMs;
}

/** What a caller hears before the answer, or instead of it. */
export class CallProgressGenerator {
	readonly #kind: CallProgressTone;
	readonly #rate: number;
	readonly #tone: ToneGenerator;
	#samples = 0;
	#gain = 0;

	constructor(kind: CallProgressTone, rate = 8000, levelDbov = -20) {
		this.#kind = kind;
		this.#rate = rate;
		this.#tone = new ToneGenerator(rate, [CALL_PROGRESS_HZ], levelDbov);
	}

	fill(out: Int16Array): Int16Array {
		this.#tone.fill(out);
		const step = 1000 / (this.#rate * RAMP_MS);
		for (let i = 0; i < out.length; i++) {
			const sounds = cadenceSounds(this.#kind, (this.#samples * 1000) / this.#rate);
			this.#gain = sounds ? Math.min(1, this.#gain + step) : Math.max(0, this.#gain - step);
			out[i] = Math.round((out[i] ?? 0) * this.#gain);
			this.#samples += 1;
		}
		return out;
	}
}
