/** UTF-8 (RFC 3629); pure code has no TextEncoder. A lone surrogate becomes U+FFFD, as TextEncoder does it. */
export function utf8(text: string): Uint8Array {
	const out: number[] = [];
	for (const character of text) {
		const raw = character.codePointAt(0) ?? 0;
		const code = raw >= 0xd800 && raw <= 0xdfff ? 0xfffd : raw;
		if (code < 0x80) out.push(code);
		else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
		else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
		else out.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
	}
	return Uint8Array.from(out);
}

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
	let text = "";
	for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
	return text;
}
