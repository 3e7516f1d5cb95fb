import { createReadStream } from "node:fs";
import { access, mkdir, readdir, unlink } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import type { RecordingStore } from "@trunkline/domain";
import type { Recordings } from "../call/ports.ts";

export interface KeptRecordingsOptions {
	/** where files are while calls go on, and stay when there is no store */
	directory: string;
	/** gets complete files, which are then deleted here */
	store?: RecordingStore | undefined;
	log: { info(fields: Record<string, unknown>, message: string): void; error(fields: Record<string, unknown>, message: string): void };
}

/** What of a file is in memory at a time. */
const READ_BYTES = 1024 * 1024;

/** Recordings in a directory, by their keys; with a store, the directory is where they wait for it. */
export class KeptRecordings implements Recordings {
	readonly #options: KeptRecordingsOptions;

	constructor(options: KeptRecordingsOptions) {
		this.#options = options;
	}

	async begin(key: string): Promise<string> {
		const file = this.#fileOf(key);
		await mkdir(dirname(file), { recursive: true, mode: 0o700 });
		return file;
	}

	async keep(key: string, file: string): Promise<void> {
		const { store } = this.#options;
		if (store === undefined) return access(file);
		await store.putRecording(key, createReadStream(file, { highWaterMark: READ_BYTES }));
		await unlink(file);
	}

	/** What a node before this one could not bring to the store. To be called before the first call. */
	async keepLeftovers(): Promise<void> {
		const { directory, store, log } = this.#options;
		if (store === undefined) return;
		const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => []);
		for (const entry of entries) {
			if (!entry.isFile() || !entry.name.endsWith(".wav")) continue;
			const file = join(entry.parentPath, entry.name);
			const key = relative(directory, file).split(sep).join("/");
			try {
				await this.keep(key, file);
				log.info({ key }, "a recording of before is in the store now");
			} catch (error) {
				log.error({ key, err: error }, "a recording of before could not be kept");
			}
		}
	}

	/** Keys are ours; one that led out of the directory would be a fault of ours. */
	#fileOf(key: string): string {
		if (!/^[\w-]+(\/[\w-]+)*\.wav$/.test(key)) throw new Error(`${JSON.stringify(key)} is no key of a recording`);
		return join(this.#options.directory, ...key.split("/"));
	}
}
