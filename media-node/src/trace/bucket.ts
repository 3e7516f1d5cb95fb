/** So many at once, and so many per second in the long run. */
export class Bucket {
	readonly #rate: { perSecond: number; burst: number };
	readonly #now: () => number;
	#left: number;
	#at: number;

	/** `now`: ms */
	constructor(rate: { perSecond: number; burst: number }, now: () => number) {
		this.#rate = rate;
		this.#now = now;
		this.#left = rate.burst;
		this.#at = now();
	}

	/** false: there is none left now */
	take(): boolean {
		const now = this.#now();
		this.#left = Math.min(this.#rate.burst, this.#left + ((now - this.#at) * this.#rate.perSecond) / 1000);
		this.#at = now;
		if (this.#left < 1) return false;
		this.#left -= 1;
		return true;
	}
}
