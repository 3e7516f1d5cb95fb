import { SuppressedStream } from "./stream.ts";
import type { NoiseSuppressor } from "./suppressor.ts";

/** From the sound as it came to what the suppressor makes of it, and back. */
const FADE_MS = 20;

/**
 * Suppression of one direction of a call that can be switched on and off, and whose rate may change, while audio flows. Off, it touches nothing. Switched on
 * it is fed first, until its delay has gone by, and then faded in; switched off it is faded out: there is no click, and no sample more or less than went in.
 */
export class SwitchedSuppression {
	readonly #create: () => NoiseSuppressor;
	#stream: SuppressedStream | undefined;
	#sampleRate = 0;
	/** undefined = off */
	#mix: number | undefined;
	/** samples that the stream is still to be fed before it can be heard */
	#warming = 0;
	/** samples of the fade that have gone by: 0 = only what came is heard, all of them = only the stream */
	#faded = 0;
	#suppressed = new Int16Array(0);

	constructor(create: () => NoiseSuppressor) {
		this.#create = create;
	}

	/** How much of the suppressor's is heard (0..1, see `SuppressedStream`); undefined = off. */
	set(mix: number | undefined): void {
		this.#mix = mix;
		if (mix !== undefined) this.#stream?.setMix(mix);
		else if (this.#faded === 0) this.#stream = undefined;
	}

	/** On, or not faded out yet. */
	get active(): boolean {
		return this.#mix !== undefined || this.#stream !== undefined;
	}

	/** In place. False: nothing was changed, and what came may go on as it is. Throws what the suppressor throws; `samples` are then untouched. */
	process(samples: Int16Array, sampleRate: number): boolean {
		const stream = this.#streamAt(sampleRate);
		if (stream === undefined) return false;
		if (this.#suppressed.length < samples.length) this.#suppressed = new Int16Array(samples.length);
		const suppressed = this.#suppressed.subarray(0, samples.length);
		stream.process(samples, suppressed);
		if (this.#warming > 0) {
			this.#warming -= samples.length;
			return false;
		}
		this.#blend(samples, suppressed);
		if (this.#faded === 0 && this.#mix === undefined) this.#stream = undefined;
		return true;
	}

	#blend(samples: Int16Array, suppressed: Int16Array): void {
		const all = Math.round((FADE_MS * this.#sampleRate) / 1000);
		const step = this.#mix === undefined ? -1 : 1;
		if (this.#faded === all && step === 1) return samples.set(suppressed);
		for (let index = 0; index < samples.length; index++) {
			this.#faded = Math.min(all, Math.max(0, this.#faded + step));
			const sample = samples[index] as number;
			samples[index] = Math.round(sample + (this.#faded / all) * ((suppressed[index] as number) - sample));
		}
	}

	#streamAt(sampleRate: number): SuppressedStream | undefined {
		if (this.#stream !== undefined && this.#sampleRate === sampleRate) return this.#stream;
		this.#stream = undefined;
		this.#faded = 0;
		if (this.#mix === undefined) return undefined;
		const stream = new SuppressedStream({ suppressor: this.#create(), sampleRate, mix: this.#mix });
		this.#stream = stream;
		this.#sampleRate = sampleRate;
		this.#warming = Math.ceil((stream.delayMs * sampleRate) / 1000);
		return stream;
	}
}
