import type { Log } from "@trunkline/observability";
import type { EventDeliverer } from "./event-delivery.ts";

/** How long a retry may be late. */
const SWEEP_MS = 1_000;

/** Delivers events in the process that writes them: at once after a write (`nudge`), and later what failed. */
export class EventLoop {
	readonly #deliverer: Pick<EventDeliverer, "deliverCall" | "deliverDue">;
	readonly #log: Log;
	readonly #running = new Set<Promise<void>>();
	/** calls with a delivery under way; true = one more was asked for meanwhile */
	readonly #calls = new Map<string, boolean>();
	#timer: NodeJS.Timeout | undefined;
	#stopped = false;

	constructor(deliverer: Pick<EventDeliverer, "deliverCall" | "deliverDue">, log: Log) {
		this.#deliverer = deliverer;
		this.#log = log;
	}

	start(): void {
		this.#timer = setTimeout(() => this.#track(this.#sweep()), SWEEP_MS);
		this.#timer.unref();
	}

	/** The call was written. */
	nudge(callId: string): void {
		if (this.#stopped) return;
		if (this.#calls.has(callId)) {
			this.#calls.set(callId, true);
			return;
		}
		this.#calls.set(callId, false);
		this.#track(this.#deliver(callId));
	}

	/** Begins nothing more; resolves when what is under way is done. What is left comes after the next start. */
	async stop(): Promise<void> {
		this.#stopped = true;
		clearTimeout(this.#timer);
		await Promise.all(this.#running);
	}

	async #deliver(callId: string): Promise<void> {
		try {
			do {
				this.#calls.set(callId, false);
				await this.#deliverer.deliverCall(callId);
			} while (this.#calls.get(callId) === true && !this.#stopped);
		} finally {
			this.#calls.delete(callId);
		}
	}

	async #sweep(): Promise<void> {
		try {
			while (!this.#stopped && (await this.#deliverer.deliverDue()));
		} finally {
			if (!this.#stopped) this.start();
		}
	}

	#track(work: Promise<void>): void {
		const done = work
			.catch((error: unknown) => this.#log.warn({ err: error }, "delivering events failed; it is tried again"))
			.finally(() => this.#running.delete(done));
		this.#running.add(done);
	}
}
