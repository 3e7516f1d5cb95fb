import type { Address } from "@trunkline/sip";
import type { Clock } from "../call/ports.ts";
import type { ConnectionLimits } from "./connection-limits.ts";
import { Connections, type ConnectionStats } from "./connections.ts";
import type { StreamListener } from "./stream-socket.ts";
import { dialTcp, listenTcp } from "./tcp.ts";
import { dialTls, listenTls } from "./tls.ts";
import { TlsCertificates, type TlsFiles, type TlsLog } from "./tls-files.ts";
import { type DatagramTransport, openUdp } from "./udp.ts";

export interface SipTransportOptions {
	/** addresses to listen on, one of each IP family at most; an IPv6 wildcard is IPv6 alone */
	hosts: readonly string[];
	/** UDP and TCP; 0 = any that is free in both */
	port: number;
	/** where TCP is taken too: what a load balancer sends on, as some map no port twice */
	balancedTcpPort?: number;
	/** 0 = any free one */
	tlsPort: number;
	tls?: TlsFiles;
	limits?: Partial<ConnectionLimits>;
	clock: Clock;
	log: TlsLog;
	/** false: connections of this address are closed at once */
	admits?(host: string): boolean;
	/** false: a stranger, who gets what is left of half of the room. Unset = all are known. */
	isKnown?(host: string): boolean;
	/** a call is up with whoever is there: the connection is kept alive, as by `hold` */
	isNeeded?(remote: Address): boolean;
	onMessage(bytes: Uint8Array, remote: Address): void;
	/** never called from inside `send` */
	onUnreachable(remote: Address, message: string): void;
}

/** Free ports are random: one of UDP may be taken in TCP. */
const PORT_TRIES = 20;

/** Everything that SIP is sent and received by: UDP, TCP and TLS, IPv4 and IPv6. */
export class SipTransport {
	readonly port: number;
	/** undefined: there is no certificate, nobody can connect by TLS */
	readonly tlsPort: number | undefined;
	readonly #udp: ReadonlyMap<4 | 6, DatagramTransport>;
	readonly #listeners: readonly StreamListener[];
	readonly #connections: Connections;
	readonly #certificates: TlsCertificates;
	readonly #options: SipTransportOptions;
	#closed: Promise<void> | undefined;

	/** Rejects with the system's error when a port cannot be had, with a message that names the file when a TLS file cannot be used. */
	static async open(options: SipTransportOptions): Promise<SipTransport> {
		const certificates = await TlsCertificates.load(options.tls ?? {}, options.clock, options.log);
		const connections = new Connections({
			clock: options.clock,
			dial: (to, events) => (to.transport === "TLS" ? dialTls(to, events, certificates) : dialTcp(to, events)),
			...(options.limits === undefined ? {} : { limits: options.limits }),
			...(options.admits === undefined ? {} : { admits: options.admits }),
			...(options.isKnown === undefined ? {} : { isKnown: options.isKnown }),
			...(options.isNeeded === undefined ? {} : { isNeeded: options.isNeeded }),
			onMessage: options.onMessage,
			onUnreachable: options.onUnreachable,
		});
		const opened: { close(): Promise<void> }[] = [];
		try {
			const { udp, tcp } = await openSamePort(options, connections, opened);
			for (const host of options.balancedTcpPort === undefined ? [] : options.hosts) {
				const listener = await listenTcp(host, options.balancedTcpPort ?? 0, (remote, socket) => connections.accept(remote, socket));
				tcp.push(listener);
				opened.push(listener);
			}
			const tls = certificates.server === undefined ? [] : await openTls(options, connections, certificates, opened);
			return new SipTransport(options, certificates, connections, udp, tcp, tls);
		} catch (error) {
			certificates.close();
			for (const one of opened) await one.close();
			throw error;
		}
	}

	private constructor(
		options: SipTransportOptions,
		certificates: TlsCertificates,
		connections: Connections,
		udp: readonly DatagramTransport[],
		tcp: readonly StreamListener[],
		tls: readonly StreamListener[],
	) {
		this.#options = options;
		this.#certificates = certificates;
		this.#connections = connections;
		this.#udp = new Map(udp.map((transport) => [familyOf(transport.local.host), transport]));
		this.#listeners = [...tcp, ...tls];
		this.port = udp[0]?.local.port ?? options.port;
		this.tlsPort = tls[0]?.local.port;
	}

	stats(): ConnectionStats {
		return this.#connections.stats();
	}

	/** Never throws: what cannot be sent is reported to `onUnreachable` later. */
	send(bytes: Uint8Array, to: Address): void {
		if (to.transport !== "UDP") {
			this.#connections.send(bytes, to);
			return;
		}
		const udp = this.#udp.get(familyOf(to.host));
		if (udp !== undefined) {
			udp.send(bytes, to);
			return;
		}
		const { clock, onUnreachable } = this.#options;
		clock.wakeAt(clock.now(), () => {
			if (this.#closed === undefined) onUnreachable(to, `this node has no IPv${familyOf(to.host)} address`);
		});
	}

	/** Keeps the connection to this address alive until the function is called that this gives; nothing for UDP. */
	hold(to: Address): () => void {
		return to.transport === "UDP" ? () => {} : this.#connections.hold(to);
	}

	/** Reads TLS files that have changed now, and not within seconds. */
	refreshCertificates(): Promise<void> {
		return this.#certificates.refresh();
	}

	/** Idempotent; ends when all ports are free. */
	close(): Promise<void> {
		this.#closed ??= this.#close();
		return this.#closed;
	}

	async #close(): Promise<void> {
		this.#certificates.close();
		const listeners = this.#listeners.map((listener) => listener.close());
		this.#connections.close();
		await Promise.all([...listeners, ...[...this.#udp.values()].map((udp) => udp.close())]);
	}
}

type Opened = { close(): Promise<void> }[];

/** UDP and TCP have one port on all addresses (RFC 3261 §19.1.2: 5060 is the default of both). */
async function openSamePort(
	options: SipTransportOptions,
	connections: Connections,
	opened: Opened,
): Promise<{ udp: DatagramTransport[]; tcp: StreamListener[] }> {
	for (let left = PORT_TRIES; ; left--) {
		const udp: DatagramTransport[] = [];
		const tcp: StreamListener[] = [];
		try {
			for (const host of options.hosts) {
				const port = udp[0]?.local.port ?? options.port;
				const datagrams = await openUdp(host, port, options);
				udp.push(datagrams);
				tcp.push(await listenTcp(host, datagrams.local.port, (remote, socket) => connections.accept(remote, socket)));
			}
			opened.push(...udp, ...tcp);
			return { udp, tcp };
		} catch (error) {
			await Promise.all([...udp, ...tcp].map((one) => one.close()));
			if (options.port !== 0 || left === 0 || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
		}
	}
}

async function openTls(
	options: SipTransportOptions,
	connections: Connections,
	certificates: TlsCertificates,
	opened: Opened,
): Promise<StreamListener[]> {
	const listeners: StreamListener[] = [];
	for (const host of options.hosts) {
		const port = listeners[0]?.local.port ?? options.tlsPort;
		const listener = await listenTls(host, port, (remote, socket) => connections.accept(remote, socket), certificates);
		listeners.push(listener);
		opened.push(listener);
	}
	return listeners;
}

function familyOf(host: string): 4 | 6 {
	return host.includes(":") ? 6 : 4;
}
