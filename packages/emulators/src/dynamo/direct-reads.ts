import { Stream } from "node:stream";

/** Entries that are taken from LevelDB at a time. */
const ENTRIES = 256;

/**
 * Reads of dynalite's database on the calling thread. LevelDB has nearly everything in memory; a turn of the thread pool for each key, and for each
 * entry of a range a stream's chunk, cost several times what the read does.
 */
export function readDirectly(db: dynalite.Level): void {
	db.get = ((key: string, callback?: dynalite.Callback<unknown>) => {
		if (callback === undefined) return new Promise((resolve) => resolve(db.getSync(key)));
		// Timers, packets and other requests have their turn between two reads.
		setImmediate(() => {
			let value: unknown;
			try {
				value = db.getSync(key);
			} catch (error) {
				return callback(error as Error);
			}
			callback(null, value);
		});
	}) as dynalite.Level["get"];
	db.createValueStream = (range) => new Values(db, range);
}

/** As much of a stream as dynalite uses: `data`, `end`, `error`, and `destroy` when it has enough. (Of other emitters it takes each entry twice.) */
class Values extends Stream {
	#destroyed = false;

	constructor(db: dynalite.Level, range: Record<string, unknown>) {
		super();
		// Listeners come in the same turn.
		queueMicrotask(() => {
			this.#read(db, range).then(
				() => this.emit("end"),
				(error: unknown) => this.emit("error", error),
			);
		});
	}

	destroy(): void {
		this.#destroyed = true;
	}

	async #read(db: dynalite.Level, range: Record<string, unknown>): Promise<void> {
		const values = db.values(range);
		try {
			for (;;) {
				const some = await values.nextv(ENTRIES);
				for (const value of some) {
					if (this.#destroyed) return;
					this.emit("data", value);
				}
				// Fewer than asked for may come before the end: LevelDB also counts bytes.
				if (some.length === 0 || this.#destroyed) return;
			}
		} finally {
			await values.close();
		}
	}
}
