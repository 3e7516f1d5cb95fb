import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

/** The exports of the package's WebAssembly module that decoding needs; its JavaScript reaches neither error correction nor concealment. */
interface OpusExports {
	memory: { buffer: ArrayBuffer };
	_initialize(): void;
	malloc(bytes: number): number;
	free(pointer: number): void;
	opus_decoder_get_size(channels: number): number;
	opus_decoder_init(decoder: number, rate: number, channels: number): number;
	/** samples of a channel, or a negative error; `packet` 0: what was lost is made up */
	opus_decode(decoder: number, packet: number, length: number, pcm: number, samples: number, useFec: number): number;
}

/** What this needs of `WebAssembly`, which has no types without a browser's. */
interface Wasm {
	Module: new (bytes: Uint8Array) => object;
	Instance: new (module: object, imports: object) => { exports: OpusExports };
}
const { WebAssembly: wasm } = globalThis as unknown as { WebAssembly: Wasm };

const MAX_PACKET = 1_500;
/** 120 ms at 48 kHz */
const MAX_SAMPLES = 5_760;

interface OpusModule {
	exports: OpusExports;
	packet: number;
	pcm: number;
}

let loaded: OpusModule | undefined;

/** One of each thread. */
function load(): OpusModule {
	if (loaded !== undefined) return loaded;
	const file = createRequire(import.meta.url).resolve("@evan/opus/wasm/simd.wasm");
	const nothing = (): number => 0;
	const { exports: opus } = new wasm.Instance(new wasm.Module(readFileSync(file)), {
		wasi_snapshot_preview1: { fd_seek: nothing, fd_write: nothing, fd_close: nothing, proc_exit: nothing },
		env: { emscripten_notify_memory_growth: nothing },
	});
	opus._initialize();
	loaded = { exports: opus, packet: opus.malloc(MAX_PACKET), pcm: opus.malloc(MAX_SAMPLES * 2) };
	return loaded;
}

/** Memory of decoders that nobody closed. */
const forgotten = new FinalizationRegistry<number>((decoder) => load().exports.free(decoder));

/**
 * libopus as it is in `@evan/opus`, mono, with what its wrapper leaves out: what is lost is taken from the next packet (RFC 6716 §2.1.7) or made up.
 * Samples are a view that holds until the next call to any decoder.
 */
export class OpusDecoder {
	readonly #opus = load();
	#decoder: number;

	constructor(rate: number) {
		const { exports } = this.#opus;
		this.#decoder = exports.malloc(exports.opus_decoder_get_size(1));
		const error = exports.opus_decoder_init(this.#decoder, rate, 1);
		if (error !== 0) throw new Error(`opus_decoder_init: ${error}`);
		forgotten.register(this, this.#decoder, this);
	}

	/** undefined: no Opus packet */
	decode(packet: Uint8Array): Int16Array | undefined {
		return packet.length === 0 ? undefined : this.#run(packet, MAX_SAMPLES, 0);
	}

	/** The last `samples` before `next`, from the copy that it may hold of them; made up where it has none. A multiple of 2.5 ms. */
	recover(next: Uint8Array, samples: number): Int16Array | undefined {
		return this.#run(next, samples, 1);
	}

	/** Made up from what was before; a multiple of 2.5 ms. */
	conceal(samples: number): Int16Array | undefined {
		return this.#run(undefined, samples, 0);
	}

	/** Idempotent; nothing can be decoded any more. */
	close(): void {
		if (this.#decoder === 0) return;
		forgotten.unregister(this);
		this.#opus.exports.free(this.#decoder);
		this.#decoder = 0;
	}

	#run(packet: Uint8Array | undefined, samples: number, useFec: number): Int16Array | undefined {
		if (this.#decoder === 0 || samples > MAX_SAMPLES || (packet?.length ?? 0) > MAX_PACKET) return undefined;
		const { exports, packet: place, pcm } = this.#opus;
		if (packet !== undefined) new Uint8Array(exports.memory.buffer, place, packet.length).set(packet);
		const given = exports.opus_decode(this.#decoder, packet === undefined ? 0 : place, packet?.length ?? 0, pcm, samples, useFec);
		return given < 0 ? undefined : new Int16Array(exports.memory.buffer, pcm, given);
	}
}

/**
 * Whether a packet of mono speech holds a copy of the one before it. RFC 6716 §4.2.3: after the VAD flags of its 20 ms frames comes the flag of that
 * copy (LBRR); each of these bits is coded with a probability of one half, so that they stand as they are at the head of the frame.
 */
export function holdsCopyOfLast(packet: Uint8Array): boolean {
	const [toc = 0, first = 0] = packet;
	const config = toc >> 3;
	// RFC 6716 §3.1: from 16 on it is CELT alone, which has none; stereo and packets of several frames have other heads
	if (config >= 16 || (toc & 0x07) !== 0) return false;
	const frames = config < 12 ? ([1, 1, 2, 3][config & 3] ?? 1) : 1;
	return ((first >> (7 - frames)) & 1) === 1;
}
