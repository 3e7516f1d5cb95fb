const FRAME_MS = 20;
/** Calls are spread over the frame time, so that a hundred of them do not send in one burst. */
const PHASES = 4;
const STEP_MS = FRAME_MS / PHASES;
/** After a longer standstill (a suspended machine) the clock starts anew instead of catching up. */
const MAX_CATCH_UP_MS = 200;

/**
 * One 20 ms clock for all calls of a process. Its schedule is absolute: a late tick is followed by an early one, so that it never drifts.
 * It runs only while somebody is subscribed.
 */
class Pacer {
	readonly #phases: Set<() => void>[] = Array.from({ length: PHASES }, () => new Set());
	#timer: NodeJS.Timeout | undefined;
	#next = 0;
	#phase = 0;

	/** Calls `tick` every 20 ms from within 20 ms on; gives the function that ends it. */
	subscribe(tick: () => void): () => void {
		const phase = this.#phases.reduce((least, each) => (each.size < least.size ? each : least));
		phase.add(tick);
		if (this.#timer === undefined) {
			this.#next = performance.now();
			this.#timer = setTimeout(this.#run, 0);
		}
		return () => {
			phase.delete(tick);
			if (this.#phases.some((each) => each.size > 0)) return;
			clearTimeout(this.#timer);
			this.#timer = undefined;
		};
	}

	readonly #run = (): void => {
		const now = performance.now();
		if (now - this.#next > MAX_CATCH_UP_MS) this.#next = now;
		while (this.#next <= now) {
			for (const tick of this.#phases[this.#phase] ?? []) tick();
			this.#phase = (this.#phase + 1) % PHASES;
			this.#next += STEP_MS;
		}
		const anybody = this.#phases.some((each) => each.size > 0);
		this.#timer = anybody ? setTimeout(this.#run, Math.max(0, this.#next - performance.now())) : undefined;
	};
}

/** The clock of this process. */
export const pacer = new Pacer();
