/** Stop band in dB that the filter is designed for. */
const STOP_BAND_DB = 65;
/** Pass band ends and stop band begins this far from half the lower rate: speech of a telephone (to 3.4 kHz of 4 kHz) stays whole. */
const TRANSITION = 0.15;
const MAX_UP = 1024;

/**
 * Changes the sample rate of a stream by a ratio of whole numbers with a polyphase FIR filter (windowed sinc). Keeps its state between
 * calls, so a stream may come in pieces of any length. Delays the sound by `delayMs` (1.6 ms between 48 and 8 kHz).
 */
export class Resampler {
	readonly fromRate: number;
	readonly toRate: number;
	/** how much later a sound comes out, ms */
	readonly delayMs: number;
	readonly #up: number;
	readonly #down: number;
	readonly #tapsPerPhase: number;
	/** phase after phase, each with its newest-sample tap first */
	readonly #taps: Float32Array;
	/** the last samples of the input before this piece */
	readonly #history: Float32Array;
	#work = new Float32Array(0);
	/** place of the next output sample, in upsampled ticks from the next input sample */
	#position = 0;

	/** Throws RangeError when a rate is not a positive whole number or their ratio is too odd (more than 1024 phases). */
	constructor(fromRate: number, toRate: number) {
		if (!Number.isInteger(fromRate) || !Number.isInteger(toRate) || fromRate <= 0 || toRate <= 0)
			throw new RangeError(`resample: ${fromRate} to ${toRate} Hz`);
		const divisor = greatestCommonDivisor(fromRate, toRate);
		this.fromRate = fromRate;
		this.toRate = toRate;
		this.#up = toRate / divisor;
		this.#down = fromRate / divisor;
		if (this.#up > MAX_UP) throw new RangeError(`resample: ${fromRate} to ${toRate} Hz has no small ratio`);
		const filter = fromRate === toRate ? Float64Array.of(1) : lowPass(fromRate * this.#up, Math.min(fromRate, toRate) / 2, this.#up);
		this.delayMs = ((filter.length - 1) / 2 / (fromRate * this.#up)) * 1000;
		this.#tapsPerPhase = Math.ceil(filter.length / this.#up);
		this.#taps = new Float32Array(this.#tapsPerPhase * this.#up);
		for (let i = 0; i < filter.length; i++) this.#taps[(i % this.#up) * this.#tapsPerPhase + Math.floor(i / this.#up)] = filter[i] ?? 0;
		this.#history = new Float32Array(this.#tapsPerPhase - 1);
	}

	/** How many samples `process` will give for a piece of this length now. */
	outputLength(inputLength: number): number {
		const ticks = inputLength * this.#up - this.#position;
		return ticks <= 0 ? 0 : Math.ceil(ticks / this.#down);
	}

	/**
	 * Takes the next piece, gives what can be said of the output by now. Over a stream the number of samples follows the ratio exactly.
	 * Writes into `out` when given (RangeError when it is too short) and then gives the written part of it.
	 */
	process(input: Int16Array, out?: Int16Array): Int16Array {
		const length = this.outputLength(input.length);
		const output = out ?? new Int16Array(length);
		if (output.length < length) throw new RangeError("resample: output too short");
		const work = this.#join(input);
		const taps = this.#taps;
		const perPhase = this.#tapsPerPhase;
		let position = this.#position;
		for (let i = 0; i < length; i++) {
			const newest = Math.floor(position / this.#up) + perPhase - 1;
			const phase = (position % this.#up) * perPhase;
			let sum = 0;
			for (let k = 0; k < perPhase; k++) sum += (taps[phase + k] ?? 0) * (work[newest - k] ?? 0);
			output[i] = sum > 32767 ? 32767 : sum < -32768 ? -32768 : Math.round(sum);
			position += this.#down;
		}
		this.#position = position - input.length * this.#up;
		this.#history.set(work.subarray(input.length, input.length + perPhase - 1));
		return output.length === length ? output : output.subarray(0, length);
	}

	/** History and the new piece in one run of memory, reused while pieces keep their size. */
	#join(input: Int16Array): Float32Array {
		const length = this.#history.length + input.length;
		if (this.#work.length < length) this.#work = new Float32Array(length);
		this.#work.set(this.#history);
		this.#work.set(input, this.#history.length);
		return this.#work;
	}
}

/** Windowed-sinc low pass (Kaiser window) with unity gain after upsampling by `gain`. */
function lowPass(rate: number, edgeHz: number, gain: number): Float64Array {
	const transition = (2 * TRANSITION * edgeHz) / rate;
	// Kaiser's formulas for length and shape
	const length = Math.ceil((STOP_BAND_DB - 7.95) / (14.36 * transition)) | 1;
	const beta = 0.1102 * (STOP_BAND_DB - 8.7);
	const middle = (length - 1) / 2;
	const cutoff = (2 * edgeHz) / rate;
	const taps = new Float64Array(length);
	let sum = 0;
	for (let i = 0; i < length; i++) {
		const x = (i - middle) * cutoff;
		const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
		const tap = sinc * besselI0(beta * Math.sqrt(1 - ((i - middle) / (middle + 1)) ** 2));
		taps[i] = tap;
		sum += tap;
	}
	for (let i = 0; i < length; i++) taps[i] = ((taps[i] ?? 0) * gain) / sum;
	return taps;
}

function besselI0(x: number): number {
	let term = 1;
	let sum = 1;
	for (let k = 1; term > sum * 1e-12; k++) {
		term *= (x / (2 * k)) ** 2;
		sum += term;
	}
	return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
	return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
