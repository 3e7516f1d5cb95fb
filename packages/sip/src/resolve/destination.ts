import type { SipTransport } from "../endpoint-types.ts";
import { parseHostPort } from "../grammar/host.ts";
import { param } from "../grammar/params.ts";
import { parseUri } from "../grammar/uri.ts";

/** What is to be resolved: RFC 3263 §4 calls the host TARGET. */
export interface Destination {
	/** name or IP literal, IPv6 without brackets */
	readonly host: string;
	readonly port?: number;
	/** unset: to be found out */
	readonly transport?: SipTransport;
	/** only TLS will do: a SIPS URI */
	readonly secure: boolean;
}

/** `host`, `host:port`, `[v6]` or `[v6]:port` of a trunk, with its transport. undefined when it is none of these. */
export function destinationOf(address: string, transport: SipTransport | undefined): Destination | undefined {
	const parsed = parseHostPort(bracketed(address.trim()));
	return parsed && { ...parsed, ...(transport === undefined ? {} : { transport }), secure: false };
}

/** RFC 3263 §4: TARGET is the maddr parameter, which is not followed here, or else the host. undefined: no SIP or SIPS URI. */
export function destinationOfUri(text: string): Destination | undefined {
	const uri = parseUri(text);
	if (uri === undefined || uri.scheme === "tel" || uri.host === "") return undefined;
	const named = param(uri.params, "transport")?.toUpperCase();
	const secure = uri.scheme === "sips";
	const port = uri.port === undefined ? {} : { port: uri.port };
	if (named === undefined) return { host: uri.host, ...port, secure };
	if (named !== "UDP" && named !== "TCP" && named !== "TLS") return undefined;
	// RFC 3261 §26.2.2: "transport=tls" is deprecated, but in use; transport=tcp of a SIPS URI is TLS over TCP, and UDP cannot carry it.
	if (secure && named === "UDP") return undefined;
	return { host: uri.host, ...port, transport: secure ? "TLS" : named, secure };
}

/** An IPv6 literal may stand alone where no port follows. */
function bracketed(address: string): string {
	return (address.match(/:/g) ?? []).length > 1 && !address.startsWith("[") ? `[${address}]` : address;
}
