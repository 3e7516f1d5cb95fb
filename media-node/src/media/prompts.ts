import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseWav, Resampler, toMono } from "@trunkline/audio";
import type { PromptName } from "../call/ports.ts";

const BUILT_IN = fileURLToPath(new URL("../../assets/prompts", import.meta.url));
const RATE = 8_000;
const MAX_BYTES = 12 * 1024 * 1024;
const MAX_SAMPLES = 60 * RATE;
/** Languages are named by whoever sets up trunks. */
const MAX_CACHED = 200;
const FALLBACK = "en";

/** Spoken prompts as samples of 8 kHz: the deployment's own where it has them, ours otherwise; English where neither has the language. */
export class Prompts {
	readonly #directories: readonly string[];
	readonly #cache = new Map<string, Promise<Int16Array | undefined>>();

	/** `directory` has a folder for each language, with `<name>.wav` in it. */
	constructor(directory?: string) {
		this.#directories = directory === undefined ? [BUILT_IN] : [directory, BUILT_IN];
	}

	/** Without a file that can be played, nothing. */
	async load(name: PromptName, language: string): Promise<Int16Array> {
		const base = language.split("-")[0] ?? language;
		for (const spoken of new Set([language, base, FALLBACK])) {
			for (const directory of this.#directories) {
				const pcm = await this.#cached(join(directory, spoken, `${name}.wav`));
				if (pcm !== undefined) return pcm;
			}
		}
		return new Int16Array(0);
	}

	#cached(path: string): Promise<Int16Array | undefined> {
		let loading = this.#cache.get(path);
		if (loading === undefined) {
			if (this.#cache.size >= MAX_CACHED) this.#cache.clear();
			loading = readPrompt(path).catch(() => undefined);
			this.#cache.set(path, loading);
		}
		return loading;
	}
}

async function readPrompt(path: string): Promise<Int16Array | undefined> {
	if ((await stat(path)).size > MAX_BYTES) return undefined;
	const read = parseWav(await readFile(path));
	if (!read.ok) return undefined;
	const pcm = toMono(read.wav);
	const narrow = read.wav.sampleRate === RATE ? pcm : new Resampler(read.wav.sampleRate, RATE).process(pcm);
	return narrow.slice(0, MAX_SAMPLES);
}

/** Samples of 8 kHz, once; `onEnd` is called when the last of them has been taken. */
export class Once {
	readonly #pcm: Int16Array;
	readonly #onEnd: () => void;
	#position = 0;

	constructor(pcm: Int16Array, onEnd: () => void) {
		this.#pcm = pcm;
		this.#onEnd = onEnd;
	}

	fill(out: Int16Array): Int16Array {
		if (this.#position >= this.#pcm.length) {
			this.#onEnd();
			return out.fill(0);
		}
		const next = this.#pcm.subarray(this.#position, this.#position + out.length);
		out.fill(0);
		out.set(next);
		this.#position += out.length;
		return out;
	}
}
