/** RFC 3261 §25.1 `token`. */
export function isToken(text: string): boolean {
	return /^[A-Za-z0-9\-.!%*_+`'~]+$/.test(text);
}

/** A header field name that can be written: a token of at most 64 characters. */
export function isHeaderName(name: string): boolean {
	return name.length <= 64 && isToken(name);
}

const MAX_HEADER_VALUE = 8192;

/**
 * A header field value that can be written: no CR, LF, NUL or other control character but tab, no lone surrogate, at most 8192
 * characters. Nothing that passes can start another header field or end the head.
 */
export function isHeaderValue(value: string): boolean {
	if (value.length > MAX_HEADER_VALUE) return false;
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
	return !/[\u0000-\u0008\u000a-\u001f\u007f\ud800-\udfff]/u.test(value);
}

/**
 * CR, LF or a zero byte that some parser could take for an end. A zero byte behind a backslash is none: RFC 3261 §25.1 quoted-pair, which
 * RFC 4475 §3.1.1.2 has in a display name.
 */
export function breaksLine(value: string): boolean {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
	return /[\r\n]|(?<!\\)\u0000/.test(value);
}

/** `text` as a quoted-string (RFC 3261 §25.1). Control characters, which it cannot hold, are left out. */
export function quote(text: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
	return `"${text.replace(/[\u0000-\u001f\u007f]/g, "").replace(/["\\]/g, "\\$&")}"`;
}

/** The content of a quoted-string; any other text as it is. */
export function unquote(text: string): string {
	if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
	const content = text.slice(1, -1);
	return content.includes("\\") ? content.replace(/\\(.)/gs, "$1") : content;
}

/**
 * Splits at a separator that stands outside quoted strings and angle brackets, and trims the parts. undefined when a quote or bracket
 * is left open. One pass, no backtracking.
 */
export function splitOutside(text: string, separator: "," | ";"): string[] | undefined {
	const code = separator.charCodeAt(0);
	const parts: string[] = [];
	let start = 0;
	for (let i = 0; i < text.length; i++) {
		const c = text.charCodeAt(i);
		if (c === code) {
			parts.push(text.slice(start, i).trim());
			start = i + 1;
		} else if (c === 0x22) {
			i = endOfQuoted(text, i);
			if (i < 0) return undefined;
		} else if (c === 0x3c) {
			i = text.indexOf(">", i);
			if (i < 0) return undefined;
		}
	}
	parts.push(text.slice(start).trim());
	return parts;
}

/** Index of the quote that closes the one at `start`, -1 when there is none. */
export function endOfQuoted(text: string, start: number): number {
	for (let i = start + 1; i < text.length; i++) {
		const c = text.charCodeAt(i);
		if (c === 0x5c) i++;
		else if (c === 0x22) return i;
	}
	return -1;
}
