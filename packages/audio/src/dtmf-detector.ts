import { DTMF_COLUMNS, DTMF_KEYS, DTMF_ROWS } from "./tone.ts";

const RATE = 8_000;
/** 12.75 ms: two of these are surely inside 40 ms, the shortest digit and the shortest pause that count (ITU-T Q.24) */
const BLOCK = 102;
/** mean square of the quietest tones: −36 dBov, well below Q.24's −29 dBm of the weaker tone */
const LEAST_POWER = (32_768 * 10 ** (-36 / 20)) ** 2;
/**
 * Twist, as ratio of powers: Q.24 wants 4 dB more of the column, and 8 dB more of the row, which lines make of equal ones. So short a block measures 2 dB
 * more or less.
 */
const MAX_COLUMN_OVER_ROW = 10 ** 0.6;
const MAX_ROW_OVER_COLUMN = 10 ** 1;
/** over every other tone of its group: 6 dB, as the stronger group leaks into the weaker one */
const PEAK = 10 ** 0.6;
/** of all power in the block; what else there is is noise, or speech that happens to have these two tones */
const LEAST_SHARE = 0.7;
/** Q.24: 1.5 % off is a digit, 3.5 % is none. */
const MAX_OFF = 0.025;
/** A pause of 40 ms has so many blocks without the digit wherever it lies, and a drop-out of 10 ms has not. */
const PAUSE_BLOCKS = 3;

interface Tone {
	readonly hz: number;
	readonly coefficient: number;
	readonly cosine: number;
	readonly sine: number;
	/** of the block */
	re: number;
	im: number;
	power: number;
}

const toneAt = (hz: number): Tone => {
	const omega = (2 * Math.PI * hz) / RATE;
	return { hz, coefficient: 2 * Math.cos(omega), cosine: Math.cos(omega), sine: Math.sin(omega), re: 0, im: 0, power: 0 };
};

/** One block that may be part of a digit. */
interface Hit {
	key: string;
	row: { hz: number; phase: number };
	column: { hz: number; phase: number };
}

/**
 * Digits out of audio (ITU-T Q.23, Q.24), for telephones that send no telephone-event. A digit is two tones, alone, at nearly the same level, of the same
 * frequencies to 2.5 % for two blocks on end; the same digit again needs three blocks without it. 8 kHz.
 */
export class DtmfDetector {
	readonly #rows = DTMF_ROWS.map(toneAt);
	readonly #columns = DTMF_COLUMNS.map(toneAt);
	readonly #block = new Float64Array(BLOCK);
	#filled = 0;
	#last: Hit | undefined;
	/** the digit that is down */
	#down: string | undefined;
	#misses = 0;

	/** Gives the digits that began in these samples, in order; usually none. */
	process(pcm: Int16Array): string {
		let digits = "";
		for (const sample of pcm) {
			this.#block[this.#filled++] = sample;
			if (this.#filled < BLOCK) continue;
			this.#filled = 0;
			digits += this.#afterBlock();
		}
		return digits;
	}

	#afterBlock(): string {
		const before = this.#last;
		const hit = this.#look();
		this.#last = hit;
		if (this.#down !== undefined && hit?.key === this.#down) {
			this.#misses = 0;
			return "";
		}
		const isSteady = hit !== undefined && before?.key === hit.key && isSame(before.row, hit.row) && isSame(before.column, hit.column);
		if (isSteady) {
			this.#down = hit.key;
			this.#misses = 0;
			return hit.key;
		}
		this.#misses += 1;
		if (this.#misses >= PAUSE_BLOCKS) this.#down = undefined;
		return "";
	}

	#look(): Hit | undefined {
		let energy = 0;
		for (const sample of this.#block) energy += sample * sample;
		if (energy / BLOCK < LEAST_POWER) return undefined;
		const row = this.#strongest(this.#rows);
		const column = this.#strongest(this.#columns);
		if (row === undefined || column === undefined) return undefined;
		if (column.power > row.power * MAX_COLUMN_OVER_ROW || row.power > column.power * MAX_ROW_OVER_COLUMN) return undefined;
		// |X|² of a sine of amplitude A over N samples is (A N / 2)²; its energy is A² N / 2
		if (((row.power + column.power) * 2) / BLOCK < LEAST_SHARE * energy) return undefined;
		const key = DTMF_KEYS[this.#rows.indexOf(row) * DTMF_COLUMNS.length + this.#columns.indexOf(column)];
		if (key === undefined) return undefined;
		return { key, row: phaseOf(row), column: phaseOf(column) };
	}

	/** Undefined: no tone of the group stands out. */
	#strongest(group: readonly Tone[]): Tone | undefined {
		for (const tone of group) goertzel(tone, this.#block);
		const [best, next] = group.toSorted((a, b) => b.power - a.power);
		return best !== undefined && next !== undefined && best.power > PEAK * next.power ? best : undefined;
	}
}

const phaseOf = ({ hz, re, im }: Tone): { hz: number; phase: number } => ({ hz, phase: Math.atan2(im, re) });

/** From one block to the next the phase of a tone moves by how far it is off: finer than the spectrum of so short a block could tell. */
function isSame(before: { hz: number; phase: number }, after: { hz: number; phase: number }): boolean {
	const turn = after.phase - before.phase - (2 * Math.PI * after.hz * BLOCK) / RATE;
	const wrapped = turn - 2 * Math.PI * Math.round(turn / (2 * Math.PI));
	const offHz = (wrapped * RATE) / (2 * Math.PI * BLOCK);
	return Math.abs(offHz) <= MAX_OFF * after.hz;
}

function goertzel(tone: Tone, block: Float64Array): void {
	let s1 = 0;
	let s2 = 0;
	for (const sample of block) {
		const s0 = sample + tone.coefficient * s1 - s2;
		s2 = s1;
		s1 = s0;
	}
	tone.re = s1 - s2 * tone.cosine;
	tone.im = s2 * tone.sine;
	tone.power = tone.re * tone.re + tone.im * tone.im;
}
