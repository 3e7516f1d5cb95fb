import type { Address, SipTransport } from "../endpoint-types.ts";
import { isIpv4, isIpv6 } from "../grammar/host.ts";
import { param } from "../grammar/params.ts";
import { parseUri, type SipUri } from "../grammar/uri.ts";
import type { Via } from "../grammar/via.ts";

/**
 * Where a request for this URI goes. A host name is not resolved here: the address that the dialog's messages come from stands for it, which
 * is right whenever the recording proxy (or the peer itself) is what we talk to. So it is for a peer behind NAT, whose private
 * address means nothing here.
 */
export function nextHop(uri: string, peer: Address): Address {
	const parsed = parseUri(uri);
	if (parsed === undefined || !(isIpv4(parsed.host) || isIpv6(parsed.host))) return peer;
	if (isPrivate(parsed.host) && !isPrivate(peer.host)) return peer;
	const transport = transportOf(parsed, peer.transport);
	return { host: parsed.host, port: parsed.port ?? (transport === "TLS" ? 5061 : 5060), transport };
}

/** Where responses go: RFC 3261 §18.2.2 with RFC 3581 §4. `maddr` is not followed: it would let a stranger aim our packets at anyone. */
export function responseAddress(via: Via, source: Address): Address {
	if (source.transport !== "UDP" || param(via.params, "rport") !== undefined) return source;
	return { host: source.host, port: via.port ?? 5060, transport: source.transport };
}

/** The Via as the server must leave it: `received` when the host differs from the source or rport was asked, `rport` filled in. */
export function stampVia(via: Via, source: Address): Via | undefined {
	const wantsRport = param(via.params, "rport") !== undefined;
	if (!wantsRport && via.host === source.host.toLowerCase()) return undefined;
	const params = via.params.filter(({ name }) => name !== "received" && name !== "rport");
	// RFC 3581 §4: "it MUST insert a received parameter … even if it is identical to the sent-by"
	params.push({ name: "received", value: source.host });
	if (wantsRport) params.push({ name: "rport", value: String(source.port) });
	return { ...via, params };
}

function transportOf(uri: SipUri, peer: SipTransport): SipTransport {
	if (uri.scheme === "sips") return "TLS";
	const named = param(uri.params, "transport")?.toUpperCase();
	return named === "UDP" || named === "TCP" || named === "TLS" ? named : peer;
}

/** Not reachable from the public internet: RFC 1918, RFC 6598, loopback, link-local, unique local. */
function isPrivate(host: string): boolean {
	if (host.includes(":")) return /^(::1$|f[cd]|fe[89ab])/i.test(host);
	const [a = 0, b = 0] = host.split(".").map(Number);
	if (a === 10 || a === 127 || a === 0) return true;
	return (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254) || (a === 100 && b >= 64 && b < 128);
}
