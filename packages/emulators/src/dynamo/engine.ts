import { setImmediate } from "node:timers/promises";
import dynaliteDb from "dynalite/db/index.js";
import { Mutex } from "../mutex.ts";
import { bufferedStore } from "./buffered-store.ts";
import { openDatabase, openDataDirectory } from "./data-directory.ts";
import { readDirectly } from "./direct-reads.ts";
import { knowExpressions } from "./known-expressions.ts";
import { KnownTables } from "./known-tables.ts";
import { checkRequest, isOperation, type Operation, OPERATIONS, perform } from "./operations.ts";
import { TimeToLive } from "./time-to-live.ts";
import { Transactions } from "./transactions.ts";
import { refusalName, WireError } from "./wire.ts";

type Members = Record<string, unknown>;

/**
 * DynamoDB without the network: dynalite's operations, called in process, with what they lack. Writes run one at a time and reach LevelDB as one
 * atomic batch each (a transaction too), so reads need no lock and a killed process leaves no half of anything.
 */
export class DynamoEngine {
	readonly #store: dynalite.Store;
	readonly #writes = new Mutex();
	readonly #transactions: Transactions;
	readonly #timeToLive: TimeToLive;
	readonly #tables: KnownTables;
	readonly #now: () => number;

	private constructor(store: dynalite.Store, now: () => number) {
		this.#store = store;
		this.#now = now;
		this.#transactions = new Transactions(store, now);
		this.#timeToLive = new TimeToLive(store);
		this.#tables = new KnownTables(store);
	}

	/** In memory without `dataDir`. Throws EmulatorError when the directory cannot be used. */
	static async open(options: { dataDir?: string; now: () => number }): Promise<DynamoEngine> {
		const path = options.dataDir;
		if (path !== undefined) await openDataDirectory(path);
		const store = dynaliteDb.create({ ...(path === undefined ? {} : { path }), createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
		await openDatabase(path, () => store.db.open());
		readDirectly(store.db);
		knowExpressions();
		const engine = new DynamoEngine(store, options.now);
		await engine.#finishTableChanges();
		await engine.#timeToLive.load();
		return engine;
	}

	/** Runs one request; rejects with the refusal (see errorAnswer). */
	async handle(target: string, request: Members): Promise<Members> {
		switch (target) {
			case "TransactWriteItems":
				return this.#writes.run(() => this.#transactions.write(request));
			case "TransactGetItems":
				return this.#writes.run(() => this.#transactions.read(request));
			case "UpdateTimeToLive":
				return this.#writes.run(() => this.#timeToLive.update(request));
			case "DescribeTimeToLive":
				return this.#timeToLive.describe(request);
			case "DeleteTable":
				await this.#writes.run(() => this.#timeToLive.forget(String(request["TableName"])));
				break;
		}
		if (!isOperation(target)) throw new WireError("UnknownOperationException", `${target} is not emulated`);
		const operation = OPERATIONS[target];
		const data = checkRequest(operation, request, this.#store);
		if (operation.kind === "read") return perform(operation, data, this.#store);
		if (operation.kind === "table") return this.#writes.run(() => this.#tables.change(() => this.#changeTable(operation, data)));
		return this.#writes.run(() => this.#write(operation, data, request["ReturnValuesOnConditionCheckFailure"] === "ALL_OLD"));
	}

	/** Removes expired items, as DynamoDB does some time after their expiry. */
	async reap(): Promise<number> {
		return this.#timeToLive.reap(this.#now(), (task) => this.#writes.run(task));
	}

	async close(): Promise<void> {
		await this.#writes.run(() => this.#store.lifecycleManager.gracefulClose());
	}

	async #write(operation: Operation, data: Members, returnOld: boolean): Promise<Members> {
		const buffer = bufferedStore(this.#store);
		try {
			const answer = await perform(operation, data, buffer.store);
			await this.#store.db.batch(buffer.writes);
			return answer;
		} catch (error) {
			const old = buffer.found();
			if (!returnOld || !old || refusalName(error) !== "ConditionalCheckFailedException") throw error;
			throw new WireError("ConditionalCheckFailedException", "The conditional request failed", { Item: old });
		}
	}

	/** Answers when the change is done: dynalite finishes it on a timer of its own, and until then refuses the table. */
	async #changeTable(operation: Operation, data: Members): Promise<Members> {
		const answer = await perform(operation, data, this.#store);
		for (;;) {
			const table = (await this.#store.db.get(`table~${String(data["TableName"])}`)) as dynalite.Table | undefined;
			if (!table || table.TableStatus === "ACTIVE") return answer;
			await setImmediate();
		}
	}

	/** dynalite writes CREATING and then ACTIVE; a process killed between the two would leave a table that nobody can use. */
	async #finishTableChanges(): Promise<void> {
		for await (const [key, value] of this.#store.db.iterator({ gte: "table~", lt: "table~\u{ffff}" })) {
			const table = value as dynalite.Table;
			if (table.TableStatus !== "CREATING") continue;
			table.TableStatus = "ACTIVE";
			for (const index of table.GlobalSecondaryIndexes ?? []) index.IndexStatus = "ACTIVE";
			await this.#store.db.put(key, table);
		}
	}
}
