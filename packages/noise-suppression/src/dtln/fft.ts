/** Real Fourier transform of one fixed size (a power of two): half-size complex transform and a last step that separates even from odd. */
export class RealFft {
	readonly size: number;
	readonly #half: number;
	readonly #cos: Float32Array;
	readonly #sin: Float32Array;
	readonly #order: Uint16Array;
	/** of the half-size transform, real and imaginary parts */
	readonly #re: Float32Array;
	readonly #im: Float32Array;

	constructor(size: number) {
		this.size = size;
		this.#half = size / 2;
		this.#cos = Float32Array.from({ length: this.#half }, (_, k) => Math.cos((2 * Math.PI * k) / size));
		this.#sin = Float32Array.from({ length: this.#half }, (_, k) => Math.sin((2 * Math.PI * k) / size));
		const bits = Math.log2(this.#half);
		this.#order = Uint16Array.from({ length: this.#half }, (_, k) => reversed(k, bits));
		this.#re = new Float32Array(this.#half);
		this.#im = new Float32Array(this.#half);
	}

	/** `size` samples → `size/2 + 1` bins. */
	forward(samples: Float32Array, re: Float32Array, im: Float32Array): void {
		const [half, a, b] = [this.#half, this.#re, this.#im];
		for (let k = 0; k < half; k++) {
			const from = 2 * at(this.#order, k);
			a[k] = at(samples, from);
			b[k] = at(samples, from + 1);
		}
		this.#transform(1);
		const [re0, im0] = [at(a, 0), at(b, 0)];
		re[0] = re0 + im0;
		im[0] = 0;
		re[half] = re0 - im0;
		im[half] = 0;
		for (let k = 1; k < half; k++) {
			const [cos, sin] = [at(this.#cos, k), at(this.#sin, k)];
			const evenRe = (at(a, k) + at(a, half - k)) / 2;
			const evenIm = (at(b, k) - at(b, half - k)) / 2;
			const oddRe = (at(b, k) + at(b, half - k)) / 2;
			const oddIm = (at(a, half - k) - at(a, k)) / 2;
			re[k] = evenRe + oddRe * cos + oddIm * sin;
			im[k] = evenIm + oddIm * cos - oddRe * sin;
		}
	}

	/** The inverse of `forward`, scale included. */
	inverse(re: Float32Array, im: Float32Array, samples: Float32Array): void {
		const [half, a, b] = [this.#half, this.#re, this.#im];
		for (let k = 0; k < half; k++) {
			const [cos, sin] = [at(this.#cos, k), at(this.#sin, k)];
			const evenRe = (at(re, k) + at(re, half - k)) / 2;
			const evenIm = (at(im, k) - at(im, half - k)) / 2;
			const differenceRe = (at(re, k) - at(re, half - k)) / 2;
			const differenceIm = (at(im, k) + at(im, half - k)) / 2;
			const oddRe = differenceRe * cos - differenceIm * sin;
			const oddIm = differenceIm * cos + differenceRe * sin;
			const to = at(this.#order, k);
			a[to] = evenRe - oddIm;
			b[to] = evenIm + oddRe;
		}
		this.#transform(-1);
		for (let k = 0; k < half; k++) {
			samples[2 * k] = at(a, k) / half;
			samples[2 * k + 1] = at(b, k) / half;
		}
	}

	/** In place, on input in bit-reversed order. */
	#transform(direction: 1 | -1): void {
		const [half, a, b] = [this.#half, this.#re, this.#im];
		for (let length = 2; length <= half; length *= 2) {
			const middle = length / 2;
			const stride = this.size / length;
			for (let start = 0; start < half; start += length) {
				for (let k = 0; k < middle; k++) {
					const cos = at(this.#cos, k * stride);
					const sin = -direction * at(this.#sin, k * stride);
					const [low, high] = [start + k, start + k + middle];
					const re = at(a, high) * cos - at(b, high) * sin;
					const im = at(a, high) * sin + at(b, high) * cos;
					a[high] = at(a, low) - re;
					b[high] = at(b, low) - im;
					a[low] = at(a, low) + re;
					b[low] = at(b, low) + im;
				}
			}
		}
	}
}

/** The indices are ours and in range. */
const at = (list: Float32Array | Uint16Array, index: number): number => list[index] as number;

function reversed(value: number, bits: number): number {
	let result = 0;
	for (let bit = 0; bit < bits; bit++) result |= ((value >> bit) & 1) << (bits - 1 - bit);
	return result;
}
