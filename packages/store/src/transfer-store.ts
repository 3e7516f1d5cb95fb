import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { TransferRecord, TransferStore } from "@trunkline/domain";
import type { Attributes } from "./items.ts";
import * as keys from "./keys.ts";
import { VersionedItems } from "./versioned-items.ts";

/** Transfers, one item each in the calls table. Throws DomainError only. */
export class DynamoTransferStore implements TransferStore {
	readonly #items: VersionedItems;

	constructor(options: { client: DynamoDBClient; table: string }) {
		this.#items = new VersionedItems(options);
	}

	async createTransfer(transfer: TransferRecord): Promise<boolean> {
		let created = false;
		await this.#items.change(keys.transferKey(transfer.command.transferId), (item) => {
			created = item === undefined;
			return created ? { ...transfer } : undefined;
		});
		return created;
	}

	async getTransfer(transferId: string): Promise<TransferRecord | undefined> {
		if (!keys.isId(transferId)) return undefined;
		return transferOf(await this.#items.get(keys.transferKey(transferId)));
	}

	async takeTransfer(transferId: string): Promise<TransferRecord | undefined> {
		return this.#change(transferId, ["requested"], { state: "ongoing" });
	}

	async settleTransfer(...[transferId, from, outcome]: Parameters<TransferStore["settleTransfer"]>): Promise<boolean> {
		return (await this.#change(transferId, from, { state: "over", outcome })) !== undefined;
	}

	async #change(
		transferId: string,
		from: readonly TransferRecord["state"][],
		change: Pick<TransferRecord, "state" | "outcome">,
	): Promise<TransferRecord | undefined> {
		if (!keys.isId(transferId)) return undefined;
		let changed: TransferRecord | undefined;
		await this.#items.change(keys.transferKey(transferId), (item) => {
			const transfer = transferOf(item);
			changed = transfer !== undefined && from.includes(transfer.state) ? { ...transfer, ...change } : undefined;
			return changed && { ...changed };
		});
		return changed;
	}
}

function transferOf(item: Attributes | undefined): TransferRecord | undefined {
	if (item === undefined) return undefined;
	const { projectId, callId, command, state, outcome, expiresAtSeconds } = item as unknown as TransferRecord;
	return { projectId, callId, command, state, expiresAtSeconds, ...(outcome === undefined ? {} : { outcome }) };
}
