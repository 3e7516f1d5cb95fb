import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { NumberOwner, NumberOwnerStore } from "@trunkline/domain";
import type { Attributes } from "./items.ts";
import * as keys from "./keys.ts";
import { VersionedItems } from "./versioned-items.ts";

/** Who takes calls to which number, across projects; one item per number in the config table. Throws DomainError, and what `change` throws. */
export class DynamoNumberOwnerStore implements NumberOwnerStore {
	readonly #items: VersionedItems;

	constructor(options: { client: DynamoDBClient; table: string }) {
		this.#items = new VersionedItems(options);
	}

	async get(number: string): Promise<NumberOwner[]> {
		return ownersOf(await this.#items.get(keys.numberOwners(number)));
	}

	async change(number: string, change: Parameters<NumberOwnerStore["change"]>[1]): Promise<void> {
		await this.#items.change(keys.numberOwners(number), async (item) => {
			const owners = await change(ownersOf(item));
			return owners && { owners };
		});
	}
}

function ownersOf(item: Attributes | undefined): NumberOwner[] {
	return (item?.["owners"] ?? []) as NumberOwner[];
}
