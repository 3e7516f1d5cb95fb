import { parseNameAddr } from "../grammar/name-addr.ts";
import { param } from "../grammar/params.ts";
import { parseUri, type SipUri } from "../grammar/uri.ts";
import { headerList } from "../message/headers.ts";
import type { SipResponse } from "../message/message.ts";

export interface RedirectContact {
	/** as written, without headers (`?…`) */
	readonly uri: string;
	readonly parsed: SipUri;
	/** 0..1 */
	readonly q: number;
}

/** Contacts of one 3xx that are looked at. */
const MAX_CONTACTS = 10;

/**
 * SIP and SIPS URIs of a 3xx's Contacts, the highest q first (RFC 3261 §8.1.3.4, §20.10); those without q come before lower ones, as if
 * it was 1. What follows `?` is left out: a stranger's header fields have no place in a request of ours (§19.1.5).
 */
export function redirectContacts(response: SipResponse): RedirectContact[] {
	const contacts: RedirectContact[] = [];
	for (const value of headerList(response, "contact").slice(0, MAX_CONTACTS)) {
		const address = parseNameAddr(value);
		const parsed = address === undefined ? undefined : parseUri(address.uri);
		if (address === undefined || parsed === undefined || parsed.scheme === "tel") continue;
		const question = address.uri.indexOf("?", address.uri.indexOf("@") + 1);
		const uri = question < 0 ? address.uri : address.uri.slice(0, question);
		contacts.push({ uri, parsed: parseUri(uri) ?? parsed, q: qOf(param(address.params, "q")) });
	}
	return contacts.sort((a, b) => b.q - a.q);
}

function qOf(text: string | undefined): number {
	// RFC 3261 §25.1: qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] )
	return text !== undefined && /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : 1;
}
