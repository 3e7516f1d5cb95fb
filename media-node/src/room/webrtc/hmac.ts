import { createHash } from "node:crypto";
import { nodeCrypto } from "@trunkline/srtp/node";

const SHA1_BLOCK_BYTES = 64;

/** SRTP's has keys of a block at most; a password may be longer (RFC 8839 §5.4), and is hashed first then (RFC 2104 §2). */
export function hmacSha1(key: Uint8Array): (message: Uint8Array, tail: Uint8Array) => Uint8Array {
	return nodeCrypto.hmacSha1(key.length > SHA1_BLOCK_BYTES ? createHash("sha1").update(key).digest() : key);
}
