import type { Dialog } from "../dialog/dialog.ts";
import type { Address, EndpointOptions } from "../endpoint-types.ts";
import { headerList } from "../message/headers.ts";
import type { SipRequest } from "../message/message.ts";

/** What a peer at this address is told that we are: the address of its own IP family, and the port of its transport. */
export function ownAddress(contact: EndpointOptions["contact"], to: Address): { host: string; port: number } {
	const { host, host6, port, tlsPort } = contact;
	return { host: to.host.includes(":") ? (host6 ?? host) : host, port: to.transport === "TLS" ? (tlsPort ?? port) : port };
}

/**
 * Whether our Contact in the answer to this request has to be a SIPS URI. RFC 3261 §12.1.1: "If the request that initiated the dialog contained
 * a SIPS URI in the Request-URI or in the top Record-Route header field value, if there was any, or the Contact header field if there was no
 * Record-Route header field, the Contact header field in the response MUST be a SIPS URI."
 */
export function asksForSips(request: SipRequest): boolean {
	const [source] = [...headerList(request, "record-route").slice(0, 1), ...headerList(request, "contact")];
	return isSips(request.uri) || (source !== undefined && isSips(source));
}

/** The same for a request of ours inside a dialog (§8.1.1.8: the Request-URI or the top Route). */
export function isSipsDialog(dialog: Dialog): boolean {
	return isSips(dialog.remoteTarget) || isSips(dialog.routeSet[0] ?? "");
}

/** A URI, or a name-addr that has one. */
export function isSips(text: string): boolean {
	return /^(?:[^<]*<)?sips:/i.test(text);
}
