import { parseNameAddr } from "../grammar/name-addr.ts";
import { param } from "../grammar/params.ts";
import { parseUri } from "../grammar/uri.ts";
import { parseVia } from "../grammar/via.ts";
import type { Millis } from "../machine.ts";
import { topVia } from "../message/envelope.ts";
import { header, headerList } from "../message/headers.ts";
import type { SipResponse } from "../message/message.ts";

/** Bindings of others that a 200 lists beside ours. */
const MAX_CONTACTS = 50;

/**
 * For how many seconds the registrar keeps the binding of this Contact. RFC 3261 §10.2.4: "The UA compares each contact address to see if it
 * created the contact address, using comparison rules in Section 19.1.4. If so, it updates the expiration time interval according to the
 * expires parameter or, if absent, the Expires field value." What neither says is `asked`.
 */
export function grantedSeconds(response: SipResponse, contactUri: string, asked: number): number {
	const ours = parseUri(contactUri);
	for (const value of headerList(response, "contact").slice(0, MAX_CONTACTS)) {
		const address = parseNameAddr(value);
		const uri = address === undefined ? undefined : parseUri(address.uri);
		if (address === undefined || uri === undefined || ours === undefined) continue;
		const same = uri.host === ours.host && portOf(uri) === portOf(ours) && (uri.user ?? "") === (ours.user ?? "");
		if (same) return secondsOf(param(address.params, "expires")) ?? secondsOf(header(response, "expires")) ?? asked;
	}
	return secondsOf(header(response, "expires")) ?? asked;
}

/** RFC 3261 §10.2.8: what a 423 asks for at least. */
export function minExpires(response: SipResponse): number | undefined {
	return secondsOf(header(response, "min-expires"));
}

/** RFC 3261 §20.33, of a 503 and others. */
export function retryAfter(response: SipResponse): Millis | undefined {
	const seconds = secondsOf(/^\d+/.exec(header(response, "retry-after") ?? "")?.[0]);
	return seconds === undefined ? undefined : seconds * 1_000;
}

/** Where the registrar saw us: `received` and `rport` of our own Via (RFC 3581 §4). */
export function seenAt(response: SipResponse): { host: string; port: number } | undefined {
	const value = header(response, "via");
	const via = value === undefined ? undefined : parseVia(topVia(value));
	if (via === undefined) return undefined;
	const port = Number(param(via.params, "rport") || (via.port ?? 5060));
	const host = param(via.params, "received") ?? via.host;
	return Number.isInteger(port) && port > 0 && port < 65_536 && /^[0-9A-Fa-f.:]+$/.test(host) ? { host, port } : undefined;
}

function portOf({ port, scheme }: { port?: number; scheme: string }): number {
	return port ?? (scheme === "sips" ? 5061 : 5060);
}

function secondsOf(text: string | undefined): number | undefined {
	return text !== undefined && /^\d{1,10}$/.test(text.trim()) ? Number(text) : undefined;
}
