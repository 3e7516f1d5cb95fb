import { type AttributeValue, BatchGetItemCommand, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import { DomainError } from "@trunkline/domain";
import type { Key } from "./keys.ts";

export type Item = Record<string, AttributeValue>;
/** An item in JavaScript's terms. */
export type Attributes = Record<string, unknown>;

/** DynamoDB's limit of one BatchGetItem. */
const MAX_KEYS_PER_BATCH = 100;
const MAX_ROUNDS = 6;

export function toItem(attributes: object): Item {
	return marshall(attributes, { removeUndefinedValues: true });
}

export function fromItem(item: Item): Attributes {
	return unmarshall(item);
}

export function keyItem({ pk, sk }: Key): Item {
	return { pk: { S: pk }, sk: { S: sk } };
}

/** The items with these keys that exist, in any order; strongly consistent. */
export async function getItems(client: DynamoDBClient, table: string, keys: readonly Key[]): Promise<Attributes[]> {
	const chunks = Array.from({ length: Math.ceil(keys.length / MAX_KEYS_PER_BATCH) }, (_, i) =>
		keys.slice(i * MAX_KEYS_PER_BATCH, (i + 1) * MAX_KEYS_PER_BATCH),
	);
	const found = await Promise.all(chunks.map((chunk) => getChunk(client, table, chunk)));
	return found.flat();
}

async function getChunk(client: DynamoDBClient, table: string, keys: readonly Key[]): Promise<Attributes[]> {
	const items: Attributes[] = [];
	let left: Item[] = keys.map(keyItem);
	for (let round = 0; left.length > 0; round++) {
		// What does not fit into 16 MB or is throttled comes back as unprocessed.
		if (round === MAX_ROUNDS) throw new DomainError("unavailable", `The DynamoDB table ${table} is throttled; try again`);
		if (round > 0) await backOff(round);
		const answer = await client.send(new BatchGetItemCommand({ RequestItems: { [table]: { Keys: left, ConsistentRead: true } } }));
		for (const item of answer.Responses?.[table] ?? []) items.push(fromItem(item));
		left = answer.UnprocessedKeys?.[table]?.Keys ?? [];
	}
	return items;
}

/** Waits before attempt `attempt` (1, 2, …): at most 20, 40, 80 … 640 ms, with full jitter so that two who met do not meet again. */
export function backOff(attempt: number): Promise<void> {
	return new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * 2 ** Math.min(attempt - 1, 5)));
}
