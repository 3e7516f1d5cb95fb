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

	/**
	 * Removes items whose time is over; gives how many. Looking for them takes no lock, so that calls go on meanwhile: `write` runs one removal
	 * when it is its turn, and an item that has got more time by then stays.
	 */
	async reap(nowMs: number, write: <T>(task: () => Promise<T>) => Promise<T>): Promise<number> {
		let removed = 0;
		for (const [table, attribute] of this.#attributes) {
			try {
				removed += await this.#reapTable(table, attribute, Math.floor(nowMs / 1000), write);
			} catch (error) {
				if (refusalName(error) !== "ResourceNotFoundException") throw error;
			}
		}
		return removed;
	}

	async #reapTable(
		TableName: string,
		attribute: string,
		nowSeconds: number,
		write: <T>(task: () => Promise<T>) => Promise<T>,
	): Promise<number> {
		let removed = 0;
		const { KeySchema } = await tableOf(this.#store, TableName);
		// Only numbers count as an expiry (DynamoDB ignores other types), and `<` compares equal types only.
		const expired = {
			TableName,
			ExpressionAttributeNames: { "#expiry": attribute },
			ExpressionAttributeValues: { ":now": { N: String(nowSeconds) } },
		};
		let start: unknown;
		do {
			const from = start === undefined ? {} : { ExclusiveStartKey: start };
			const scan = checkRequest(OPERATIONS.Scan, { ...expired, ...from, FilterExpression: "#expiry < :now" }, this.#store);
			const page = await perform(OPERATIONS.Scan, scan, this.#store);
			for (const item of (page["Items"] ?? []) as dynalite.Item[]) {
				const Key = Object.fromEntries(KeySchema.map(({ AttributeName }) => [AttributeName, item[AttributeName]]));
				const request = { ...expired, Key, ConditionExpression: "#expiry < :now" };
				if (await write(() => this.#remove(checkRequest(OPERATIONS.DeleteItem, request, this.#store)))) removed++;
			}
			start = page["LastEvaluatedKey"];
		} while (start !== undefined);
		return removed;
	}

	async #remove(request: Members): Promise<boolean> {
		const buffer = bufferedStore(this.#store);
		try {
			await perform(OPERATIONS.DeleteItem, request, buffer.store);
			await this.#store.db.batch(buffer.writes);
			return true;
		} catch (error) {
			if (refusalName(error) === "ConditionalCheckFailedException") return false;
			throw error;
		}
	}
}
