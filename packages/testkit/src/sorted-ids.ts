/** A bucket that is longer than this is cut in two. */
const MAX_BUCKET = 256;

/** Distinct texts in ascending order; what an addition or removal moves has a bound. */
export class SortedIds {
	/** no bucket is empty; every text of one comes before those of the next */
	readonly #buckets: string[][] = [];

	add(id: string): void {
		const index = Math.max(0, this.#bucketOf(id));
		const bucket = this.#buckets[index];
		if (bucket === undefined) {
			this.#buckets.push([id]);
			return;
		}
		const at = countBelow(bucket, id);
		if (bucket[at] === id) return;
		bucket.splice(at, 0, id);
		if (bucket.length > MAX_BUCKET) this.#buckets.splice(index + 1, 0, bucket.splice(MAX_BUCKET / 2));
	}

	remove(id: string): void {
		const index = this.#bucketOf(id);
		const bucket = this.#buckets[index];
		const at = bucket === undefined ? 0 : countBelow(bucket, id);
		if (bucket?.[at] !== id) return;
		bucket.splice(at, 1);
		if (bucket.length === 0) this.#buckets.splice(index, 1);
	}

	/** At most `limit` of those that come after `after`. */
	after(after: string, limit: number): string[] {
		const found: string[] = [];
		for (let index = Math.max(0, this.#bucketOf(after)); index < this.#buckets.length && found.length < limit; index++) {
			const bucket = this.#buckets[index] ?? [];
			const below = countBelow(bucket, after);
			const start = bucket[below] === after ? below + 1 : below;
			found.push(...bucket.slice(start, start + limit - found.length));
		}
		return found;
	}

	/** The last bucket that does not begin after the id; -1 when all do. */
	#bucketOf(id: string): number {
		let low = 0;
		let high = this.#buckets.length;
		while (low < high) {
			const middle = (low + high) >>> 1;
			if ((this.#buckets[middle]?.[0] ?? "") <= id) low = middle + 1;
			else high = middle;
		}
		return low - 1;
	}
}

function countBelow(sorted: readonly string[], id: string): number {
	let low = 0;
	let high = sorted.length;
	while (low < high) {
		const middle = (low + high) >>> 1;
		if ((sorted[middle] ?? "") < id) low = middle + 1;
		else high = middle;
	}
	return low;
}
