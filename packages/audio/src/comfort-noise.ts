/**
 * Quiet white noise, so that a silent line does not sound dead. The seed makes it repeatable; every call should have its own.
 */
export class ComfortNoise {
	readonly #amplitude: number;
	#state: number;

	/** `levelDbov`: RMS, default −65 (barely to be heard) */
	constructor(seed: number, levelDbov = -65) {
		this.#state = seed >>> 0 || 1;
		// uniform noise of amplitude a has RMS a/√3
		this.#amplitude = 32768 * 10 ** (levelDbov / 20) * Math.sqrt(3);
	}

	fill(out: Int16Array): Int16Array {
		for (let i = 0; i < out.length; i++) {
			// xorshift32 (Marsaglia)
			this.#state ^= this.#state << 13;
			this.#state ^= this.#state >>> 17;
			this.#state ^= this.#state << 5;
			out[i] = Math.round((this.#state / 2 ** 31) * this.#amplitude);
		}
		return out;
	}
}
