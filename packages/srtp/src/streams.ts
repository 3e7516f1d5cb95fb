const WINDOW = 128;
/** over any number of new keys */
const MAX_ROLLOVERS = 64;

/** The packet indices (rollover × 2^16 + sequence, RFC 3711 §3.3.1) of one SSRC, and which of the latest 128 were there (§3.3.2 asks for 64). */
export class IndexWindow {
	#highest: number;
	readonly #seen = new Float64Array(WINDOW).fill(-1);

	/** RFC 3711 §3.3.1: the rollover counter begins at 0 */
	constructor(first: number) {
		this.#highest = first;
	}

	/** The index nearest to the highest one (RFC 3711 Appendix A). */
	estimate(sequence: number): number {
		const last = this.#highest % 0x10000;
		const base = this.#highest - last;
		if (last < 0x8000 && sequence - last > 0x8000) return base + sequence - 0x10000;
		if (last >= 0x8000 && last - 0x8000 > sequence) return base + sequence + 0x10000;
		return base + sequence;
	}

	get highest(): number {
		return this.#highest;
	}

	/** Where the counter is known to be further on than it was begun. */
	goOnFrom(index: number): void {
		if (index > this.#highest) this.#highest = index;
	}

	/** Not there before, and not too old to tell. */
	isNew(index: number): boolean {
		return index >= 0 && index > this.#highest - WINDOW && this.#seen[index % WINDOW] !== index;
	}

	/** Only for an authenticated packet. */
	take(index: number): void {
		if (index > this.#highest) this.#highest = index;
		this.#seen[index % WINDOW] = index;
	}
}

/** Where the counters of each SSRC are. */
export type Rollovers = ReadonlyMap<number, number>;

/** Highest indices of the streams under one key, and what was known of others before. */
export function rolloversOf(streams: Streams<IndexWindow>, before: Rollovers): Rollovers {
	const all = new Map<number, number>();
	for (const [ssrc, stream] of streams.entries()) all.set(ssrc, stream.highest);
	for (const [ssrc, index] of before) if (all.size < MAX_ROLLOVERS && !all.has(ssrc)) all.set(ssrc, index);
	return all;
}

/** What is kept for each SSRC; the one of the latest packet is at hand. */
export class Streams<T> {
	readonly #max: number;
	readonly #streams = new Map<number, T>();
	#lastSsrc = -1;
	#last: T | undefined;

	constructor(max: number) {
		this.#max = max;
	}

	get(ssrc: number): T | undefined {
		if (ssrc === this.#lastSsrc) return this.#last;
		const found = this.#streams.get(ssrc);
		if (found !== undefined) {
			this.#lastSsrc = ssrc;
			this.#last = found;
		}
		return found;
	}

	entries(): Iterable<[ssrc: number, stream: T]> {
		return this.#streams.entries();
	}

	get full(): boolean {
		return this.#streams.size >= this.#max;
	}

	/** When full, the oldest that did not just have a packet goes. */
	add(ssrc: number, stream: T): void {
		for (const old of this.#streams.keys()) {
			if (!this.full) break;
			if (old !== this.#lastSsrc) this.#streams.delete(old);
		}
		this.#streams.set(ssrc, stream);
		this.#lastSsrc = ssrc;
		this.#last = stream;
	}
}
