interface ClosingLog {
	warn(fields: Record<string, unknown>, message: string): void;
}

/** Closes what was opened, last opened first; one that fails does not keep the others open. */
export class Closing {
	readonly #steps: { name: string; close: () => Promise<void> }[] = [];
	readonly #log: ClosingLog;
	#running: Promise<void> | undefined;

	constructor(log: ClosingLog) {
		this.#log = log;
	}

	add(name: string, close: () => Promise<void>): void {
		this.#steps.push({ name, close });
	}

	/** Idempotent: a second call waits for the first. */
	run(): Promise<void> {
		this.#running ??= this.#run();
		return this.#running;
	}

	async #run(): Promise<void> {
		for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
			try {
				await step.close();
			} catch (error) {
				this.#log.warn({ err: error, part: step.name }, "closing failed");
			}
		}
	}
}
