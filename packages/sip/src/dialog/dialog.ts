import type { Address } from "../endpoint-types.ts";
import { parseNameAddr } from "../grammar/name-addr.ts";
import { param } from "../grammar/params.ts";
import { isLooseRouter, parseUri } from "../grammar/uri.ts";
import { header, headerList } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";

/** RFC 3261 §12: what two user agents know of each other. */
export interface Dialog {
	readonly callId: string;
	readonly localTag: string;
	readonly remoteTag: string;
	/** From of our requests, tag included */
	readonly local: string;
	/** To of our requests, tag included */
	readonly remote: string;
	/** of our latest request */
	localSeq: number;
	/** of the peer's latest request; undefined before the first */
	remoteSeq: number | undefined;
	/** Contact URI of the peer */
	remoteTarget: string;
	/** Route values as received, ours to use from first to last */
	readonly routeSet: readonly string[];
	/** where the peer's messages of this dialog come from: next hop when the route cannot be read as an IP address */
	peer: Address;
}

/** RFC 3261 §18.2.2 in spirit: a peer whose connection broke and who came back by another one is answered, and asked, by that one. */
export function followConnection(dialog: Dialog, from: Address): void {
	const { peer } = dialog;
	// A certificate was verified on the way out: whoever connects to us has shown none, or another one.
	if (from.connection === undefined || from.connection === peer.connection || peer.tls !== undefined) return;
	if (from.host === peer.host && from.transport === peer.transport) dialog.peer = { ...peer, connection: from.connection };
}

export function dialogKey(callId: string, localTag: string, remoteTag: string): string {
	return `${callId} ${localTag} ${remoteTag}`;
}

/** Our INVITE got a response with To tag (RFC 3261 §12.1.2). */
export function dialogOfCaller(request: SipRequest, response: SipResponse, peer: Address): Dialog {
	const to = header(response, "to") ?? "";
	return {
		callId: header(request, "call-id") ?? "",
		localTag: tagOf(request, "from"),
		remoteTag: tagOf(response, "to"),
		local: header(request, "from") ?? "",
		remote: to,
		localSeq: Number.parseInt(header(request, "cseq") ?? "0", 10),
		remoteSeq: undefined,
		// §12.1.2 wants Contact in the response; where a peer forgot it, what we called is the best there is.
		remoteTarget: contactUri(response) ?? request.uri,
		// "The route set MUST be set to the list of URIs in the Record-Route header field from the response, taken in reverse order"
		routeSet: headerList(response, "record-route").reverse(),
		peer,
	};
}

/** A peer's INVITE that we answer with this tag (RFC 3261 §12.1.1). */
export function dialogOfCallee(request: SipRequest, localTag: string, cseq: number, peer: Address): Dialog {
	return {
		callId: header(request, "call-id") ?? "",
		localTag,
		remoteTag: tagOf(request, "from"),
		local: `${header(request, "to") ?? ""};tag=${localTag}`,
		remote: header(request, "from") ?? "",
		localSeq: 0,
		remoteSeq: cseq,
		remoteTarget: contactUri(request) ?? "",
		// "taken in order and preserving all URI parameters"
		routeSet: headerList(request, "record-route"),
		peer,
	};
}

/** URI of the first Contact; undefined when there is none, or none that we could send to. */
export function contactUri(message: SipRequest | SipResponse): string | undefined {
	const [first] = headerList(message, "contact");
	const uri = first === undefined ? undefined : parseNameAddr(first)?.uri;
	const parsed = uri === undefined ? undefined : parseUri(uri);
	return parsed === undefined || parsed.scheme === "tel" ? undefined : uri;
}

export function tagOf(message: SipRequest | SipResponse, name: "from" | "to"): string {
	const address = parseNameAddr(header(message, name) ?? "");
	return address === undefined ? "" : (param(address.params, "tag") ?? "");
}

/** Request-URI, Route values and the URI whose host is the next hop of a request inside the dialog (RFC 3261 §12.2.1.1). */
export function routing(dialog: Dialog): { uri: string; routes: readonly string[]; nextHop: string } {
	const [first, ...others] = dialog.routeSet;
	const firstUri = first === undefined ? undefined : parseNameAddr(first)?.uri;
	if (first === undefined || firstUri === undefined) return { uri: dialog.remoteTarget, routes: [], nextHop: dialog.remoteTarget };
	const parsed = parseUri(firstUri);
	if (parsed === undefined || isLooseRouter(parsed)) return { uri: dialog.remoteTarget, routes: dialog.routeSet, nextHop: firstUri };
	// A strict router (RFC 2543) takes itself out of the Request-URI and expects the target as the last Route.
	return { uri: firstUri, routes: [...others, `<${dialog.remoteTarget}>`], nextHop: firstUri };
}
