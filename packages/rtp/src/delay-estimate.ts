/** Delays are sorted into bins this wide; also the finest step of the answer. */
const BIN_MS = 2;
/** The window slides in steps of one bucket. */
const BUCKET_MS = 1000;
const BUCKETS = 4;
/** This share of packets may come later than the answer: one stray pause shall not delay the next seconds. */
const LATE_SHARE = 0.02;

interface Bucket {
	minTransit: number;
	transits: Float64Array;
	count: number;
}

/** A bucket keeps this many packets; more in one second (a burst) are not needed for the estimate. */
const BUCKET_CAPACITY = 128;

/**
 * How late packets come, measured against the fastest of the last seconds (a moving window, so that a drifting clock or a changed route is
 * followed). Transit = arrival − media time, so only its differences mean anything.
 */
export class DelayEstimate {
	readonly #limitMs: number;
	readonly #bins: Uint16Array;
	readonly #buckets: Bucket[] = [];
	#bucketEndsAt = 0;
	#base = 0;
	#spread = 0;

	/** Spreads above `limitMs` count as `limitMs`. */
	constructor(limitMs: number) {
		this.#limitMs = limitMs;
		this.#bins = new Uint16Array(Math.ceil(limitMs / BIN_MS) + 1);
	}

	/** the smallest transit of the window, ms */
	get base(): number {
		return this.#base;
	}

	/** the spread that all but 2 % of the packets stay within, ms */
	get spreadMs(): number {
		return this.#spread;
	}

	/** whether a full bucket has been measured: before that the estimate rests on little */
	get settled(): boolean {
		return this.#buckets.length > 1;
	}

	add(transitMs: number, nowMs: number): void {
		const bucket = this.#bucketAt(nowMs);
		if (bucket.count < BUCKET_CAPACITY) bucket.transits[bucket.count++] = transitMs;
		if (transitMs < bucket.minTransit) bucket.minTransit = transitMs;
		this.#estimate();
	}

	reset(): void {
		this.#buckets.length = 0;
		this.#base = 0;
		this.#spread = 0;
	}

	#bucketAt(nowMs: number): Bucket {
		const latest = this.#buckets.at(-1);
		if (latest !== undefined && nowMs < this.#bucketEndsAt) return latest;
		// reuse the one that falls out of the window
		const bucket = (this.#buckets.length >= BUCKETS ? this.#buckets.shift() : undefined) ?? {
			minTransit: 0,
			transits: new Float64Array(BUCKET_CAPACITY),
			count: 0,
		};
		bucket.minTransit = Number.POSITIVE_INFINITY;
		bucket.count = 0;
		this.#buckets.push(bucket);
		this.#bucketEndsAt = nowMs + BUCKET_MS;
		return bucket;
	}

	#estimate(): void {
		let base = Number.POSITIVE_INFINITY;
		for (const bucket of this.#buckets) base = Math.min(base, bucket.minTransit);
		this.#base = base;
		this.#bins.fill(0);
		let total = 0;
		for (const bucket of this.#buckets) {
			for (let i = 0; i < bucket.count; i++) {
				const spread = Math.min(this.#limitMs, (bucket.transits[i] ?? 0) - base);
				const bin = Math.floor(spread / BIN_MS);
				this.#bins[bin] = (this.#bins[bin] ?? 0) + 1;
			}
			total += bucket.count;
		}
		this.#spread = this.#quantile(total);
	}

	#quantile(total: number): number {
		let allowed = Math.floor(total * LATE_SHARE);
		for (let bin = this.#bins.length - 1; bin >= 0; bin--) {
			allowed -= this.#bins[bin] ?? 0;
			if (allowed < 0) return bin * BIN_MS;
		}
		return 0;
	}
}
