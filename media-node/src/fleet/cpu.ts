import { availableParallelism } from "node:os";

/** A node that uses more takes no dial requests: another has room. */
const FULL_SHARE = 0.9;

/** How much of its cores the process uses, from one reading to the next. */
export class CpuShare {
	readonly #micros: () => number;
	readonly #now: () => number;
	readonly #cores: number;
	#before: { at: number; micros: number };
	#share = 0;

	constructor({ micros = usedMicros, now = () => performance.now(), cores = availableParallelism() }: CpuShareOptions = {}) {
		this.#micros = micros;
		this.#now = now;
		this.#cores = cores;
		this.#before = { at: now(), micros: micros() };
	}

	/** 0..1, since the last time it was asked, which should be seconds ago. */
	read(): number {
		const at = this.#now();
		const micros = this.#micros();
		const elapsedMs = at - this.#before.at;
		if (elapsedMs < 500) return this.#share;
		this.#share = Math.min(1, Math.max(0, (micros - this.#before.micros) / 1_000 / elapsedMs / this.#cores));
		this.#before = { at, micros };
		return this.#share;
	}

	/** as of the last reading */
	get full(): boolean {
		return this.#share > FULL_SHARE;
	}
}

interface CpuShareOptions {
	/** user and system time of the process, µs */
	micros?: () => number;
	/** ms, monotonic */
	now?: () => number;
	cores?: number;
}

function usedMicros(): number {
	const { user, system } = process.cpuUsage();
	return user + system;
}
