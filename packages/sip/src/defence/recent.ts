/** A table of bounded size; what was not touched for longest goes first. */
export class Recent<T> {
	readonly #entries = new Map<string, T>();
	readonly #most: number;

	constructor(most: number) {
		this.#most = most;
	}

	get size(): number {
		return this.#entries.size;
	}

	peek(key: string): T | undefined {
		return this.#entries.get(key);
	}

	/** Also makes it the latest. */
	touch(key: string): T | undefined {
		const entry = this.#entries.get(key);
		if (entry !== undefined) this.set(key, entry);
		return entry;
	}

	set(key: string, entry: T): void {
		// A Map keeps the order of insertion.
		this.#entries.delete(key);
		this.#entries.set(key, entry);
		if (this.#entries.size <= this.#most) return;
		const [oldest] = this.#entries.keys();
		if (oldest !== undefined) this.#entries.delete(oldest);
	}

	delete(key: string): void {
		this.#entries.delete(key);
	}

	values(): IterableIterator<T> {
		return this.#entries.values();
	}
}
