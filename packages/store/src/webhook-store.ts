import { type DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { callEventTypeSchema, type Webhook, type WebhookSettings } from "@trunkline/contracts";
import type { WebhookStore } from "@trunkline/domain";
import { reachable } from "./errors.ts";
import { fromItem, keyItem, toItem } from "./items.ts";
import * as keys from "./keys.ts";

/** Where projects' events go, in the configuration table. Throws DomainError only. */
export class DynamoWebhookStore implements WebhookStore {
	readonly #client: DynamoDBClient;
	readonly #table: string;

	constructor(options: { client: DynamoDBClient; table: string }) {
		this.#client = options.client;
		this.#table = options.table;
	}

	async getWebhooks(projectId: string): Promise<WebhookSettings> {
		const request = new GetItemCommand({ TableName: this.#table, Key: keyItem(keys.webhooks(projectId)), ConsistentRead: true });
		const { Item } = await reachable(this.#table, () => this.#client.send(request));
		return { webhooks: Item === undefined ? [] : ((fromItem(Item)["webhooks"] ?? []) as Webhook[]).map(known) };
	}

	async putWebhooks(projectId: string, { webhooks }: WebhookSettings): Promise<void> {
		const item = toItem({ ...keys.webhooks(projectId), webhooks });
		await reachable(this.#table, () => this.#client.send(new PutItemCommand({ TableName: this.#table, Item: item })));
	}
}

/** As this version can use it: events and fields of a newer one are none of its business. */
function known({ url, events }: Webhook): Webhook {
	return events === undefined ? { url } : { url, events: events.filter((type) => callEventTypeSchema.safeParse(type).success) };
}
