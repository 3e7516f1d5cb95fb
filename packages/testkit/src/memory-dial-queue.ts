import { type DialMessage, dialMessageSchema } from "@trunkline/contracts";
import type { AbortSignalLike, DialQueue, Received } from "@trunkline/domain";

interface Entry {
	body: string;
	/** ms: not delivered before; a message in flight comes back then */
	visibleAt: number;
}

/** A dial queue in memory that keeps SQS's ways: a message that is not acknowledged comes back, one that is no dial message is dead-lettered. */
export class MemoryDialQueue implements DialQueue {
	/** bodies that failed the schema */
	readonly deadLetters: string[] = [];
	readonly #entries = new Set<Entry>();
	readonly #waiting = new Set<() => void>();
	readonly #visibilityTimeoutMs: number;
	readonly #now: () => number;

	/** `visibilityTimeoutMs`: after it an unacknowledged message may be delivered again (looked at when somebody receives). */
	constructor(options: { visibilityTimeoutMs?: number; now?: () => number } = {}) {
		this.#visibilityTimeoutMs = options.visibilityTimeoutMs ?? 30_000;
		this.#now = options.now ?? Date.now;
	}

	async send(message: DialMessage): Promise<void> {
		this.sendBody(JSON.stringify(dialMessageSchema.parse(message)));
	}

	/** Puts in any text, as somebody else with access to the queue could. */
	sendBody(body: string): void {
		this.#entries.add({ body, visibleAt: this.#now() });
		this.#wake();
	}

	async receive(max: number, waitMs: number, signal?: AbortSignalLike): Promise<Received<DialMessage>[]> {
		const deadline = this.#now() + Math.min(waitMs, 20_000);
		for (;;) {
			if (signal?.aborted) return [];
			const received = this.#take(Math.min(max, 10));
			if (received.length > 0) return received;
			const left = deadline - this.#now();
			if (left <= 0) return [];
			await this.#untilWoken(left, signal);
		}
	}

	#take(max: number): Received<DialMessage>[] {
		const received: Received<DialMessage>[] = [];
		for (const entry of this.#entries) {
			if (received.length === max) break;
			if (entry.visibleAt > this.#now()) continue;
			const message = parse(entry.body);
			if (!message) {
				this.#entries.delete(entry);
				this.deadLetters.push(entry.body);
				continue;
			}
			entry.visibleAt = this.#now() + this.#visibilityTimeoutMs;
			received.push(this.#received(entry, message));
		}
		return received;
	}

	#received(entry: Entry, message: DialMessage): Received<DialMessage> {
		return {
			message,
			ack: async () => {
				this.#entries.delete(entry);
			},
			release: async () => {
				entry.visibleAt = this.#now();
				this.#wake();
			},
		};
	}

	#wake(): void {
		for (const wake of this.#waiting) wake();
	}

	#untilWoken(ms: number, signal: AbortSignalLike | undefined): Promise<void> {
		return new Promise((resolve) => {
			const done = (): void => {
				clearTimeout(timer);
				this.#waiting.delete(done);
				signal?.removeEventListener("abort", done);
				resolve();
			};
			const timer = setTimeout(done, ms);
			this.#waiting.add(done);
			signal?.addEventListener("abort", done);
		});
	}
}

function parse(body: string): DialMessage | undefined {
	try {
		return dialMessageSchema.parse(JSON.parse(body));
	} catch {
		return undefined;
	}
}
