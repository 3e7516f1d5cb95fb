import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";
import type { SrtpCrypto } from "./crypto.ts";
import { hmacSha1 } from "./hmac-sha1.ts";

/**
 * node:crypto behind the primitives. The only file of this package that knows Node, and nothing here imports it. Keys are KeyObjects: as bytes they would be
 * set up anew for each packet (11 µs for AES-GCM instead of 3).
 */
export const nodeCrypto: SrtpCrypto = {
	aesBlocks(key) {
		const cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
		return (blocks) => cipher.update(blocks);
	},
	hmacSha1,
	aesGcm(key) {
		const secret = createSecretKey(key);
		const algorithm = key.length === 16 ? "aes-128-gcm" : "aes-256-gcm";
		return {
			seal(iv, associated, data, tag) {
				const cipher = createCipheriv(algorithm, secret, iv);
				cipher.setAAD(associated);
				data.set(cipher.update(data));
				cipher.final();
				tag.set(cipher.getAuthTag());
			},
			open(iv, associated, data, tag) {
				const decipher = createDecipheriv(algorithm, secret, iv, { authTagLength: 16 });
				decipher.setAAD(associated);
				decipher.setAuthTag(tag);
				const plain = decipher.update(data);
				try {
					decipher.final();
				} catch {
					return false;
				}
				data.set(plain);
				return true;
			},
		};
	},
};
