export interface Delivery {
	/** tells which order it belongs to: deliveries of one key go out one after the other */
	key: string;
	/** for the log */
	name: string;
	body: string;
	/** ms, of the clock given */
	queuedAt: number;
}

/** What a receiver said: taken, not taken but may be tried again, or never to be tried again. */
export type Outcome = { kind: "taken" } | { kind: "again" | "refused"; why: string };

export interface WebhookQueueOptions {
	post(body: string): Promise<Outcome>;
	/** ms */
	now(): number;
	firstRetryMs: number;
	slowestRetryMs: number;
	/** ms after which a delivery that nobody takes is dropped */
	giveUpAfterMs: number;
	/** deliveries that wait, of one key and of all */
	maxPerKey: number;
	maxInAll: number;
	/** deliveries under way at once, of different keys */
	maxAtOnce: number;
	dropped(delivery: Delivery, why: string): void;
}

interface Line {
	key: string;
	waiting: Delivery[];
	retryMs: number;
	timer?: NodeJS.Timeout;
	state: "ready" | "sending" | "resting";
}

/** Deliveries to one receiver: each key's in order, one key not held up by another; the oldest go when too many wait. */
export class WebhookQueue {
	readonly #options: WebhookQueueOptions;
	readonly #lines = new Map<string, Line>();
	#size = 0;
	#sending = 0;
	#closed = false;
	#emptied: (() => void) | undefined;

	constructor(options: WebhookQueueOptions) {
		this.#options = options;
	}

	get size(): number {
		return this.#size;
	}

	/** of keys that something is kept about */
	get keys(): number {
		return this.#lines.size;
	}

	add(delivery: Delivery): void {
		if (this.#closed) return;
		const line = this.#lines.get(delivery.key) ?? { key: delivery.key, waiting: [], retryMs: this.#options.firstRetryMs, state: "ready" };
		this.#lines.set(delivery.key, line);
		line.waiting.push(delivery);
		this.#size++;
		if (line.waiting.length > this.#options.maxPerKey) this.#dropOldest(line, "too many of this room wait");
		if (this.#size > this.#options.maxInAll) this.#dropOldest(this.#longest(), "too many wait");
		this.#pump();
	}

	/** Resolves when nothing waits, at the latest after `withinMs`; what is left is dropped. */
	async close(withinMs: number): Promise<void> {
		this.#closed = true;
		if (this.#size > 0) {
			await new Promise<void>((resolve) => {
				this.#emptied = resolve;
				setTimeout(resolve, withinMs).unref();
			});
		}
		for (const line of this.#lines.values()) {
			clearTimeout(line.timer);
			for (const delivery of line.waiting) this.#options.dropped(delivery, "the server ends");
			line.waiting = [];
		}
		this.#lines.clear();
		this.#size = 0;
	}

	#pump(): void {
		for (const line of this.#lines.values()) {
			if (this.#sending >= this.#options.maxAtOnce) return;
			if (line.state === "ready") void this.#send(line);
		}
	}

	/** Never rejects: `post` says what went wrong, or is taken to have failed. */
	async #send(line: Line): Promise<void> {
		const [delivery] = line.waiting;
		if (delivery === undefined) return;
		line.state = "sending";
		this.#sending++;
		const outcome = await this.#options.post(delivery.body).catch((error: unknown): Outcome => ({ kind: "again", why: String(error) }));
		this.#sending--;
		this.#settle(line, delivery, outcome);
		this.#pump();
	}

	#settle(line: Line, delivery: Delivery, outcome: Outcome): void {
		// dropped meanwhile to make room
		const isFirst = line.waiting[0] === delivery;
		const tooOld = this.#options.now() - delivery.queuedAt >= this.#options.giveUpAfterMs;
		if (outcome.kind === "again" && isFirst && !tooOld) {
			this.#rest(line);
			return;
		}
		line.retryMs = this.#options.firstRetryMs;
		line.state = "ready";
		if (isFirst) {
			line.waiting.shift();
			this.#size--;
			if (outcome.kind !== "taken") this.#options.dropped(delivery, outcome.why);
		}
		if (line.waiting.length === 0) this.#lines.delete(line.key);
		if (this.#size === 0) this.#emptied?.();
	}

	#rest(line: Line): void {
		line.state = "resting";
		line.timer = setTimeout(() => {
			line.state = "ready";
			this.#pump();
		}, line.retryMs);
		line.timer.unref();
		line.retryMs = Math.min(line.retryMs * 2, this.#options.slowestRetryMs);
	}

	#dropOldest(line: Line, why: string): void {
		const oldest = line.waiting.shift();
		if (oldest === undefined) return;
		this.#size--;
		this.#options.dropped(oldest, why);
		// Else the lines of rooms that are no more would stay; one that is being sent goes when that is over.
		if (line.waiting.length > 0 || line.state === "sending") return;
		clearTimeout(line.timer);
		this.#lines.delete(line.key);
	}

	#longest(): Line {
		return [...this.#lines.values()].reduce((longest, line) => (line.waiting.length > longest.waiting.length ? line : longest));
	}
}
