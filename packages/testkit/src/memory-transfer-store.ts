import type { TransferRecord, TransferStore } from "@trunkline/domain";

/** Transfers in memory. */
export class MemoryTransferStore implements TransferStore {
	readonly #transfers = new Map<string, TransferRecord>();

	async createTransfer(transfer: TransferRecord): Promise<boolean> {
		const { transferId } = transfer.command;
		if (this.#transfers.has(transferId)) return false;
		this.#transfers.set(transferId, structuredClone(transfer));
		return true;
	}

	async getTransfer(transferId: string): Promise<TransferRecord | undefined> {
		return structuredClone(this.#transfers.get(transferId));
	}

	async takeTransfer(transferId: string): Promise<TransferRecord | undefined> {
		return this.#change(transferId, ["requested"], { state: "ongoing" });
	}

	async settleTransfer(...[transferId, from, outcome]: Parameters<TransferStore["settleTransfer"]>): Promise<boolean> {
		return this.#change(transferId, from, { state: "over", outcome }) !== undefined;
	}

	#change(
		transferId: string,
		from: readonly TransferRecord["state"][],
		change: Pick<TransferRecord, "state" | "outcome">,
	): TransferRecord | undefined {
		const transfer = this.#transfers.get(transferId);
		if (transfer === undefined || !from.includes(transfer.state)) return undefined;
		const changed = { ...transfer, ...structuredClone(change) };
		this.#transfers.set(transferId, changed);
		return structuredClone(changed);
	}
}
