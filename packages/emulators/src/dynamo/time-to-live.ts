import { bufferedStore } from "./buffered-store.ts";
import { checkRequest, OPERATIONS, perform, tableOf } from "./operations.ts";
import { refusalName, WireError } from "./wire.ts";

type Members = Record<string, unknown>;

/** Own key space in the LevelDB, beside dynalite's `table~`, `item-…~` and `index-…~`. */
const PREFIX = "ttl~";

/** UpdateTimeToLive, DescribeTimeToLive and the removal of what has expired. Settings are kept with the data. */
export class TimeToLive {
	readonly #store: dynalite.Store;
	/** attribute that holds the expiry in seconds since the epoch, by table */
	readonly #attributes = new Map<string, string>();

	constructor(store: dynalite.Store) {
		this.#store = store;
	}

	async load(): Promise<void> {
		for await (const [key, attribute] of this.#store.db.iterator({ gte: PREFIX, lt: `${PREFIX}\u{ffff}` }))
			this.#attributes.set(key.slice(PREFIX.length), String(attribute));
	}

	async update(request: Members): Promise<Members> {
		const table = await tableOf(this.#store, String(request["TableName"]));
		const wanted = request["TimeToLiveSpecification"] as { AttributeName?: string; Enabled?: boolean } | undefined;
		if (!wanted?.AttributeName || typeof wanted.Enabled !== "boolean")
			throw new WireError("ValidationException", "TimeToLiveSpecification needs AttributeName and Enabled");
		if (wanted.Enabled === this.#attributes.has(table.TableName))
			throw new WireError("ValidationException", `TimeToLive is already ${wanted.Enabled ? "enabled" : "disabled"}`);
		if (wanted.Enabled) {
			await this.#store.db.put(PREFIX + table.TableName, wanted.AttributeName);
			this.#attributes.set(table.TableName, wanted.AttributeName);
		} else await this.forget(table.TableName);
		return { TimeToLiveSpecification: wanted };
	}

	async describe(request: Members): Promise<Members> {
		const { TableName } = await tableOf(this.#store, String(request["TableName"]));
		const AttributeName = this.#attributes.get(TableName);
		return { TimeToLiveDescription: AttributeName ? { TimeToLiveStatus: "ENABLED", AttributeName } : { TimeToLiveStatus: "DISABLED" } };
	}

	async forget(table: string): Promise<void> {
		if (!this.#attributes.delete(table)) return;
		await this.#store.db.del(PREFIX + table);
	}

	/** Removes items whose time is over; the caller holds the engine's mutex. Gives how many. */
	async reap(nowMs: number): Promise<number> {
		let removed = 0;
		for (const [table, attribute] of this.#attributes) removed += await this.#reapTable(table, attribute, Math.floor(nowMs / 1000));
		return removed;
	}

	async #reapTable(TableName: string, attribute: string, nowSeconds: number): Promise<number> {
		let removed = 0;
		try {
			const { KeySchema } = await tableOf(this.#store, TableName);
			let start: unknown;
			do {
				const scan = {
					TableName,
					...(start === undefined ? {} : { ExclusiveStartKey: start }),
					// Only numbers count as an expiry (DynamoDB ignores other types), and `<` compares equal types only.
					FilterExpression: "#expiry < :now",
					ExpressionAttributeNames: { "#expiry": attribute },
					ExpressionAttributeValues: { ":now": { N: String(nowSeconds) } },
				};
				const page = await perform(OPERATIONS.Scan, checkRequest(OPERATIONS.Scan, scan, this.#store), this.#store);
				for (const item of (page["Items"] ?? []) as dynalite.Item[]) {
					const buffer = bufferedStore(this.#store);
					const Key = Object.fromEntries(KeySchema.map(({ AttributeName }) => [AttributeName, item[AttributeName]]));
					await perform(OPERATIONS.DeleteItem, checkRequest(OPERATIONS.DeleteItem, { TableName, Key }, this.#store), buffer.store);
					await this.#store.db.batch(buffer.writes);
					removed++;
				}
				start = page["LastEvaluatedKey"];
			} while (start !== undefined);
		} catch (error) {
			if (refusalName(error) !== "ResourceNotFoundException") throw error;
		}
		return removed;
	}
}
