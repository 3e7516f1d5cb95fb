import { isIpv4, isIpv6 } from "../grammar/host.ts";
import { parseNameAddr } from "../grammar/name-addr.ts";
import { parseUri } from "../grammar/uri.ts";
import type { SameParty } from "../endpoint-types.ts";
import type { Dialog } from "./dialog.ts";

/** Whom a dialog's requests come from, as far as it says so. */
export type DialogPeers = Pick<Dialog, "peer"> & Partial<Pick<Dialog, "routeSet" | "remoteTarget">>;

/**
 * May a request inside this dialog come from there? From the address of the peer, of a proxy on the route, of the peer's Contact, or from another
 * one of the same party. Ports do not count: a NAT gives new ones. Call-ID and both tags are on the wire for whoever listens to it, so they
 * alone do not prove that it is the peer who hangs up or moves the audio.
 */
export function mayComeFrom(dialog: DialogPeers, source: string, sameParty?: SameParty): boolean {
	const host = source.toLowerCase();
	if (host === dialog.peer.host.toLowerCase()) return true;
	const named = [dialog.remoteTarget, ...(dialog.routeSet ?? []).map((route) => parseNameAddr(route)?.uri)];
	if (named.some((uri) => uri !== undefined && addressIn(uri) === host)) return true;
	return sameParty?.(dialog.peer.host, source) === true;
}

function addressIn(uri: string): string | undefined {
	const host = parseUri(uri)?.host;
	return host !== undefined && (isIpv4(host) || isIpv6(host)) ? host.toLowerCase() : undefined;
}
