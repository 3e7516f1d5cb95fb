import { ConditionalCheckFailedException, type DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { DomainError } from "@trunkline/domain";
import { randomUUID } from "node:crypto";
import { reachable } from "./errors.ts";
import { type Attributes, backOff, fromItem, keyItem, toItem } from "./items.ts";
import type { Key } from "./keys.ts";

/** Each failed attempt means that somebody else's succeeded. */
const MAX_ATTEMPTS = 60;

/** Items that are read, changed and written back on condition that nobody has written them in between. */
export class VersionedItems {
	readonly #client: DynamoDBClient;
	readonly #table: string;

	constructor(options: { client: DynamoDBClient; table: string }) {
		this.#client = options.client;
		this.#table = options.table;
	}

	async get(key: Key): Promise<Attributes | undefined> {
		const request = new GetItemCommand({ TableName: this.#table, Key: keyItem(key), ConsistentRead: true });
		const { Item } = await reachable(this.#table, () => this.#client.send(request));
		return Item && fromItem(Item);
	}

	/**
	 * `change` gets the item and gives what shall be in it, or undefined to leave it; it is asked again when somebody was faster. Attributes that it does
	 * not name stay: they may be a newer version's (docs/skew.md). Throws `aborted` when that goes on and on.
	 */
	async change(
		key: Key,
		change: (item: Attributes | undefined) => Attributes | undefined | Promise<Attributes | undefined>,
	): Promise<void> {
		for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
			const before = await this.get(key);
			const next = await change(before);
			if (next === undefined || (await this.#replace(key, before, next))) return;
			await backOff(Math.min(attempt, 3));
		}
		throw new DomainError("aborted", "too many requests are changing the same thing at this moment; try again");
	}

	async #replace(key: Key, before: Attributes | undefined, next: Attributes): Promise<boolean> {
		const stamp = randomUUID();
		const put = new PutItemCommand({
			TableName: this.#table,
			Item: toItem({ ...before, ...next, ...key, stamp }),
			...(before === undefined
				? { ConditionExpression: "attribute_not_exists(pk)" }
				: { ConditionExpression: "stamp = :stamp", ExpressionAttributeValues: toItem({ ":stamp": before["stamp"] }) }),
			ReturnValuesOnConditionCheckFailure: "ALL_OLD",
		});
		try {
			await reachable(this.#table, () => this.#client.send(put));
			return true;
		} catch (error) {
			if (!(error instanceof ConditionalCheckFailedException)) throw error;
			// The SDK repeats a request whose answer was lost, and the first one had been done.
			return error.Item !== undefined && fromItem(error.Item)["stamp"] === stamp;
		}
	}
}
