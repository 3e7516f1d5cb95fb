/** as LiveKit's */
const REMEMBERED = 100;
const NONCE_BYTES = 16;

/** Which nonces of user packets have been seen lately: a request that was sent twice is carried out once. */
export class NonceMemory {
	readonly #seen = new Set<string>();

	/** True for one that was asked for before; what is no nonce is never. */
	has(nonce: Uint8Array): boolean {
		if (nonce.length !== NONCE_BYTES) return false;
		const key = Buffer.from(nonce.buffer, nonce.byteOffset, nonce.byteLength).toString("latin1");
		if (this.#seen.has(key)) return true;
		this.#seen.add(key);
		const [oldest] = this.#seen;
		if (this.#seen.size > REMEMBERED && oldest !== undefined) this.#seen.delete(oldest);
		return false;
	}
}
