import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DTLN_WEIGHTS, DtlnNetwork, DtlnSuppressor, type NoiseSuppressor } from "@trunkline/noise-suppression";

export interface Candidate {
	name: string;
	/** of the sound, where only this much of the suppressor's is to be heard */
	mix?: number;
	/** undefined = nothing is done */
	create(): NoiseSuppressor | undefined;
}

/** `packages`: a node_modules folder with the npm packages that are compared; undefined = only our own. */
export async function candidates(packages: string | undefined): Promise<Candidate[]> {
	const network = new DtlnNetwork(readFileSync(DTLN_WEIGHTS));
	const dtln = (): NoiseSuppressor => new DtlnSuppressor(network);
	const own: Candidate[] = [
		{ name: "none", create: () => undefined },
		{ name: "dtln", create: dtln },
		{ name: "dtln-mix0.9", mix: 0.9, create: dtln },
		{ name: "dtln-mix0.7", mix: 0.7, create: dtln },
	];
	return packages === undefined ? own : [...own, await rnnoise(packages), await gtcrn(packages)];
}

interface RnnoiseModule {
	ready: Promise<unknown>;
	HEAPF32: Float32Array;
	_malloc(bytes: number): number;
	_rnnoise_create(): number;
	_rnnoise_destroy(state: number): void;
	_rnnoise_process_frame(state: number, output: number, input: number): number;
}

/** RNNoise 0.1 (48 kHz, frames of 10 ms); what comes out is two of them behind, by correlation with clean speech. */
async function rnnoise(packages: string): Promise<Candidate> {
	const file = join(packages, "@jitsi/rnnoise-wasm/dist/rnnoise-sync.js");
	const { default: load } = (await import(pathToFileURL(file).href)) as { default: () => RnnoiseModule };
	const module = load();
	await module.ready;
	const frameSamples = 480;
	const buffer = module._malloc(4 * frameSamples);
	let state = 0;
	return {
		name: "rnnoise",
		create: () => {
			if (state !== 0) module._rnnoise_destroy(state);
			state = module._rnnoise_create();
			return {
				sampleRate: 48_000,
				frameSamples,
				delaySamples: 2 * frameSamples,
				process(input, output) {
					const heap = module.HEAPF32.subarray(buffer / 4, buffer / 4 + frameSamples);
					for (let index = 0; index < frameSamples; index++) heap[index] = 32_768 * (input[index] ?? 0);
					module._rnnoise_process_frame(state, buffer, buffer);
					for (let index = 0; index < frameSamples; index++) output[index] = (heap[index] ?? 0) / 32_768;
				},
			};
		},
	};
}

interface GtcrnExports {
	/** memory, constructors, create, destroy, process, malloc: names as the package's build has shortened them */
	c: { buffer: ArrayBuffer };
	d(): void;
	e(): number;
	g(state: number): void;
	i(state: number, input: number, output: number): void;
	k(bytes: number): number;
}

interface Wasm {
	instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: unknown } }>;
}

/** GTCRN (16 kHz, windows of 32 ms that overlap by half). */
async function gtcrn(packages: string): Promise<Candidate> {
	const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: Wasm };
	const fails = (): never => {
		throw new Error("GTCRN: out of memory, or an assertion failed");
	};
	const bytes = readFileSync(join(packages, "@sapphi-red/web-noise-suppressor/dist/gtcrn.wasm"));
	const { instance } = await wasm.instantiate(bytes, { a: { a: fails, b: fails } });
	const { c: memory, d: construct, e: create, g: destroy, i: processFrame, k: malloc } = instance.exports as GtcrnExports;
	construct();
	const frameSamples = 256;
	const [from, to] = [malloc(4 * frameSamples), malloc(4 * frameSamples)];
	let state = 0;
	return {
		name: "gtcrn",
		create: () => {
			if (state !== 0) destroy(state);
			state = create();
			return {
				sampleRate: 16_000,
				frameSamples,
				delaySamples: frameSamples,
				process(input, output) {
					new Float32Array(memory.buffer, from, frameSamples).set(input);
					processFrame(state, from, to);
					output.set(new Float32Array(memory.buffer, to, frameSamples));
				},
			};
		},
	};
}
