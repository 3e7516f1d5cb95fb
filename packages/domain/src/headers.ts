import { invalid } from "./check.ts";
import { MAX_MAP_SIZE } from "./limits.ts";

/** SIP headers that a trunk or request must not set, long and compact names: the user agent writes them itself. LiveKit's list. */
const FORBIDDEN = new Set(
	(
		"accept accept-encoding accept-language allow allow-events call-id contact content-encoding content-length content-type cseq event expires from " +
		"max-forwards record-route refer-to reply-to k l m o r t u v"
	).split(" "),
);

const MAX_HEADER_NAME_LENGTH = 255;
const MAX_HEADER_VALUE_LENGTH = 1024;

/**
 * RFC 3261 §25.1: token = 1*(alphanum / "-" / "." / "!" / "%" / "*" / "_" / "+" / "`" / "'" / "~"). The first character that has no place there, in LiveKit's
 * words; `undefined` when all have.
 */
export function tokenProblem(text: string): string | undefined {
	const wrong = firstNonToken(text);
	return wrong === undefined ? undefined : characterProblem(wrong);
}

/** `headers`: names and values as they are sent. Throws `invalid_argument` with LiveKit's texts. */
export function checkHeaders(headers: Readonly<Record<string, string>>): void {
	checkSize("headers", headers);
	for (const [name, value] of Object.entries(headers)) {
		checkHeaderName(name, true);
		checkHeaderValue(name, value);
	}
}

/** The two maps only name headers that are read or written, so a forbidden one (From → attribute) is fine. */
export function checkHeaderMaps(maps: { headersToAttributes: Record<string, string>; attributesToHeaders: Record<string, string> }): void {
	checkSize("attributes_to_headers", maps.attributesToHeaders);
	checkSize("headers_to_attributes", maps.headersToAttributes);
	for (const name of Object.values(maps.attributesToHeaders)) checkHeaderName(name, false);
	for (const name of Object.keys(maps.headersToAttributes)) checkHeaderName(name, false);
}

/** Request headers over trunk headers, per name; names are case-insensitive (RFC 3261 §7.3.1). */
export function mergeHeaders(trunk: Readonly<Record<string, string>>, request: Readonly<Record<string, string>>): Record<string, string> {
	const merged = new Map<string, [string, string]>();
	for (const [name, value] of [...Object.entries(trunk), ...Object.entries(request)]) merged.set(name.toLowerCase(), [name, value]);
	return Object.fromEntries(merged.values());
}

function checkHeaderName(name: string, restricted: boolean): void {
	const problem = headerNameProblem(name, restricted);
	if (problem !== undefined) throw invalid(`invalid header name: ${problem}`);
}

function headerNameProblem(name: string, restricted: boolean): string | undefined {
	if (name === "") return "header name cannot be empty";
	if (name.length > MAX_HEADER_NAME_LENGTH) return `header name too long (max ${MAX_HEADER_NAME_LENGTH} characters)`;
	const wrong = tokenProblem(name);
	if (wrong !== undefined) return `header name ${name} contains invalid characters: ${wrong}`;
	if (restricted && FORBIDDEN.has(name.toLowerCase())) return `header name ${name} not supported`;
	return undefined;
}

function checkHeaderValue(name: string, value: string): void {
	const fail = (problem: string) => invalid(`invalid header value for ${name}: header ${name}: value${problem}`);
	if (value.length > MAX_HEADER_VALUE_LENGTH) throw fail(` too long (max ${MAX_HEADER_VALUE_LENGTH} characters)`);
	for (const character of value) {
		const code = character.codePointAt(0) ?? 0;
		if ((code < 0x20 && code !== 0x09) || code === 0x7f) throw fail(`: ${characterProblem(code)}`);
	}
}

function characterProblem(code: number): string {
	return code > 127 ? `char ${code} out of range` : `char ${code} not allowed`;
}

function firstNonToken(text: string): number | undefined {
	for (const character of text) if (!/^[A-Za-z0-9\-.!%*_+`'~]$/.test(character)) return character.codePointAt(0);
	return undefined;
}

function checkSize(field: string, map: Readonly<Record<string, string>>): void {
	const size = Object.keys(map).length;
	if (size > MAX_MAP_SIZE) throw invalid(`${field} has ${size} entries, at most ${MAX_MAP_SIZE} are allowed`);
}
