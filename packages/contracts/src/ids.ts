/** Id prefixes are LiveKit's; 12 characters of base 58 follow (70 bits). */
export type IdPrefix = "ST_" | "SDR_" | "SCL_" | "STR_" | "ND_" | "p_" | "API";

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** Gives that many random bytes; randomness is an argument so that pure code stays pure. */
export type RandomBytes = (length: number) => Uint8Array;

/** `length` characters of base 58, each equally likely. */
export function randomBase58(length: number, random: RandomBytes): string {
	let text = "";
	while (text.length < length) {
		// Rejection sampling: 232 = 4 × 58, so every character is equally likely.
		for (const byte of random(16)) if (byte < 232 && text.length < length) text += BASE58.charAt(byte % 58);
	}
	return text;
}

export function newId(prefix: IdPrefix, random: RandomBytes): string {
	return prefix + randomBase58(12, random);
}
