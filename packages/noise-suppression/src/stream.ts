import { Resampler } from "@trunkline/audio";
import type { NoiseSuppressor } from "./suppressor.ts";

export interface SuppressedStreamOptions {
	suppressor: NoiseSuppressor;
	/** Hz of the audio that goes in and comes out */
	sampleRate: number;
	/** 0 = the sound as it came (only later), 1 = the suppressor's; between them both, in step. Default 1. */
	mix?: number;
}

/** As long as this takes the mix to go from one end to the other, so that a change does not click. */
const RAMP_MS = 40;

/**
 * Takes noise out of a stream of 16-bit samples that comes in pieces of any length, and gives as many samples as it takes. What comes out is `delayMs`
 * behind: the suppressor's own delay, one of its frames, and the filters where the rates differ.
 */
export class SuppressedStream {
	readonly delayMs: number;
	readonly #suppressor: NoiseSuppressor;
	readonly #in: Resampler | undefined;
	readonly #out: Resampler | undefined;
	readonly #frame: Float32Array;
	readonly #wet: Float32Array;
	readonly #finished: Int16Array;
	/** what the filters write to: buffers of their own would be most of the garbage of a call */
	#resampled = new Int16Array(0);
	readonly #given: Int16Array;
	/** the input, for as long as the suppressor holds it back */
	readonly #dry: Float32Array;
	#dryAt = 0;
	#filled = 0;
	/** what is finished and not yet given */
	readonly #queue: Int16Array;
	#queued = 0;
	#mix: number;
	#target: number;

	constructor({ suppressor, sampleRate, mix = 1 }: SuppressedStreamOptions) {
		const { frameSamples, delaySamples } = suppressor;
		this.#suppressor = suppressor;
		const same = sampleRate === suppressor.sampleRate;
		this.#in = same ? undefined : new Resampler(sampleRate, suppressor.sampleRate);
		this.#out = same ? undefined : new Resampler(suppressor.sampleRate, sampleRate);
		this.#frame = new Float32Array(frameSamples);
		this.#wet = new Float32Array(frameSamples);
		this.#finished = new Int16Array(frameSamples);
		this.#given = new Int16Array(Math.ceil((frameSamples * sampleRate) / suppressor.sampleRate) + 1);
		this.#dry = new Float32Array(delaySamples + frameSamples);
		// One frame ahead: a piece that ends within a frame still gives as many samples as it has. The two filters may each be one sample short.
		const ahead = Math.ceil((frameSamples * sampleRate) / suppressor.sampleRate) + (same ? 0 : 2);
		this.#queue = new Int16Array(ahead + sampleRate);
		this.#queued = ahead;
		this.#mix = this.#target = clamped(mix);
		this.delayMs =
			(1000 * delaySamples) / suppressor.sampleRate + (1000 * ahead) / sampleRate + (this.#in?.delayMs ?? 0) + (this.#out?.delayMs ?? 0);
	}

	/** 0..1; reached within 40 ms */
	setMix(mix: number): void {
		this.#target = clamped(mix);
	}

	/** At most a second at once; RangeError beyond. `output` is as long as `input`, and may be the same memory. */
	process(input: Int16Array, output: Int16Array): void {
		if (output.length !== input.length) throw new RangeError("noise suppression: output and input differ in length");
		const samples = this.#resample(input);
		for (let index = 0; index < samples.length; index++) {
			this.#frame[this.#filled] = (samples[index] as number) / 32_768;
			this.#filled += 1;
			if (this.#filled === this.#frame.length) this.#finish();
		}
		if (this.#queued < input.length) throw new Error(`noise suppression: ${this.#queued} samples are ready, ${input.length} are due`);
		output.set(this.#queue.subarray(0, input.length));
		this.#queue.copyWithin(0, input.length, this.#queued);
		this.#queued -= input.length;
	}

	#resample(input: Int16Array): Int16Array {
		if (this.#in === undefined) return input;
		const length = this.#in.outputLength(input.length);
		if (this.#resampled.length < length) this.#resampled = new Int16Array(length);
		return this.#in.process(input, this.#resampled);
	}

	#finish(): void {
		this.#filled = 0;
		this.#suppressor.process(this.#frame, this.#wet);
		const length = this.#frame.length;
		const dry = this.#dry;
		const step = (1000 / RAMP_MS / this.#suppressor.sampleRate) * Math.sign(this.#target - this.#mix);
		for (let index = 0; index < length; index++) {
			dry[this.#dryAt] = this.#frame[index] as number;
			this.#dryAt = (this.#dryAt + 1) % dry.length;
			// The ring is one frame longer than the delay, so what was put in `delaySamples` ago is a frame further on.
			const late = dry[(this.#dryAt + length - 1) % dry.length] as number;
			if (step !== 0) this.#mix = step > 0 ? Math.min(this.#target, this.#mix + step) : Math.max(this.#target, this.#mix + step);
			const value = 32_768 * (late + this.#mix * ((this.#wet[index] as number) - late));
			this.#finished[index] = value > 32_767 ? 32_767 : value < -32_768 ? -32_768 : Math.round(value);
		}
		const given = this.#out?.process(this.#finished, this.#given) ?? this.#finished;
		this.#queue.set(given, this.#queued);
		this.#queued += given.length;
	}
}

function clamped(mix: number): number {
	if (!(mix >= 0 && mix <= 1)) throw new RangeError(`noise suppression: a mix of ${mix} is not within 0 and 1`);
	return mix;
}
