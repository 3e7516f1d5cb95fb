/** More steps than a thread's clock has in a second. */
const KEPT = 512;
/** Of a second's steps so many are later than what is told: a pause that a jitter buffer makes up for is not in it. */
const SHARE_LATE = 0.05;

/** How late the steps of a 20 ms clock are, looked at now and then. Pure. */
export class ClockLateness {
	readonly #steps = new Float64Array(KEPT);
	#count = 0;

	/** One step was so many ms late. Of very many the latest count. */
	step(lateMs: number): void {
		this.#steps[this.#count % KEPT] = lateMs;
		this.#count += 1;
	}

	/** ms that 5 % of the steps since the last look were late, or more; 0 when there was none (a clock without calls stands still). */
	look(): number {
		const kept = Math.min(this.#count, KEPT);
		this.#count = 0;
		if (kept === 0) return 0;
		const sorted = this.#steps.subarray(0, kept).sort();
		return Math.max(0, sorted[Math.min(kept - 1, Math.floor(kept * (1 - SHARE_LATE)))] ?? 0);
	}
}
