import type { Address } from "@trunkline/sip";
import type { Clock } from "../call/ports.ts";
import { Connection } from "./connection.ts";
import { type ConnectionLimits, DEFAULT_CONNECTION_LIMITS } from "./connection-limits.ts";
import type { Dial, StreamSocket, StreamSocketEvents } from "./stream-socket.ts";

export interface ConnectionsOptions {
	clock: Clock;
	dial: Dial;
	limits?: Partial<ConnectionLimits>;
	/** false: connections of this address are closed at once */
	admits?(host: string): boolean;
	/** false: a stranger, who gets what is left of half of the room. Unset = all are known. */
	isKnown?(host: string): boolean;
	/** a call is up with whoever is there: the connection is kept alive, as by `hold` */
	isNeeded?(remote: Address): boolean;
	onMessage(bytes: Uint8Array, remote: Address): void;
	/** Nothing reaches this address, or the connection was lost that a request went by (RFC 3261 §18.4). Never called from inside `send`. */
	onUnreachable(to: Address, message: string): void;
}

export interface ConnectionStats {
	inbound: number;
	outbound: number;
	/** connections that were not let in */
	refused: number;
	/** connections that were closed because their peer broke a rule or a limit */
	cut: number;
}

/** How often times are looked at. */
const SWEEP_MS = 1_000;

/** All TCP and TLS connections of a node, and which of them a message goes by. */
export class Connections {
	readonly #options: ConnectionsOptions;
	readonly #limits: ConnectionLimits;
	readonly #all = new Map<string, Connection>();
	/** those that requests without a connection of their own may use, by what they lead to */
	readonly #byRoute = new Map<string, Connection>();
	readonly #perSource = new Map<string, number>();
	/** holds of addresses, by route or connection */
	readonly #holds = new Map<string, number>();
	#inbound = 0;
	#refused = 0;
	#cut = 0;
	#nextId = 0;
	#cancelSweep: (() => void) | undefined;
	#closed = false;

	constructor(options: ConnectionsOptions) {
		this.#options = options;
		this.#limits = { ...DEFAULT_CONNECTION_LIMITS, ...options.limits };
	}

	stats(): ConnectionStats {
		return { inbound: this.#inbound, outbound: this.#all.size - this.#inbound, refused: this.#refused, cut: this.#cut };
	}

	/** A connection that comes in: undefined when it may not. */
	accept(remote: Address, socket: StreamSocket): StreamSocketEvents | undefined {
		const source = sourceOf(remote.host);
		const ofSource = this.#perSource.get(source) ?? 0;
		// Twenty addresses are easily had: whoever fills the table from there must not keep the carriers out.
		const most = this.#options.isKnown?.(remote.host) === false ? this.#limits.inbound / 2 : this.#limits.inbound;
		const full = this.#inbound >= most || ofSource >= this.#limits.perSource;
		if (this.#closed || full || this.#options.admits?.(remote.host) === false) {
			this.#refused++;
			return undefined;
		}
		this.#perSource.set(source, ofSource + 1);
		this.#inbound++;
		const connection = this.#add(remote, true);
		connection.socket = socket;
		// RFC 5923 is not needed where a peer comes from the very port it listens at. Over TLS nobody has verified its name: only what is meant for
		// this connection goes by it.
		const route = routeOf(remote);
		if (remote.transport === "TCP" && !this.#byRoute.has(route)) this.#byRoute.set(route, connection);
		return this.#socketEvents(connection);
	}

	/** Never throws; what cannot be sent is reported to `onUnreachable` later. Opens a connection where there is none. */
	send(bytes: Uint8Array, to: Address): void {
		if (this.#closed) return;
		const now = this.#options.clock.now();
		const connection = this.#connectionTo(to) ?? this.#open(to);
		if (connection === undefined) {
			this.#report([to], "too many connections");
			return;
		}
		if (connection.send(bytes, to, now)) return;
		this.#cut++;
		this.#end(connection, "the peer does not read what it is sent", [to]);
	}

	/**
	 * Keeps the connection to this address from being idle, and those that we opened alive by pings, while a call or registration needs it. Gives
	 * what lets go of it; the connection itself may come and go meanwhile.
	 */
	hold(to: Address): () => void {
		const names = [to.connection ?? "", routeOf(to)];
		for (const name of names) this.#holds.set(name, (this.#holds.get(name) ?? 0) + 1);
		let held = true;
		return () => {
			if (!held) return;
			held = false;
			for (const name of names) {
				const left = (this.#holds.get(name) ?? 1) - 1;
				if (left === 0) this.#holds.delete(name);
				else this.#holds.set(name, left);
			}
		};
	}

	/** Ends every connection at once; nothing is reported. */
	close(): void {
		this.#closed = true;
		this.#cancelSweep?.();
		this.#cancelSweep = undefined;
		for (const connection of this.#all.values()) connection.close();
		this.#all.clear();
		this.#byRoute.clear();
		this.#perSource.clear();
		this.#inbound = 0;
	}

	#connectionTo(to: Address): Connection | undefined {
		const own = to.connection === undefined ? undefined : this.#all.get(to.connection);
		return own ?? this.#byRoute.get(routeOf(to));
	}

	#open(to: Address): Connection | undefined {
		if (this.#all.size - this.#inbound >= this.#limits.outbound) return undefined;
		const { host, port, transport, tls } = to;
		const target: Address = { host, port, transport, ...(tls !== undefined && { tls }) };
		const connection = this.#add(target, false);
		this.#byRoute.set(routeOf(target), connection);
		connection.socket = this.#options.dial(target, this.#socketEvents(connection));
		return connection;
	}

	#add(remote: Address, inbound: boolean): Connection {
		this.#nextId++;
		const connection = new Connection({
			id: `${remote.transport.toLowerCase()}-${this.#nextId}`,
			remote,
			inbound,
			limits: this.#limits,
			events: {
				onMessage: (bytes, from) => this.#options.onMessage(bytes, from.remote),
				onFault: (reason, from) => {
					this.#cut++;
					this.#end(from, reason);
				},
			},
			now: this.#options.clock.now(),
		});
		this.#all.set(connection.id, connection);
		this.#sweepLater();
		return connection;
	}

	#socketEvents(connection: Connection): StreamSocketEvents {
		const { clock } = this.#options;
		const live = (): boolean => this.#all.get(connection.id) === connection;
		return {
			onOpen: () => {
				if (live()) connection.onOpen(clock.now());
			},
			onBytes: (bytes) => {
				if (live()) connection.onBytes(bytes, clock.now());
			},
			onClose: (reason) => {
				if (live()) this.#end(connection, reason);
			},
		};
	}

	/** Forgets a connection and tells whose requests it had. */
	#end(connection: Connection, reason: string, also: readonly Address[] = []): void {
		this.#all.delete(connection.id);
		const route = routeOf(connection.remote);
		if (this.#byRoute.get(route) === connection) this.#byRoute.delete(route);
		if (connection.inbound) {
			this.#inbound--;
			const source = sourceOf(connection.remote.host);
			const left = (this.#perSource.get(source) ?? 1) - 1;
			if (left === 0) this.#perSource.delete(source);
			else this.#perSource.set(source, left);
		}
		const lost = connection.isOpen || connection.inbound ? connection.requestsTo : [connection.remote, ...connection.requestsTo];
		this.#report([...lost, ...also], reason);
		connection.close();
	}

	#report(addresses: Iterable<Address>, reason: string): void {
		const lost = new Map([...addresses].map((address) => [routeOf(address), address]));
		if (lost.size === 0) return;
		const { clock, onUnreachable } = this.#options;
		clock.wakeAt(clock.now(), () => {
			if (!this.#closed) for (const address of lost.values()) onUnreachable(address, reason);
		});
	}

	#isHeld(connection: Connection): boolean {
		const route = routeOf(connection.remote);
		return (
			this.#holds.has(connection.id) ||
			(this.#byRoute.get(route) === connection && this.#holds.has(route)) ||
			this.#options.isNeeded?.(connection.remote) === true
		);
	}

	#sweepLater(): void {
		if (this.#cancelSweep !== undefined || this.#closed) return;
		this.#cancelSweep = this.#options.clock.wakeAt(this.#options.clock.now() + SWEEP_MS, () => {
			this.#cancelSweep = undefined;
			this.#sweep();
			if (this.#all.size > 0) this.#sweepLater();
		});
	}

	#sweep(): void {
		const now = this.#options.clock.now();
		for (const connection of [...this.#all.values()]) {
			const reason = connection.overdue(now, () => this.#isHeld(connection));
			if (reason === undefined) continue;
			if (reason !== "idle") this.#cut++;
			this.#end(connection, reason);
		}
	}
}

/** Connections that lead to the same peer in the same way. A TLS one is shared only where the same certificates were asked for. */
function routeOf({ host, port, transport, tls }: Address): string {
	return JSON.stringify([transport, host, port, tls?.serverName ?? null, tls?.minVersion ?? null, tls?.clientCertificate ?? null]);
}

/** Whoever has one IPv6 address has its /64. */
function sourceOf(host: string): string {
	if (!host.includes(":")) return host;
	const [before = "", after] = host.split("::");
	const head = before === "" ? [] : before.split(":");
	const tail = after === undefined || after === "" ? [] : after.split(":");
	const zeros = after === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
	return [...head, ...Array.from({ length: zeros }, () => "0"), ...tail].slice(0, 4).join(":");
}
