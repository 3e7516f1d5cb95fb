import { createKernel, type Kernel } from "./kernel.ts";

/** Samples of a block, and of a hop: 32 ms and 8 ms at 16 kHz. */
export const BLOCK = 512;
export const HOP = 128;
export const BINS = BLOCK / 2 + 1;
const UNITS = 128;
const FEATURES = 256;
/** the model's, of its layer normalisation */
const EPSILON = 1e-7;

interface Layer {
	rows: number;
	columns: number;
	/** byte offsets in the kernel's memory */
	weights: number;
	bias: number;
}

/** What one signal keeps from block to block: hidden and cell state of four LSTM layers. */
export interface NetworkState {
	readonly hidden: readonly Float32Array[];
	readonly cell: readonly Float32Array[];
}

export function newNetworkState(): NetworkState {
	const four = (): Float32Array[] => Array.from({ length: 4 }, () => new Float32Array(UNITS));
	return { hidden: four(), cell: four() };
}

/** Rows, columns and whether it has a bias, in the order of the file. An LSTM's rows are its input, forget, cell and output gates; its columns input and hidden state. */
const SHAPES = [
	["lstm1", 4 * UNITS, BINS + UNITS, true],
	["lstm2", 4 * UNITS, 2 * UNITS, true],
	["mask", BINS, UNITS, true],
	["encode", FEATURES, BLOCK, false],
	["lstm3", 4 * UNITS, FEATURES + UNITS, true],
	["lstm4", 4 * UNITS, 2 * UNITS, true],
	["featureMask", FEATURES, UNITS, true],
	["decode", BLOCK, FEATURES, false],
] as const;
type LayerName = (typeof SHAPES)[number][0];

const VALUES = SHAPES.reduce((sum, [, rows, columns, biased]) => sum + rows * columns + (biased ? rows : 0), 2 * FEATURES);
/** The longest input of a layer, padded. */
const INPUT_FLOATS = 512;

/**
 * The two networks of DTLN (N. L. Westhausen and B. T. Meyer, "Dual-Signal Transformation LSTM Network for Real-Time Noise Suppression", Interspeech 2020):
 * one masks the spectrum, the other features of the waveform. One instance serves any number of signals of a thread; what a signal remembers is its
 * `NetworkState`.
 */
export class DtlnNetwork {
	readonly #kernel: Kernel;
	readonly #layers: Readonly<Record<LayerName, Layer>>;
	/** views of the kernel's memory: input and output of each product */
	readonly #input: Float32Array;
	readonly #output: Float32Array;
	readonly #gain: Float32Array;
	readonly #shift: Float32Array;
	readonly #logSpectrum = new Float32Array(BINS);
	readonly #features = new Float32Array(FEATURES);

	/** `weights`: the model as half-precision floats, little-endian. Throws RangeError when it has another size. */
	constructor(weights: Uint8Array) {
		if (weights.byteLength !== 2 * VALUES) throw new RangeError(`the model has ${weights.byteLength} bytes, not ${2 * VALUES}`);
		const floats = SHAPES.reduce((sum, [, rows, columns]) => sum + padded(rows) * (padded(columns) + 1), 2 * INPUT_FLOATS);
		this.#kernel = createKernel(4 * floats);
		const memory = new Float32Array(this.#kernel.memory);
		this.#input = memory.subarray(0, INPUT_FLOATS);
		this.#output = memory.subarray(INPUT_FLOATS, 2 * INPUT_FLOATS);
		const read = reader(weights);
		let next = 2 * INPUT_FLOATS;
		const take = (count: number): number => (next += count) - count;
		const layer = ([, rows, columns, biased]: (typeof SHAPES)[number]): Layer => {
			const at = take(padded(rows) * padded(columns));
			for (let row = 0; row < rows; row++)
				for (let column = 0; column < columns; column++) memory[at + row * padded(columns) + column] = read();
			const bias = take(padded(rows));
			if (biased) for (let row = 0; row < rows; row++) memory[bias + row] = read();
			return { rows, columns, weights: 4 * at, bias: 4 * bias };
		};
		this.#layers = Object.fromEntries(SHAPES.map((shape) => [shape[0], layer(shape)])) as Record<LayerName, Layer>;
		this.#gain = Float32Array.from({ length: FEATURES }, read);
		this.#shift = Float32Array.from({ length: FEATURES }, read);
	}

	/** Magnitudes of a block → what each bin is to be multiplied with, 0..1. */
	spectralMask(state: NetworkState, magnitudes: Float32Array, mask: Float32Array): void {
		for (let bin = 0; bin < BINS; bin++) this.#logSpectrum[bin] = magnitudes[bin] as number;
		this.#lstm("lstm1", state, 0, this.#logSpectrum);
		this.#lstm("lstm2", state, 1, state.hidden[0] as Float32Array);
		const out = this.#product("mask", state.hidden[1] as Float32Array);
		for (let bin = 0; bin < BINS; bin++) mask[bin] = sigmoid(out[bin] as number);
	}

	/** The waveform of a block after the first mask → the block as it is to be heard, before overlap and add. */
	refine(state: NetworkState, block: Float32Array, refined: Float32Array): void {
		const features = this.#features;
		features.set(this.#product("encode", block).subarray(0, FEATURES));
		this.#lstm("lstm3", state, 2, this.#normalised(features));
		this.#lstm("lstm4", state, 3, state.hidden[2] as Float32Array);
		const mask = this.#product("featureMask", state.hidden[3] as Float32Array);
		for (let index = 0; index < FEATURES; index++) features[index] = (features[index] as number) * sigmoid(mask[index] as number);
		refined.set(this.#product("decode", features).subarray(0, BLOCK));
	}

	readonly #normal = new Float32Array(FEATURES);

	#normalised(features: Float32Array): Float32Array {
		let mean = 0;
		for (let index = 0; index < FEATURES; index++) mean += features[index] as number;
		mean /= FEATURES;
		let variance = 0;
		for (let index = 0; index < FEATURES; index++) variance += ((features[index] as number) - mean) ** 2;
		const scale = 1 / Math.sqrt(variance / FEATURES + EPSILON);
		const normal = this.#normal;
		for (let index = 0; index < FEATURES; index++)
			normal[index] = ((features[index] as number) - mean) * scale * (this.#gain[index] as number) + (this.#shift[index] as number);
		return normal;
	}

	#lstm(name: LayerName, state: NetworkState, index: number, input: Float32Array): void {
		const hidden = state.hidden[index] as Float32Array;
		const cell = state.cell[index] as Float32Array;
		const gates = this.#product(name, input, hidden);
		for (let unit = 0; unit < UNITS; unit++) {
			const kept = sigmoid(gates[UNITS + unit] as number) * (cell[unit] as number);
			const next = kept + sigmoid(gates[unit] as number) * tanh(gates[2 * UNITS + unit] as number);
			cell[unit] = next;
			hidden[unit] = sigmoid(gates[3 * UNITS + unit] as number) * tanh(next);
		}
	}

	/** W·(first, second) + b; the result is valid until the next product. */
	#product(name: LayerName, first: Float32Array, second?: Float32Array): Float32Array {
		const { rows, columns, weights, bias } = this.#layers[name];
		this.#input.set(first);
		if (second !== undefined) this.#input.set(second, first.length);
		for (let pad = columns; pad < padded(columns); pad++) this.#input[pad] = 0;
		this.#kernel.multiply(weights, 0, 4 * INPUT_FLOATS, bias, padded(rows) / 4, 4 * padded(columns));
		return this.#output;
	}
}

const padded = (count: number): number => (count + 3) & ~3;

/** Half-precision floats (IEEE 754 binary16), one after the other. A table of all there are is twenty times as quick as working each of a million out. */
function reader(bytes: Uint8Array): () => number {
	const values = Float32Array.from({ length: 65_536 }, (_, bits) => half(bits));
	let at = 0;
	return () => {
		const value = values[(bytes[at] as number) | ((bytes[at + 1] as number) << 8)] as number;
		at += 2;
		return value;
	};
}

function half(bits: number): number {
	const sign = (bits & 0x8000) === 0 ? 1 : -1;
	const exponent = (bits >> 10) & 0x1f;
	const fraction = bits & 0x3ff;
	return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** Steps of the table per unit; linear between them the error is below 2e-6. */
const STEPS = 256;
const LIMIT = 16;
const TABLE = Float32Array.from({ length: 2 * LIMIT * STEPS + 2 }, (_, index) => 1 / (1 + Math.exp(-(index / STEPS - LIMIT))));

/** 2,300 of these in each block: a table is five times as quick as Math.exp. */
function sigmoid(x: number): number {
	if (x >= LIMIT) return 1;
	if (x <= -LIMIT) return 0;
	const position = (x + LIMIT) * STEPS;
	const index = position | 0;
	const below = TABLE[index] as number;
	return below + ((TABLE[index + 1] as number) - below) * (position - index);
}

const tanh = (x: number): number => 2 * sigmoid(2 * x) - 1;
