const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** RFC 4648 §4, with padding. */
export function toBase64(bytes: Uint8Array): string {
	let text = "";
	for (let at = 0; at < bytes.length; at += 3) {
		const word = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
		const characters = Math.min(bytes.length - at, 3) + 1;
		for (let i = 0; i < 4; i++) text += i < characters ? ALPHABET.charAt((word >> (18 - i * 6)) & 0x3f) : "=";
	}
	return text;
}

/** Undefined when this is no base64. Padding may be left out, as some telephones do. */
export function fromBase64(text: string): Uint8Array | undefined {
	const match = /^([A-Za-z0-9+/]*)(={0,2})$/.exec(text);
	const characters = match?.[1];
	if (characters === undefined || characters.length % 4 === 1 || (match?.[2] !== "" && text.length % 4 !== 0)) return undefined;
	const bytes = new Uint8Array(Math.floor((characters.length * 3) / 4));
	for (let i = 0; i < bytes.length; i++) {
		const bit = i * 8;
		const first = ALPHABET.indexOf(characters.charAt(Math.floor(bit / 6)));
		const second = ALPHABET.indexOf(characters.charAt(Math.floor(bit / 6) + 1));
		bytes[i] = (((first << 6) | second) >> (4 - (bit % 6))) & 0xff;
	}
	return bytes;
}
