import { type DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { type WebhookSettings, webhookSettingsSchema } from "@trunkline/contracts";
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
		return Item === undefined ? { webhooks: [] } : webhookSettingsSchema.parse({ webhooks: fromItem(Item)["webhooks"] });
	}

	async putWebhooks(projectId: string, { webhooks }: WebhookSettings): Promise<void> {
		const item = toItem({ ...keys.webhooks(projectId), webhooks });
		await reachable(this.#table, () => this.#client.send(new PutItemCommand({ TableName: this.#table, Item: item })));
	}
}
