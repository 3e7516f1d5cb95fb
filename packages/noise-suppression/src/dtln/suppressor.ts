import type { NoiseSuppressor } from "../suppressor.ts";
import { RealFft } from "./fft.ts";
import { BINS, BLOCK, type DtlnNetwork, HOP, newNetworkState } from "./network.ts";

/** A block of silence, and then another one for what the blocks before it have left. */
const SILENT_HOPS = (2 * BLOCK) / HOP;

/** DTLN on one signal of 16 kHz, 8 ms at a time. What comes out is 24 ms behind what goes in. */
export class DtlnSuppressor implements NoiseSuppressor {
	readonly sampleRate = 16_000;
	readonly frameSamples = HOP;
	readonly delaySamples = BLOCK - HOP;
	readonly #network: DtlnNetwork;
	readonly #state = newNetworkState();
	readonly #fft = new RealFft(BLOCK);
	readonly #window = new Float32Array(BLOCK);
	readonly #overlap = new Float32Array(BLOCK);
	readonly #block = new Float32Array(BLOCK);
	readonly #re = new Float32Array(BINS);
	readonly #im = new Float32Array(BINS);
	readonly #magnitudes = new Float32Array(BINS);
	readonly #mask = new Float32Array(BINS);
	/** hops without a sound, one after the other */
	#silentHops = 0;

	constructor(network: DtlnNetwork) {
		this.#network = network;
	}

	process(input: Float32Array, output: Float32Array): void {
		const [window, overlap, block, re, im] = [this.#window, this.#overlap, this.#block, this.#re, this.#im];
		window.copyWithin(0, HOP);
		window.set(input, BLOCK - HOP);
		this.#silentHops = input.every((sample) => sample === 0) ? this.#silentHops + 1 : 0;
		// Nothing is in the window, nor in what is still to come out of the blocks before: somebody's muted microphone costs nothing.
		if (this.#silentHops > SILENT_HOPS) return void output.fill(0);
		this.#fft.forward(window, re, im);
		for (let bin = 0; bin < BINS; bin++) this.#magnitudes[bin] = Math.sqrt((re[bin] as number) ** 2 + (im[bin] as number) ** 2);
		this.#network.spectralMask(this.#state, this.#magnitudes, this.#mask);
		for (let bin = 0; bin < BINS; bin++) {
			re[bin] = (re[bin] as number) * (this.#mask[bin] as number);
			im[bin] = (im[bin] as number) * (this.#mask[bin] as number);
		}
		this.#fft.inverse(re, im, block);
		this.#network.refine(this.#state, block, block);
		overlap.copyWithin(0, HOP);
		overlap.fill(0, BLOCK - HOP);
		for (let index = 0; index < BLOCK; index++) overlap[index] = (overlap[index] as number) + (block[index] as number);
		output.set(overlap.subarray(0, HOP));
	}
}
