import type { CommandMessage } from "@trunkline/contracts";
import type { CommandQueue, Received } from "@trunkline/domain";

export interface CommandsOptions {
	/** this node's own */
	queue: CommandQueue;
	nodeId: string;
	/** Hangs up a call of this node; false = it is not (or no longer) here. */
	hangUp(callId: string): boolean;
	/** Begins the transfer with this id, or says why not where the transfer is written down. */
	transfer(transferId: string, callId: string): Promise<void>;
	now(): number;
	sleep(ms: number, signal: AbortSignal): Promise<void>;
	log: {
		info(fields: Record<string, unknown>, message: string): void;
		warn(fields: Record<string, unknown>, message: string): void;
		error(fields: Record<string, unknown>, message: string): void;
	};
}

const LONG_POLL_MS = 20_000;
const ERROR_PAUSE_MS = 1_000;
/** Who asked has stopped waiting long before. */
const STALE_MS = 60_000;
/** Commands whose ids are remembered; each is a few dozen bytes, and SQS repeats within minutes. */
const REMEMBERED = 10_000;

/** Pulls the commands for the node's own calls from its queue. Each is applied once, however often it is delivered. */
export class Commands {
	readonly #options: CommandsOptions;
	readonly #stop = new AbortController();
	readonly #applied = new Set<string>();
	#running: Promise<void> = Promise.resolve();

	constructor(options: CommandsOptions) {
		this.#options = options;
	}

	start(): void {
		this.#running = this.#loop();
	}

	/** Takes nothing more; resolves when the commands at hand are dealt with. */
	async stop(): Promise<void> {
		this.#stop.abort();
		await this.#running;
	}

	async #loop(): Promise<void> {
		const { signal } = this.#stop;
		const { queue, log, sleep } = this.#options;
		while (!signal.aborted) {
			try {
				const received = await queue.receive(10, LONG_POLL_MS, signal);
				await Promise.all(received.map((command) => this.#take(command)));
			} catch (error) {
				if (signal.aborted) return;
				log.error({ err: error }, "receiving commands failed");
				await sleep(ERROR_PAUSE_MS, signal);
			}
		}
	}

	async #take(received: Received<CommandMessage>): Promise<void> {
		const { log } = this.#options;
		const { commandId, callId } = received.message;
		await this.#apply(received.message);
		try {
			await received.ack();
		} catch (error) {
			log.warn({ commandId, callId, err: error }, "a command could not be deleted from the queue; it comes again and is not applied again");
		}
	}

	async #apply({ commandId, callId, nodeId, sentAt, type }: CommandMessage): Promise<void> {
		const { log, now, hangUp, transfer } = this.#options;
		const fields = { commandId, callId };
		if (this.#applied.has(commandId)) return;
		this.#remember(commandId);
		if (nodeId !== this.#options.nodeId) return log.warn({ ...fields, nodeId }, "a command for another node was in this node's queue");
		if (now() - sentAt > STALE_MS) return log.warn(fields, "a command came too late");
		if (type === "transfer") {
			await transfer(commandId, callId).catch((error: unknown) => log.error({ ...fields, err: error }, "a transfer could not be begun"));
			return;
		}
		const isHere = hangUp(callId);
		log.info(fields, isHere ? "hanging up on command" : "the call to hang up is over already");
	}

	#remember(commandId: string): void {
		this.#applied.add(commandId);
		for (const oldest of this.#applied) {
			if (this.#applied.size <= REMEMBERED) break;
			this.#applied.delete(oldest);
		}
	}
}
