/** Hash functions are arguments because this package is pure; the edge passes node:crypto in. */
export interface Hashes {
	md5(data: Uint8Array): Uint8Array;
	sha256(data: Uint8Array): Uint8Array;
	/** SHA-512/256 (FIPS 180-4 §5.3.6.2). Unset: challenges that ask for it are not answered. */
	sha512t256?(data: Uint8Array): Uint8Array;
	hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array;
}
