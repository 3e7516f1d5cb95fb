/** HMAC-SHA256 of bytes under the fleet's secret. */
export type Mac = (bytes: Uint8Array) => Uint8Array;

/** Bytes of a MAC that are sent: 128 bits. */
const SENT = 16;

const encoder = new TextEncoder();

/** Of a purpose and what it is about: a MAC for one purpose says nothing for another. */
export function macOf(mac: Mac, purpose: string, ...parts: readonly (string | Uint8Array)[]): Uint8Array {
	const pieces = [encoder.encode(`${purpose}\n`), ...parts.map((part) => (typeof part === "string" ? encoder.encode(`${part}\n`) : part))];
	const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
	let at = 0;
	for (const piece of pieces) {
		all.set(piece, at);
		at += piece.length;
	}
	return mac(all).subarray(0, SENT);
}

/** In a time that does not depend on where they differ. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
	let difference = a.length ^ b.length;
	for (let i = 0; i < Math.min(a.length, b.length); i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
	return difference === 0;
}

export const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
/** undefined for what is no base64url of ours */
export function fromText(text: string): Uint8Array | undefined {
	const bytes = Buffer.from(text, "base64url");
	return bytes.toString("base64url") === text ? bytes : undefined;
}
