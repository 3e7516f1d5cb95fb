/**
 * Tables as they are, so that a request about items need not read its table's description. They change in table operations only; until such a one is over,
 * and where a table is not ready, each request reads.
 */
export class KnownTables {
	readonly #tables = new Map<string, dynalite.Table>();
	#changing = 0;

	/** Puts itself in the place of the store's `getTable`. */
	constructor(store: dynalite.Store) {
		const read = store.getTable;
		store.getTable = (name, checkStatus, callback) => {
			// Whoever does not want the status checked is about to change or describe the table.
			if (typeof checkStatus !== "function") return read(name, checkStatus, callback);
			const known = this.#tables.get(name);
			if (known !== undefined) return checkStatus(null, known);
			read(name, (error, table) => {
				if (table?.TableStatus === "ACTIVE" && this.#changing === 0) this.#tables.set(name, table);
				checkStatus(error, table);
			});
		};
	}

	/** Runs what changes a table. */
	async change<T>(task: () => Promise<T>): Promise<T> {
		this.#changing += 1;
		this.#tables.clear();
		try {
			return await task();
		} finally {
			this.#changing -= 1;
		}
	}
}
