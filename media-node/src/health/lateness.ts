import { monitorEventLoopDelay } from "node:perf_hooks";

const RESOLUTION_MS = 10;
const WINDOW_MS = 500;

/**
 * Is the event loop so late that audio suffers? Looked at over half a second: half of the time later than `limitMs` is a loop with too much to do, a
 * single pause (garbage collection, a cold start) is not. Audio goes out every 20 ms, and jitter buffers make up for two or three packets.
 */
export class Lateness {
	readonly #limitMs: number;
	readonly #histogram: ReturnType<typeof monitorEventLoopDelay>;
	readonly #timer: NodeJS.Timeout;
	#medianMs = 0;

	constructor(limitMs: number) {
		this.#limitMs = limitMs;
		this.#histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
		this.#histogram.enable();
		this.#timer = setInterval(() => this.#look(), WINDOW_MS);
		this.#timer.unref();
	}

	/** ms that half of the turns in the last half second were late, or more */
	get medianMs(): number {
		return this.#medianMs;
	}

	get overloaded(): boolean {
		return this.#medianMs > this.#limitMs;
	}

	stop(): void {
		clearInterval(this.#timer);
		this.#histogram.disable();
	}

	#look(): void {
		this.#medianMs = Math.max(0, this.#histogram.percentile(50) / 1e6 - RESOLUTION_MS);
		this.#histogram.reset();
	}
}
