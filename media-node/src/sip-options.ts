import type { Address, EndpointOptions } from "@trunkline/sip";
import type { Clock } from "./call/ports.ts";
import type { ConnectionLimits } from "./transport/connection-limits.ts";
import { SipTransport } from "./transport/sip-transport.ts";
import type { TlsFiles, TlsLog } from "./transport/tls-files.ts";

export interface SipOptions {
	bindHost: string;
	/** UDP and TCP; 0 = any free one */
	port: number;
	advertisedHost: string;
	/** of IPv6, where `bindHost` is of IPv4; both or neither */
	bindHost6?: string;
	advertisedHost6?: string;
	/** TCP that a load balancer sends on; unset = there is none */
	balancedTcpPort?: number;
	/** 0 = any free one; used where `tls` has a certificate. Default 5061. */
	tlsPort?: number;
	tls?: TlsFiles;
	connections?: Partial<ConnectionLimits>;
	/** `ip` or `ip:port`; unset = the system's */
	dnsServers?: readonly string[];
}

/** What the transports ask and tell; they open before the rest of the node is there. */
export interface SipOwner {
	received(bytes: Uint8Array, remote: Address): void;
	unreachable(remote: Address, message: string): void;
	/** a call or registration uses the connection with this address */
	needsConnectionWith(host: string): boolean;
	/** false: its connections are closed at once */
	admitsConnection(host: string): boolean;
	/** has calls with us, or is on some trunk's list */
	isKnown(host: string): boolean;
}

/** Opens UDP, TCP and, with a certificate, TLS. `owner` gives undefined until there is one: what comes before is dropped. */
export async function openSip(options: SipOptions, clock: Clock, log: TlsLog, owner: () => SipOwner | undefined): Promise<SipTransport> {
	const { bindHost, bindHost6, port, balancedTcpPort, tlsPort, tls, connections } = options;
	return SipTransport.open({
		hosts: bindHost6 === undefined ? [bindHost] : [bindHost, bindHost6],
		port,
		...(balancedTcpPort === undefined ? {} : { balancedTcpPort }),
		tlsPort: tlsPort ?? 5061,
		...(tls === undefined ? {} : { tls }),
		...(connections === undefined ? {} : { limits: connections }),
		clock,
		log,
		admits: (host) => owner()?.admitsConnection(host) !== false,
		isKnown: (host) => owner()?.isKnown(host) !== false,
		isNeeded: (remote) => owner()?.needsConnectionWith(remote.host) === true,
		onMessage: (bytes, remote) => owner()?.received(bytes, remote),
		onUnreachable: (remote, message) => owner()?.unreachable(remote, message),
	});
}

/** What Via and Contact say. */
export function contactOf({ advertisedHost, advertisedHost6 }: SipOptions, { port, tlsPort }: SipTransport): EndpointOptions["contact"] {
	return {
		host: advertisedHost,
		port,
		...(tlsPort === undefined ? {} : { tlsPort }),
		...(advertisedHost6 === undefined ? {} : { host6: advertisedHost6 }),
	};
}

/** IP families of the node, the preferred first. */
export function familiesOf({ bindHost, bindHost6 }: SipOptions): readonly (4 | 6)[] {
	return bindHost6 === undefined ? [bindHost.includes(":") ? 6 : 4] : [4, 6];
}
