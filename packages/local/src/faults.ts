/** More than this many within a minute is no isolated fault: something that all calls share is broken. */
const MAX_FAULTS = 20;
const WINDOW_MS = 60_000;

/**
 * Says whether serving goes on after an exception that nobody caught. One call's fault must not end all the others, but a process that fails
 * all the time is better ended, for a supervisor to start a fresh one.
 */
export class FaultBudget {
	readonly #max: number;
	#recent: number[] = [];

	constructor(max: number = MAX_FAULTS) {
		this.#max = max;
	}

	/** One more fault, at `now` (ms); false when it is one too many. */
	allows(now: number): boolean {
		this.#recent = [...this.#recent.filter((at) => now - at < WINDOW_MS), now];
		return this.#recent.length <= this.#max;
	}
}
