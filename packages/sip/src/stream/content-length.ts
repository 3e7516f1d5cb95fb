const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

export type ContentLength = { readonly ok: true; readonly bytes: number } | { readonly ok: false; readonly detail: string };

/**
 * Content-Length of the head in `data[from..to)`, whose last line has its CRLF. RFC 3261 §20.14: over a stream it MUST be there. Two that
 * differ, or one that is no number, would let two readers see different messages, so nothing is guessed.
 */
export function contentLength(data: Uint8Array, from: number, to: number): ContentLength {
	let found: number | undefined;
	for (let line = nextLine(data, from, to); line < to; line = nextLine(data, line, to)) {
		const value = valueAt(data, line, to);
		if (value === undefined) continue;
		const text = readField(data, value, to);
		if (!/^\d{1,9}$/.test(text)) return { ok: false, detail: "Content-Length is not one number" };
		if (found !== undefined && found !== Number(text)) return { ok: false, detail: "two values of Content-Length" };
		found = Number(text);
	}
	return found === undefined ? { ok: false, detail: "no Content-Length" } : { ok: true, bytes: found };
}

function nextLine(data: Uint8Array, from: number, to: number): number {
	for (let at = data.indexOf(LF, from); at >= 0 && at < to; at = data.indexOf(LF, at + 1)) if (data[at - 1] === CR) return at + 1;
	return to;
}

/** Where the value begins when the line is a Content-Length, in long or compact form (RFC 3261 §7.3.3). */
function valueAt(data: Uint8Array, line: number, to: number): number | undefined {
	const first = lower(data[line]);
	let at: number;
	if (first === 0x6c) at = line + 1;
	else if (first === 0x63 && isLongName(data, line)) at = line + LONG_NAME.length;
	else return undefined;
	// RFC 3261 §25.1 HCOLON: white space may stand before the colon.
	while (at < to && (data[at] === 0x20 || data[at] === 0x09)) at++;
	return data[at] === COLON ? at + 1 : undefined;
}

const LONG_NAME = Array.from("content-length", (character) => character.charCodeAt(0));

function isLongName(data: Uint8Array, at: number): boolean {
	return LONG_NAME.every((code, index) => lower(data[at + index]) === code);
}

/** The value to the end of its line and of the lines that continue it (§7.3.1), trimmed; cut off where no number could be any more. */
function readField(data: Uint8Array, from: number, to: number): string {
	let text = "";
	for (let at = from; at < to && text.length < 64; at++) {
		const byte = data[at] ?? 0;
		if (byte === CR && data[at + 1] === LF) {
			const next = data[at + 2];
			if (at + 2 >= to || (next !== 0x20 && next !== 0x09)) break;
			at++;
			continue;
		}
		// What is no ASCII is no digit either.
		text += byte < 0x80 ? String.fromCharCode(byte) : "?";
	}
	return text.replace(/^[ \t]+|[ \t]+$/g, "");
}

function lower(byte: number | undefined): number {
	return byte !== undefined && byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : (byte ?? 0);
}
