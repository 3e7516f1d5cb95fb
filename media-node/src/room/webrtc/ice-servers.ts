import { isIP, SocketAddress } from "node:net";

/** Where a relay is to be had (RFC 8656), as a room server names it. */
export interface TurnServer {
	host: string;
	port: number;
	/** towards the server; the relayed address is UDP */
	transport: "udp" | "tcp" | "tls";
	username: string;
	password: string;
}

export interface RelaySettings {
	servers: readonly TurnServer[];
	/** "auto": where nothing else leads; "at-once": beside everything else; "only": nothing else */
	policy: "auto" | "at-once" | "only";
}

export const NO_RELAYS: RelaySettings = { servers: [], policy: "auto" };

/** More than that are one server's mistake. */
const MAX_SERVERS = 6;
const MAX_URL_LENGTH = 512;

/** STUN servers, TURN over DTLS and what is no such URL (RFC 7065) are left out. */
export function turnServers(list: readonly { urls: readonly string[]; username: string; credential: string }[]): TurnServer[] {
	return list
		.flatMap(({ urls, username, credential }) =>
			urls.flatMap((url) => {
				const place = parseTurnUrl(url);
				return place === undefined ? [] : [{ ...place, username, password: credential }];
			}),
		)
		.slice(0, MAX_SERVERS);
}

function parseTurnUrl(url: string): Pick<TurnServer, "host" | "port" | "transport"> | undefined {
	const match = /^(turns?):(\[[0-9a-f:.]+\]|[^\s:?[\]/@]+)(?::(\d{1,5}))?(?:\?transport=(udp|tcp))?$/i.exec(url.slice(0, MAX_URL_LENGTH));
	if (match === null) return undefined;
	const [, scheme = "", host = "", port, transport] = match;
	const isSecure = scheme.toLowerCase() === "turns";
	// RFC 7065 §3.1, RFC 5928 §3: what stands for nothing said
	const chosen = transport?.toLowerCase() ?? (isSecure ? "tcp" : "udp");
	if (isSecure && chosen === "udp") return undefined;
	const number = port === undefined ? (isSecure ? 5_349 : 3_478) : Number(port);
	const bare = host.replace(/^\[|\]$/g, "");
	if (number < 1 || number > 65_535 || (host.startsWith("[") && isIP(bare) !== 6)) return undefined;
	// As sockets write it: what comes is known by its source.
	const place = isIP(bare) === 6 ? new SocketAddress({ address: bare, family: "ipv6" }).address : bare;
	return { host: place, port: number, transport: isSecure ? "tls" : chosen === "tcp" ? "tcp" : "udp" };
}
