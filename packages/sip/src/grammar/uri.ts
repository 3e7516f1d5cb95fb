import { parseHostPort, writeHost } from "./host.ts";
import { type Param, param, parseParams, writeParams } from "./params.ts";
import { utf8Decode, utf8Encode } from "./text.ts";

/** A `sip:`, `sips:` (RFC 3261 §19.1) or `tel:` (RFC 3966) URI. */
export interface SipUri {
	readonly scheme: "sip" | "sips" | "tel";
	/** unescaped; for `tel:` the number */
	readonly user?: string;
	readonly password?: string;
	/** lower case, IPv6 without brackets; "" for `tel:` */
	readonly host: string;
	readonly port?: number;
	readonly params: readonly Param[];
	/** what follows `?`, as written */
	readonly headers?: string;
}

const MAX_URI = 2048;

/** Lower-case scheme of any URI, undefined when the text has none. */
export function uriScheme(text: string): string | undefined {
	return /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text.slice(0, 64))?.[1]?.toLowerCase();
}

/** undefined for other schemes and for what does not follow the grammar. */
export function parseUri(text: string): SipUri | undefined {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
	if (text.length > MAX_URI || /[\u0000-\u0020<>"\u007f]/.test(text)) return undefined;
	const scheme = uriScheme(text);
	if (scheme === "tel") return parseTel(text.slice(4));
	if (scheme !== "sip" && scheme !== "sips") return undefined;
	return parseSip(scheme, text.slice(scheme.length + 1));
}

export function writeUri(uri: SipUri): string {
	if (uri.scheme === "tel") return `tel:${uri.user ?? ""}${writeParams(uri.params)}`;
	let text = `${uri.scheme}:`;
	if (uri.user !== undefined) {
		text += escape(uri.user, USER_UNESCAPED);
		if (uri.password !== undefined) text += `:${escape(uri.password, PASSWORD_UNESCAPED)}`;
		text += "@";
	}
	text += writeHost(uri.host);
	if (uri.port !== undefined) text += `:${uri.port}`;
	text += writeParams(uri.params);
	return uri.headers === undefined ? text : `${text}?${uri.headers}`;
}

/** RFC 3261 §19.1.1: `lr` marks a loose router. */
export function isLooseRouter(uri: SipUri): boolean {
	return param(uri.params, "lr") !== undefined;
}

function parseTel(rest: string): SipUri | undefined {
	const semicolon = rest.indexOf(";");
	const number = semicolon < 0 ? rest : rest.slice(0, semicolon);
	if (!/^\+?[0-9A-Fa-f*#().-]+$/.test(number)) return undefined;
	const params = semicolon < 0 ? [] : parseParams(rest.slice(semicolon));
	return params && { scheme: "tel", user: number, host: "", params };
}

function parseSip(scheme: "sip" | "sips", rest: string): SipUri | undefined {
	// The user part may itself hold ; and ? (RFC 3261 §25.1 user-unreserved), but @ stands nowhere else, so what is left of it is the user.
	const question = rest.indexOf("?", rest.indexOf("@") + 1);
	const beforeHeaders = question < 0 ? rest : rest.slice(0, question);
	const at = beforeHeaders.indexOf("@");
	const hostPart = beforeHeaders.slice(at + 1);
	const semicolon = hostPart.indexOf(";");
	const hostPort = parseHostPort(semicolon < 0 ? hostPart : hostPart.slice(0, semicolon));
	const params = semicolon < 0 ? [] : parseParams(hostPart.slice(semicolon));
	if (hostPort === undefined || params === undefined) return undefined;
	const userInfo = at < 0 ? {} : parseUserInfo(beforeHeaders.slice(0, at));
	if (userInfo === undefined) return undefined;
	return { scheme, ...userInfo, ...hostPort, params, ...(question < 0 ? {} : { headers: rest.slice(question + 1) }) };
}

function parseUserInfo(text: string): { user: string; password?: string } | undefined {
	const colon = text.indexOf(":");
	const user = unescape(colon < 0 ? text : text.slice(0, colon));
	if (user === undefined || user === "") return undefined;
	if (colon < 0) return { user };
	const password = unescape(text.slice(colon + 1));
	return password === undefined ? undefined : { user, password };
}

/** Undoes %HH; undefined when an escape is malformed or what it spells is not UTF-8. */
function unescape(text: string): string | undefined {
	if (!text.includes("%")) return text;
	const pieces = text.split("%");
	const bytes = [...utf8Encode(pieces[0] ?? "")];
	for (const piece of pieces.slice(1)) {
		const digits = piece.slice(0, 2);
		if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return undefined;
		bytes.push(Number.parseInt(digits, 16), ...utf8Encode(piece.slice(2)));
	}
	return utf8Decode(Uint8Array.from(bytes));
}

const USER_UNESCAPED = /[A-Za-z0-9\-_.!~*'()&=+$,;?/#]/;
const PASSWORD_UNESCAPED = /[A-Za-z0-9\-_.!~*'()&=+$,]/;

function escape(text: string, unescaped: RegExp): string {
	let written = "";
	for (const byte of utf8Encode(text)) {
		const character = String.fromCharCode(byte);
		written += byte < 0x80 && unescaped.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
	}
	return written;
}
