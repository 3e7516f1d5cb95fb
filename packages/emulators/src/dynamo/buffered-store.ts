/**
 * A view of the store that keeps writes instead of doing them. dynalite writes an item and each of its index entries one after the
 * other; run against this view, all of them reach LevelDB in one batch, which is atomic even when the process is killed.
 */
export interface BufferedStore {
	store: dynalite.Store;
	writes: dynalite.Write[];
	/** the item that the last operation found before it changed or refused to change it */
	found(): dynalite.Item | undefined;
}

export function bufferedStore(real: dynalite.Store): BufferedStore {
	const writes: dynalite.Write[] = [];
	let found: dynalite.Item | undefined;

	const buffered = (database: dynalite.SubDatabase, prefix: string): dynalite.SubDatabase => ({
		get: (key, callback) =>
			database.get(key, (error, value) => {
				found = value as dynalite.Item | undefined;
				callback(error, value);
			}),
		put: (key, value, callback) => {
			writes.push({ type: "put", key: prefix + key, value });
			setImmediate(callback, null);
		},
		del: (key, callback) => {
			writes.push({ type: "del", key: prefix + key });
			setImmediate(callback, null);
		},
		// The engine's mutex is held until the batch is written, which is longer than dynalite's own lock would be.
		lock: (_key, critical) => critical((callback) => callback),
		createValueStream: (options) => database.createValueStream(options),
	});

	// The key prefixes are dynalite's (db/index.js, getItemDb and getIndexDb).
	const store: dynalite.Store = {
		...real,
		getItemDb: (table) => buffered(real.getItemDb(table), `item-${table}~`),
		getIndexDb: (kind, table, index) => buffered(real.getIndexDb(kind, table, index), `index-${kind.toLowerCase()}~${table}~${index}~`),
	};
	return { store, writes, found: () => found };
}
