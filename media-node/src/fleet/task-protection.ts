/** ECS's default, and long enough that renewals are rare. */
const EXPIRES_MINUTES = 120;
/** A node that had no call for so long may be stopped; one between two calls is left alone. */
const IDLE_MS = 60_000;

export interface TaskProtectionOptions {
	/** ECS_AGENT_URI */
	agentUri: string;
	/** ms */
	now(): number;
	fetch?: typeof globalThis.fetch;
	log: { info(fields: Record<string, unknown>, message: string): void; warn(fields: Record<string, unknown>, message: string): void };
}

/** Keeps ECS from stopping a task that has calls, when it scales in or deploys. Without it the platform ends them within two minutes. */
export class TaskProtection {
	readonly #options: TaskProtectionOptions;
	/** when it was last turned on; undefined = off */
	#since: number | undefined;
	#lastCallAt = Number.NEGATIVE_INFINITY;
	#asking: Promise<void> | undefined;

	constructor(options: TaskProtectionOptions) {
		this.#options = options;
	}

	/** To be told every few seconds. Never rejects; what the agent did not take is asked for again next time. */
	async update(calls: number): Promise<void> {
		const now = this.#options.now();
		if (calls > 0) this.#lastCallAt = now;
		if (this.#asking !== undefined) return;
		if (calls > 0) {
			const renewAt = (this.#since ?? Number.NEGATIVE_INFINITY) + (EXPIRES_MINUTES * 60_000) / 2;
			if (now >= renewAt) await this.#ask(true, now);
		} else if (this.#since !== undefined && now - this.#lastCallAt >= IDLE_MS) await this.#ask(false, now);
	}

	/** For a node that is about to exit. */
	async off(): Promise<void> {
		await this.#asking;
		if (this.#since !== undefined) await this.#ask(false, this.#options.now());
	}

	#ask(on: boolean, now: number): Promise<void> {
		this.#asking = this.#put(on, now).finally(() => {
			this.#asking = undefined;
		});
		return this.#asking;
	}

	async #put(on: boolean, now: number): Promise<void> {
		const { agentUri, fetch = globalThis.fetch, log } = this.#options;
		const body = JSON.stringify(on ? { ProtectionEnabled: true, ExpiresInMinutes: EXPIRES_MINUTES } : { ProtectionEnabled: false });
		try {
			const answer = await fetch(`${agentUri}/task-protection/v1/state`, {
				method: "PUT",
				headers: { "content-type": "application/json" },
				body,
				signal: AbortSignal.timeout(5_000),
			});
			const told = (await answer.json()) as { protection?: unknown; failure?: { Reason?: string }; error?: { Message?: string } };
			// A task that is stopping, or one of no service, is a failure in an answer of 200.
			if (!answer.ok || told.protection === undefined)
				throw new Error(told.failure?.Reason ?? told.error?.Message ?? `HTTP ${answer.status}`);
			this.#since = on ? now : undefined;
			log.info({ on }, "task protection");
		} catch (error) {
			log.warn({ on, err: error }, "task protection could not be set; it is tried again");
		}
	}
}
