/** A closed port rests this long, so that late packets of one call are never heard in the next. */
const REST_MS = 30_000;

/**
 * Even RTP ports of a range, chosen at random (a guessable port is easier to inject into), each resting after use. Odd ports stay free for
 * RTCP (RFC 3550 §11). Pure: whoever binds gives a port that another program has back with `release`.
 */
export class PortsPool {
	readonly #first: number;
	readonly #count: number;
	readonly #random: () => number;
	readonly #used = new Set<number>();
	readonly #resting = new Map<number, number>();

	/** `random` gives 0 ≤ x < 1 */
	constructor(first: number, last: number, random: () => number) {
		this.#first = first + (first % 2);
		this.#count = Math.floor((last - this.#first) / 2) + 1;
		this.#random = random;
		if (this.#count < 1) throw new RangeError(`no even port between ${first} and ${last}`);
	}

	get inUse(): number {
		return this.#used.size;
	}

	/** A free port; the one that has rested longest when all free ones still rest; undefined when every port is in use. */
	take(now: number): number | undefined {
		this.#wake(now);
		const start = Math.floor(this.#random() * this.#count);
		for (let i = 0; i < this.#count; i++) {
			const port = this.#first + ((start + i) % this.#count) * 2;
			if (!this.#used.has(port) && !this.#resting.has(port)) return this.#use(port);
		}
		const rested = this.#resting.keys().next();
		return rested.done === true ? undefined : this.#use(rested.value);
	}

	release(port: number, now: number): void {
		if (!this.#used.delete(port)) return;
		this.#resting.set(port, now + REST_MS);
	}

	#use(port: number): number {
		this.#resting.delete(port);
		this.#used.add(port);
		return port;
	}

	#wake(now: number): void {
		// insertion order is the order of waking
		for (const [port, until] of this.#resting) {
			if (until > now) return;
			this.#resting.delete(port);
		}
	}
}
