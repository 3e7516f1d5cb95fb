/** Id prefixes are LiveKit's; 12 characters of base 58 follow (70 bits). */
export type IdPrefix = "ST_" | "SDR_" | "SCL_" | "STR_" | "ND_";

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/** `random(n)` gives n random bytes; randomness is an argument so that pure code stays pure. */
export function newId(prefix: IdPrefix, random: (length: number) => Uint8Array): string {
	let id: string = prefix;
	while (id.length < prefix.length + 12) {
		// Rejection sampling: 232 = 4 × 58, so every character is equally likely.
		for (const byte of random(16)) if (byte < 232 && id.length < prefix.length + 12) id += BASE58.charAt(byte % 58);
	}
	return id;
}
