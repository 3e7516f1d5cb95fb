import { ILB, ILN, ILP, Q6, QM2, QM4, QM6, QMF, WH, WL } from "./g722-tables.ts";

/** Samples that a byte stands for: two at 16 kHz. */
const SAMPLES_PER_BYTE = 2;
const TAPS = 24;

/**
 * One sub-band's ADPCM state (ITU-T G.722 §3.5, §3.6, §6.2.1): a predictor of two poles and six zeroes, and the scale factor of the quantizer. Encoder and
 * decoder run the same, so that both predict the same.
 */
class SubBand {
	/** what the next sample is expected to be */
	predicted = 0;
	/** scale factor of the quantizer */
	scale: number;
	readonly #isLower: boolean;
	#logScale = 0;
	/** prediction by the zeroes alone */
	#zeroes = 0;
	/** latest first */
	readonly #differences = new Int32Array(6);
	readonly #zeroCoefficients = new Int32Array(6);
	#reconstructed1 = 0;
	#partial1 = 0;
	#partial2 = 0;
	#pole1 = 0;
	#pole2 = 0;

	constructor(isLower: boolean) {
		this.#isLower = isLower;
		this.scale = isLower ? 32 : 8;
	}

	/** BLOCK 3: the scale factor follows the code word; 4 bits in the lower sub-band, 2 in the higher. */
	rescale(code: number): void {
		const [weights, max, shift] = this.#isLower ? [WL, 18_432, 8] : [WH, 22_528, 10];
		const log = ((this.#logScale * 127) >> 7) + (weights[code] ?? 0);
		this.#logScale = log < 0 ? 0 : log > max ? max : log;
		const fraction = ILB[(this.#logScale >> 6) & 31] ?? 0;
		const exponent = shift - (this.#logScale >> 11);
		this.scale = (exponent < 0 ? fraction << -exponent : fraction >> exponent) << 2;
	}

	/** BLOCK 4: the predictor follows the quantized difference. */
	adapt(difference: number): void {
		const reconstructed = saturate(this.predicted + difference);
		const partial = saturate(this.#zeroes + difference);
		this.#adaptPoles(partial);
		this.#adaptZeroes(difference);
		const poles =
			((this.#pole1 * saturate(reconstructed + reconstructed)) >> 15) +
			((this.#pole2 * saturate(this.#reconstructed1 + this.#reconstructed1)) >> 15);
		this.#reconstructed1 = reconstructed;
		this.predicted = saturate(saturate(poles) + this.#zeroes);
	}

	#adaptPoles(partial: number): void {
		const same1 = sign(partial) === sign(this.#partial1);
		const same2 = sign(partial) === sign(this.#partial2);
		// UPPOL2
		const four = saturate(this.#pole1 << 2);
		const towards = Math.min(same1 ? -four : four, 32_767) >> 7;
		const second = towards + (same2 ? 128 : -128) + ((this.#pole2 * 32_512) >> 15);
		const pole2 = second > 12_288 ? 12_288 : second < -12_288 ? -12_288 : second;
		// UPPOL1, after the second: the pair has to stay within what is stable
		const first = saturate(((this.#pole1 * 32_640) >> 15) + (same1 ? 192 : -192));
		const limit = saturate(15_360 - pole2);
		this.#pole1 = first > limit ? limit : first < -limit ? -limit : first;
		this.#pole2 = pole2;
		this.#partial2 = this.#partial1;
		this.#partial1 = partial;
	}

	#adaptZeroes(difference: number): void {
		const step = difference === 0 ? 0 : 128;
		const differences = this.#differences;
		const coefficients = this.#zeroCoefficients;
		let sum = 0;
		for (let i = 5; i >= 0; i--) {
			const past = differences[i] ?? 0;
			const change = sign(difference) === sign(past) ? step : -step;
			const coefficient = saturate((((coefficients[i] ?? 0) * 32_640) >> 15) + change);
			coefficients[i] = coefficient;
			const newer = i === 0 ? difference : (differences[i - 1] ?? 0);
			differences[i] = newer;
			sum = saturate(sum + ((coefficient * saturate(newer + newer)) >> 15));
		}
		this.#zeroes = sum;
	}
}

/** PCM at 16 kHz → G.722 at 64 kbit/s (ITU-T G.722), one byte for two samples. Keeps its state from call to call. */
export class G722Encoder {
	readonly #lower = new SubBand(true);
	readonly #higher = new SubBand(false);
	readonly #history = new Int32Array(TAPS);

	/** Reads an even number of samples, writes half as many bytes into `out` from `at` on; gives their number. RangeError when they do not fit. */
	encode(pcm: Int16Array, out: Uint8Array, at = 0): number {
		const bytes = pcm.length / SAMPLES_PER_BYTE;
		if (!Number.isInteger(bytes)) throw new RangeError("G.722: an odd number of samples");
		if (at + bytes > out.length) throw new RangeError("G.722: output too short");
		for (let i = 0; i < bytes; i++) out[at + i] = this.#encodePair(pcm[i * 2] ?? 0, pcm[i * 2 + 1] ?? 0);
		return bytes;
	}

	#encodePair(first: number, second: number): number {
		const history = this.#history;
		history.copyWithin(0, 2);
		history[TAPS - 2] = first;
		history[TAPS - 1] = second;
		let odd = 0;
		let even = 0;
		for (let i = 0; i < TAPS / 2; i++) {
			const tap = QMF[i] ?? 0;
			odd += (history[i * 2] ?? 0) * tap;
			even += (history[i * 2 + 1] ?? 0) * (QMF[TAPS / 2 - 1 - i] ?? 0);
		}
		return (this.#encodeHigher((even - odd) >> 14) << 6) | this.#encodeLower((even + odd) >> 14);
	}

	#encodeLower(sample: number): number {
		const band = this.#lower;
		const error = saturate(sample - band.predicted);
		const magnitude = error >= 0 ? error : -(error + 1);
		let interval = 1;
		while (interval < 30 && magnitude >= ((Q6[interval] ?? 0) * band.scale) >> 12) interval += 1;
		const code = (error < 0 ? ILN : ILP)[interval] ?? 0;
		// The two lowest bits are for listening only: the predictor does without them, as they may be taken away for data.
		const adapted = ((QM4[code >> 2] ?? 0) * band.scale) >> 15;
		band.rescale(code >> 2);
		band.adapt(adapted);
		return code;
	}

	#encodeHigher(sample: number): number {
		const band = this.#higher;
		const error = saturate(sample - band.predicted);
		const magnitude = error >= 0 ? error : -(error + 1);
		const isLarge = magnitude >= (564 * band.scale) >> 12;
		const code = error < 0 ? (isLarge ? 0 : 1) : isLarge ? 2 : 3;
		const difference = ((QM2[code] ?? 0) * band.scale) >> 15;
		band.rescale(code);
		band.adapt(difference);
		return code;
	}
}

/** G.722 at 64 kbit/s → PCM at 16 kHz. Keeps its state from call to call. */
export class G722Decoder {
	readonly #lower = new SubBand(true);
	readonly #higher = new SubBand(false);
	readonly #history = new Int32Array(TAPS);

	/** Writes two samples for each byte into `out` from `at` on; gives their number. RangeError when they do not fit. */
	decode(bytes: Uint8Array, out: Int16Array, at = 0): number {
		if (at + bytes.length * SAMPLES_PER_BYTE > out.length) throw new RangeError("G.722: output too short");
		for (let i = 0; i < bytes.length; i++) this.#decodeByte(bytes[i] ?? 0, out, at + i * SAMPLES_PER_BYTE);
		return bytes.length * SAMPLES_PER_BYTE;
	}

	#decodeByte(byte: number, out: Int16Array, at: number): void {
		const low = this.#decodeLower(byte & 0x3f);
		const high = this.#decodeHigher(byte >> 6);
		const history = this.#history;
		history.copyWithin(0, 2);
		history[TAPS - 2] = low + high;
		history[TAPS - 1] = low - high;
		let first = 0;
		let second = 0;
		for (let i = 0; i < TAPS / 2; i++) {
			second += (history[i * 2] ?? 0) * (QMF[i] ?? 0);
			first += (history[i * 2 + 1] ?? 0) * (QMF[TAPS / 2 - 1 - i] ?? 0);
		}
		out[at] = saturate(first >> 11);
		out[at + 1] = saturate(second >> 11);
	}

	#decodeLower(code: number): number {
		const band = this.#lower;
		const sample = limit15(band.predicted + (((QM6[code] ?? 0) * band.scale) >> 15));
		const adapted = ((QM4[code >> 2] ?? 0) * band.scale) >> 15;
		band.rescale(code >> 2);
		band.adapt(adapted);
		return sample;
	}

	#decodeHigher(code: number): number {
		const band = this.#higher;
		const difference = ((QM2[code] ?? 0) * band.scale) >> 15;
		const sample = limit15(difference + band.predicted);
		band.rescale(code);
		band.adapt(difference);
		return sample;
	}
}

const sign = (value: number): boolean => value < 0;

function saturate(value: number): number {
	return value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : value;
}

/** LIMIT: what comes out of a sub-band has 15 bits. */
function limit15(value: number): number {
	return value > 16_383 ? 16_383 : value < -16_384 ? -16_384 : value;
}
