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
	if (parsed === undefined) return peer;
	// What a re-INVITE says (keys of audio, RFC 4568 §7) was for TLS alone: a Contact or Route that names less does not take it off.
	if (peer.transport === "TLS" && transportOf(parsed, "TLS") !== "TLS")
		return peer.connection === undefined ? peer : { ...peer, port: defaultPort("TLS") };
	if (!isLiteral(parsed.host) || (isPrivate(parsed.host) && !isPrivate(peer.host))) return atPeer(parsed, peer);
	const transport = transportOf(parsed, peer.transport);
	const address = { host: parsed.host, port: parsed.port ?? defaultPort(transport), transport };
	if (transport !== peer.transport) return address;
	// The connection of a peer leads to that peer alone; the name that its certificate must have stays the same at its other addresses.
	return {
		...address,
		...(peer.connection !== undefined && parsed.host === peer.host && { connection: peer.connection }),
		...(peer.tls !== undefined && { tls: peer.tls }),
		...(peer.largeByTcp === true && { largeByTcp: true }),
	};
}

/** The peer of a connection that it opened listens at the port that its URI says: the one it came from takes no connections. */
function atPeer(uri: SipUri, peer: Address): Address {
	if (peer.connection === undefined) return peer;
	return {
		...peer,
		port: uri.port ?? defaultPort(peer.transport),
		...(peer.transport === "TLS" && peer.tls === undefined && !isLiteral(uri.host) && { tls: { serverName: uri.host } }),
	};
}

/** Where responses go: RFC 3261 §18.2.2 with RFC 3581 §4. `maddr` is not followed: it would let a stranger aim our packets at anyone. */
export function responseAddress(via: Via, source: Address): Address {
	const { host, transport, connection } = source;
	if (connection !== undefined) {
		// §18.2.2: the connection the request came by; when it is gone, one "to the IP address in the "received" parameter, if present, using
		// the port in the "sent-by" value, or the default port for that transport, if no port is specified"
		const tls = transport === "TLS" && !isLiteral(via.host) ? { tls: { serverName: via.host } } : {};
		return { host, port: via.port ?? defaultPort(transport), transport, connection, ...tls };
	}
	if (transport !== "UDP" || param(via.params, "rport") !== undefined) return source;
	return { host, port: via.port ?? 5060, transport };
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

function isLiteral(host: string): boolean {
	return isIpv4(host) || isIpv6(host);
}

/** RFC 3261 §19.1.2 */
function defaultPort(transport: SipTransport): number {
	return transport === "TLS" ? 5061 : 5060;
}

/** Not reachable from the public internet: RFC 1918, RFC 6598, loopback, link-local, unique local. */
function isPrivate(host: string): boolean {
	if (host.includes(":")) return /^(::1$|f[cd]|fe[89ab])/i.test(host);
	const [a = 0, b = 0] = host.split(".").map(Number);
	if (a === 10 || a === 127 || a === 0) return true;
	return (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254) || (a === 100 && b >= 64 && b < 128);
}
