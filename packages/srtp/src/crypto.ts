/**
 * The primitives that whoever has a crypto library gives. Each is made once per key, as the set-up of a key costs more than a packet. What they give
 * is read before the next call and may be the same memory each time.
 */
export interface SrtpCrypto {
	/** AES of 16-byte blocks, each for itself (ECB): counter mode is made of it here, so that a packet needs no cipher object of its own. */
	aesBlocks(key: Uint8Array): (blocks: Uint8Array) => Uint8Array;
	/** HMAC-SHA1 over `message` and `tail` together: 20 bytes */
	hmacSha1(key: Uint8Array): (message: Uint8Array, tail: Uint8Array) => Uint8Array;
	/** AES-GCM with 12-byte IV and 16-byte tag */
	aesGcm(key: Uint8Array): AeadCipher;
}

export interface AeadCipher {
	/** Writes the ciphertext over `data`, and the tag into `tag`. */
	seal(iv: Uint8Array, associated: Uint8Array, data: Uint8Array, tag: Uint8Array): void;
	/** Writes the plain text over `data` and gives true, or leaves it as it was and gives false: the tag is wrong. */
	open(iv: Uint8Array, associated: Uint8Array, data: Uint8Array, tag: Uint8Array): boolean;
}
