import { xorUint16 } from "./bytes.ts";

const BLOCK_BYTES = 16;
/** Blocks of keystream that are made at a time: one call for a packet of any usual size. */
const BLOCKS = 96;

export type AesBlocks = (blocks: Uint8Array) => Uint8Array;

/**
 * AES in counter mode (RFC 3711 §4.1.1) over bytes `start` to `end`, in place; the same for both directions. The last two bytes of `iv` are the
 * block counter to begin with.
 */
export class CounterMode {
	readonly #aes: AesBlocks;
	readonly #blocks = new Uint8Array(BLOCKS * BLOCK_BYTES);
	/** the same memory */
	readonly #words = new Uint32Array(this.#blocks.buffer);
	readonly #iv = new Uint8Array(BLOCK_BYTES);
	readonly #ivWords = new Uint32Array(this.#iv.buffer);

	constructor(aes: AesBlocks) {
		this.#aes = aes;
	}

	xor(iv: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
		let at = start;
		for (let first = 0; at < end; first += BLOCKS) {
			const size = Math.min(BLOCKS, Math.ceil((end - at) / BLOCK_BYTES));
			const keystream = this.#keystream(iv, first, size);
			const length = Math.min(end - at, size * BLOCK_BYTES);
			for (let i = 0; i < length; i++) bytes[at + i] = (bytes[at + i] ?? 0) ^ (keystream[i] ?? 0);
			at += length;
		}
	}

	#keystream(iv: Uint8Array, first: number, count: number): Uint8Array {
		const blocks = this.#blocks;
		const words = this.#words;
		const counter = ((iv[14] ?? 0) << 8) | (iv[15] ?? 0);
		this.#iv.set(iv);
		const source = this.#ivWords;
		for (let i = 0, word = 0; i < count; i++, word += 4) {
			words[word] = source[0] ?? 0;
			words[word + 1] = source[1] ?? 0;
			words[word + 2] = source[2] ?? 0;
			words[word + 3] = source[3] ?? 0;
			const at = word * 4;
			blocks[at + 14] = (counter + first + i) >>> 8;
			blocks[at + 15] = counter + first + i;
		}
		return this.#aes(blocks.subarray(0, count * BLOCK_BYTES));
	}
}

/**
 * RFC 3711 §4.3.1 and §4.3.3 with a key derivation rate of 0: the keystream under the master key at (salt XOR label). A salt of 12 bytes (GCM) stands
 * for one of 14 that ends with zeros (RFC 7714 §11).
 */
export function deriveSessionKey(aes: AesBlocks, masterSalt: Uint8Array, label: number, length: number): Uint8Array {
	const iv = new Uint8Array(BLOCK_BYTES);
	iv.set(masterSalt);
	xorUint16(iv, 6, label);
	const key = new Uint8Array(length);
	new CounterMode(aes).xor(iv, key, 0, length);
	return key;
}
