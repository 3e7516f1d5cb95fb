import { availableParallelism } from "node:os";
import type { Metrics } from "@trunkline/observability";

/** What a node is at one moment. */
export interface NodeReading {
	inbound: number;
	outbound: number;
	/** calls that it would still take */
	freeSlots: number;
	lateMs: number;
	/** since the start */
	lateFrames: number;
	/** since the start */
	dropped: number;
	bannedSources: number;
}

export interface GaugesOptions {
	metrics: Metrics;
	read(): NodeReading;
	/** user and system time of the process, µs */
	cpuMicros?(): number;
	/** ms, monotonic */
	now?(): number;
	cores?: number;
	everyMs?: number;
}

/** Lateness comes and goes within seconds; a heartbeat is as long. */
const EVERY_MS = 5_000;

/** Reads the node again and again and records what it reads. */
export class Gauges {
	readonly #options: Required<GaugesOptions>;
	readonly #timer: NodeJS.Timeout;
	#before: { at: number; micros: number; lateFrames: number; dropped: number };

	constructor(options: GaugesOptions) {
		this.#options = {
			cpuMicros: () => {
				const { user, system } = process.cpuUsage();
				return user + system;
			},
			now: () => performance.now(),
			// What a container is limited to, where it is.
			cores: availableParallelism(),
			everyMs: EVERY_MS,
			...options,
		};
		this.#before = { at: this.#options.now(), micros: this.#options.cpuMicros(), lateFrames: 0, dropped: 0 };
		this.#timer = setInterval(() => this.sample(), this.#options.everyMs);
		this.#timer.unref();
		// A node counts from its first minute on.
		this.sample();
	}

	sample(): void {
		const { metrics, read, now, cpuMicros, cores } = this.#options;
		const { inbound, outbound, freeSlots, lateMs, lateFrames, dropped, bannedSources } = read();
		metrics.record("ActiveCallsPerNode", inbound + outbound);
		metrics.record("ActiveCalls", inbound, { direction: "inbound" });
		metrics.record("ActiveCalls", outbound, { direction: "outbound" });
		metrics.record("FreeSlots", freeSlots);
		metrics.record("ClockLateness", lateMs);
		metrics.record("BannedSources", bannedSources);
		const before = this.#before;
		metrics.record("LateFrames", Math.max(0, lateFrames - before.lateFrames));
		metrics.record("DroppedDatagrams", Math.max(0, dropped - before.dropped));
		const at = now();
		const micros = cpuMicros();
		const elapsedMs = at - before.at;
		if (elapsedMs > 0) metrics.record("NodeCpu", Math.min(100, ((micros - before.micros) / 1_000 / elapsedMs / cores) * 100));
		this.#before = { at, micros, lateFrames, dropped };
	}

	stop(): void {
		clearInterval(this.#timer);
	}
}
