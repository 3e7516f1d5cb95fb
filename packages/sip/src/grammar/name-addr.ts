import { type Param, parseParams, writeParams } from "./params.ts";
import { endOfQuoted, isToken, quote, unquote } from "./tokens.ts";

/** `name-addr` or `addr-spec` with header parameters: From, To, Contact, Route, Record-Route, Refer-To (RFC 3261 §20.10). */
export interface NameAddr {
	/** without quotes; unset when there is none */
	readonly displayName?: string;
	/** as written between the brackets */
	readonly uri: string;
	readonly params: readonly Param[];
}

/** One element, not a list (see `splitOutside`). undefined when it does not follow the grammar. */
export function parseNameAddr(text: string): NameAddr | undefined {
	let rest = text.trim();
	let displayName: string | undefined;
	if (rest.startsWith('"')) {
		const close = endOfQuoted(rest, 0);
		if (close < 0) return undefined;
		displayName = unquote(rest.slice(0, close + 1));
		rest = rest.slice(close + 1).trimStart();
		if (!rest.startsWith("<")) return undefined;
	}
	const open = rest.indexOf("<");
	if (open < 0) return parseAddrSpec(rest);
	if (open > 0) {
		displayName = rest.slice(0, open).trim();
		// RFC 3261: display-name = *(token LWS) / quoted-string
		if (!displayName.split(/[ \t]+/).every(isDisplayWord)) return undefined;
	}
	const close = rest.indexOf(">", open);
	if (close < 0) return undefined;
	const after = rest.slice(close + 1).trim();
	if (after !== "" && !after.startsWith(";")) return undefined;
	const params = parseParams(after);
	const uri = rest.slice(open + 1, close).trim();
	if (params === undefined || !isUriText(uri)) return undefined;
	return displayName === undefined || displayName === "" ? { uri, params } : { displayName, uri, params };
}

/** Always with brackets, so that no URI parameter turns into a header parameter (RFC 3261 §20.10). */
export function writeNameAddr(address: NameAddr): string {
	const name = address.displayName === undefined || address.displayName === "" ? "" : `${quote(address.displayName)} `;
	return `${name}<${address.uri}>${writeParams(address.params)}`;
}

// RFC 3261 §20.10: without brackets everything after the first semicolon is a header parameter.
function parseAddrSpec(text: string): NameAddr | undefined {
	const semicolon = text.indexOf(";");
	const uri = (semicolon < 0 ? text : text.slice(0, semicolon)).trim();
	const params = semicolon < 0 ? [] : parseParams(text.slice(semicolon));
	if (params === undefined || !isUriText(uri) || /[,?]/.test(uri)) return undefined;
	return { uri, params };
}

function isUriText(text: string): boolean {
	return text !== "" && !/[\s<>"]/.test(text);
}

// Peers send UTF-8 names without quotes; that harms nobody.
function isDisplayWord(word: string): boolean {
	return word === "" || isToken(word) || /^[^\s"<>;,:@\\]+$/.test(word);
}
