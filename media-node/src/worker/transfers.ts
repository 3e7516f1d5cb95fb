import type { TransferOutcome, TransferStore } from "@trunkline/domain";
import type { LiveCall } from "../call/ports.ts";

export interface TransfersOptions {
	store: TransferStore;
	/** a call of this node */
	call(callId: string): LiveCall | undefined;
	/** why the call's project may not call the target; unset: the API has seen to it */
	mayCall?(projectId: string, targets: readonly string[]): Promise<string | undefined>;
	log: { warn(fields: Record<string, unknown>, message: string): void; error(fields: Record<string, unknown>, message: string): void };
}

/** Takes the transfers, moves and holds that this node is told of, gives them to their calls, and writes down what came of them. */
export class Transfers {
	readonly #options: TransfersOptions;
	readonly #writing = new Set<Promise<void>>();

	constructor(options: TransfersOptions) {
		this.#options = options;
	}

	/** Told of twice, a transfer is taken once. Throws the store's error; the transfer then has not begun, or cannot begin any more. */
	async take(transferId: string, callId: string): Promise<void> {
		const { store, call, log } = this.#options;
		const transfer = await store.takeTransfer(transferId);
		if (transfer === undefined) return log.warn({ transferId, callId }, "a transfer was taken before, or was given up");
		// The item is what the API has checked; the message is only a hint that it is there.
		const live = call(transfer.callId);
		if (live === undefined) return this.settle([transferId], { status: "failed", reason: "unspecified", refused: "gone" });
		const { command } = transfer;
		if ("destinationRoom" in command) return live.dispatch({ type: "move", command });
		if ("noiseSuppression" in command) return live.dispatch({ type: "suppress", command });
		if ("music" in command) return live.dispatch({ type: "music", command });
		if ("digits" in command) return live.dispatch({ type: "press", command });
		if ("recording" in command) return live.dispatch({ type: "recording", command });
		const forbidden = await this.#options.mayCall?.(transfer.projectId, [command.transferTo]);
		if (forbidden !== undefined) {
			log.warn({ transferId, callId: transfer.callId, projectId: transfer.projectId }, "a transfer is against the policy");
			return this.settle([transferId], { status: "failed", reason: "rejected", message: forbidden });
		}
		live.dispatch({ type: "transfer", command });
	}

	settle(transferIds: readonly string[], outcome: TransferOutcome): void {
		for (const transferId of transferIds) {
			const write: Promise<void> = this.#write(transferId, outcome).finally(() => this.#writing.delete(write));
			this.#writing.add(write);
		}
	}

	/** All outcomes so far are written, or given up. */
	async settled(): Promise<void> {
		await Promise.all(this.#writing);
	}

	async #write(transferId: string, outcome: TransferOutcome): Promise<void> {
		const { store, log } = this.#options;
		try {
			if (!(await store.settleTransfer(transferId, ["ongoing"], outcome)))
				log.warn({ transferId }, "a transfer's outcome was not wanted any more");
		} catch (error) {
			log.error(
				{ transferId, err: error },
				"a transfer's outcome could not be written; who waits for it gives up after the ringing timeout",
			);
		}
	}
}
