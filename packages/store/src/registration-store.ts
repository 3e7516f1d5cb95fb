import {
	ConditionalCheckFailedException,
	DeleteItemCommand,
	type DynamoDBClient,
	GetItemCommand,
	PutItemCommand,
} from "@aws-sdk/client-dynamodb";
import type { RegistrationRecord, RegistrationStore } from "@trunkline/domain";
import { reachable } from "./errors.ts";
import { fromItem, keyItem, toItem } from "./items.ts";
import * as keys from "./keys.ts";

/** Leases of registrations, one item each in the calls table of a region. Throws DomainError only. */
export class DynamoRegistrationStore implements RegistrationStore {
	readonly #client: DynamoDBClient;
	readonly #table: string;

	constructor(options: { client: DynamoDBClient; table: string }) {
		this.#client = options.client;
		this.#table = options.table;
	}

	async getRegistration(projectId: string, trunkId: string): Promise<RegistrationRecord | undefined> {
		if (!keys.isId(trunkId)) return undefined;
		const request = new GetItemCommand({
			TableName: this.#table,
			Key: keyItem(keys.registrationKey(projectId, trunkId)),
			ConsistentRead: true,
		});
		const { Item } = await reachable(this.#table, () => this.#client.send(request));
		if (Item === undefined) return undefined;
		const record = fromItem(Item);
		for (const key of ["pk", "sk"]) delete record[key];
		// Only this package writes the table.
		return record as unknown as RegistrationRecord;
	}

	async holdRegistration(record: RegistrationRecord, now: number): Promise<boolean> {
		return this.#conditional(
			new PutItemCommand({
				TableName: this.#table,
				Item: toItem({ ...record, ...keys.registrationKey(record.projectId, record.trunkId) }),
				// One that this node has, too: whoever repeats a write whose answer was lost still holds it.
				ConditionExpression: "attribute_not_exists(pk) OR nodeId = :node OR leaseUntil <= :now",
				ExpressionAttributeValues: toItem({ ":node": record.nodeId, ":now": now }),
			}),
		);
	}

	async releaseRegistration(projectId: string, trunkId: string, nodeId: string): Promise<void> {
		await this.#conditional(
			new DeleteItemCommand({
				TableName: this.#table,
				Key: keyItem(keys.registrationKey(projectId, trunkId)),
				ConditionExpression: "nodeId = :node",
				ExpressionAttributeValues: toItem({ ":node": nodeId }),
			}),
		);
	}

	async #conditional(command: PutItemCommand | DeleteItemCommand): Promise<boolean> {
		try {
			await reachable(this.#table, async () => {
				if (command instanceof PutItemCommand) await this.#client.send(command);
				else await this.#client.send(command);
			});
			return true;
		} catch (error) {
			if (error instanceof ConditionalCheckFailedException) return false;
			throw error;
		}
	}
}
