import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { DTLN_WEIGHTS, DtlnNetwork, DtlnSuppressor, type NoiseSuppressor } from "@trunkline/noise-suppression";

export interface NoiseSuppressorOptions {
	/** path of an ES module that exports `create(): NoiseSuppressor`; unset: DTLN */
	module?: string | undefined;
	/** file of DTLN's weights; unset: the one that comes with the package */
	weights?: string | undefined;
}

export type CreateSuppressor = () => NoiseSuppressor;

/** Makes the suppressors of one thread's calls. What they share (2 MB of weights, 4 MB in memory) is loaded when the first call wants it, once. */
export class Suppressors {
	readonly #options: NoiseSuppressorOptions;
	#loading: Promise<CreateSuppressor> | undefined;

	constructor(options: NoiseSuppressorOptions = {}) {
		this.#options = options;
	}

	/** Rejects when there is no such file or it is no such thing; the next call tries anew. */
	load(): Promise<CreateSuppressor> {
		this.#loading ??= this.#load().catch((error: unknown) => {
			this.#loading = undefined;
			throw error;
		});
		return this.#loading;
	}

	async #load(): Promise<CreateSuppressor> {
		const { module, weights = DTLN_WEIGHTS } = this.#options;
		if (module !== undefined) return moduleSuppressor(module);
		const network = new DtlnNetwork(await readFile(weights));
		return () => new DtlnSuppressor(network);
	}
}

/** One is made to see whether it is what it should be: what is wrong is better told before it has somebody's voice. */
async function moduleSuppressor(path: string): Promise<CreateSuppressor> {
	const { create } = (await import(pathToFileURL(resolve(path)).href)) as { create?: unknown };
	if (typeof create !== "function") throw new Error(`${path} exports no function "create"`);
	const made = create as CreateSuppressor;
	const sample = made();
	const { sampleRate, frameSamples, delaySamples } = sample;
	const sizes = [sampleRate, frameSamples, delaySamples];
	if (!sizes.every((size) => Number.isInteger(size) && size >= 0) || sampleRate < 8_000 || frameSamples < 1)
		throw new Error(`${path}: sampleRate, frameSamples and delaySamples must be whole numbers, sampleRate at least 8000`);
	if (frameSamples > sampleRate / 10 || delaySamples > sampleRate / 5)
		throw new Error(`${path}: a frame of more than 100 ms or a delay of more than 200 ms is too long for a conversation`);
	if (typeof sample.process !== "function") throw new Error(`${path}: what create() gives has no "process"`);
	return made;
}
