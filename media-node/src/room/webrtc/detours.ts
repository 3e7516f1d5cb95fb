/** Ways to the room server beside our UDP socket: connections to its TCP candidates, and relays. They are begun when there is no way yet, one kind after the other. */
import { isIPv6 } from "node:net";
import type { IceAgent, IcePath } from "@trunkline/ice";
import { RELAY_PRIORITY, type ServerCandidate, TCP_PRIORITY } from "./candidate.ts";
import { NO_RELAYS, type RelaySettings, type TurnServer } from "./ice-servers.ts";
import { Relay } from "./relay.ts";
import { openTcpPath, type TcpPath } from "./tcp-path.ts";

export interface DetourEvents {
	/** the agent that is to be told of candidates now */
	agent(): IceAgent;
	/** it was told something */
	changed(): void;
	packet(packet: Buffer, from: IcePath): void;
	/** a candidate that the server may be told */
	relayed(address: string, port: number): void;
	/** the way in use is gone */
	lost(message: string): void;
}

/** UDP has so long to find a way before others are tried, too: behind most firewalls it works, and audio over TCP waits for what is lost. */
const TCP_AFTER_MS = 600;
/** Then TCP and TURN over UDP have so long before TURN by TCP and TLS is tried. */
const STREAM_RELAY_AFTER_MS = 500;
const MAX_TCP_PATHS = 4;

export class Detours {
	readonly #events: DetourEvents;
	readonly #family: 4 | 6;
	readonly #candidates: ServerCandidate[] = [];
	readonly #tcpPaths = new Map<number, TcpPath>();
	readonly #relays = new Map<number, Relay>();
	/** relays that are being given back */
	readonly #closing = new Set<Promise<void>>();
	readonly #failures = new Set<string>();
	#settings: RelaySettings = NO_RELAYS;
	/** numbers above that of our socket */
	#last = 0;
	#inUse = 0;
	#timers: NodeJS.Timeout[] = [];
	#isOver = false;

	constructor(address: string, events: DetourEvents) {
		this.#family = isIPv6(address) ? 6 : 4;
		this.#events = events;
	}

	set relays(settings: RelaySettings) {
		this.#settings = settings;
	}

	get isRelayOnly(): boolean {
		return this.#settings.policy === "only";
	}

	/** Whether nothing that is allowed is there. */
	get isHopeless(): boolean {
		return this.isRelayOnly && this.#settings.servers.length === 0;
	}

	/** Why relays were of no use, for people. */
	get failures(): string {
		if (this.isHopeless) return "relays alone are allowed, and the room server names none";
		return [...this.#failures].join("; ");
	}

	/** There is a new agent, and candidates of the server's are to come. What is in use stays until there is something else. */
	begin(): void {
		this.#candidates.length = 0;
		this.#failures.clear();
		this.#drop((local) => local !== this.#inUse);
		this.#stopTimers();
		const tcpAfter = this.#settings.policy === "only" ? undefined : TCP_AFTER_MS;
		const relayAfter = this.#settings.policy === "auto" ? TCP_AFTER_MS : 0;
		if (tcpAfter !== undefined) this.#later(tcpAfter, () => this.#tryTcp());
		const servers = this.#settings.servers;
		const [byUdp, byStream] = [
			servers.filter(({ transport }) => transport === "udp"),
			servers.filter(({ transport }) => transport !== "udp"),
		];
		this.#later(relayAfter, () => this.#tryRelays(byUdp));
		this.#later(relayAfter + (byUdp.length === 0 ? 0 : STREAM_RELAY_AFTER_MS), () => this.#tryRelays(byStream));
	}

	addTcp(candidate: ServerCandidate): void {
		if (this.#candidates.length < MAX_TCP_PATHS) this.#candidates.push(candidate);
	}

	/** The pair that media go by; nothing else is needed any more. */
	selected({ local, address, port }: IcePath): void {
		this.#inUse = local;
		this.#stopTimers();
		this.#drop((each) => each !== local);
		this.#relays.get(local)?.bind(address, port);
	}

	relay(local: number): Relay | undefined {
		return this.#relays.get(local);
	}

	send({ local, address, port }: IcePath, packet: Uint8Array): void {
		const relay = this.#relays.get(local);
		if (relay === undefined) this.#tcpPaths.get(local)?.send(packet);
		else relay.send(packet, address, port);
	}

	/** Resolves when relays are given back. */
	async close(): Promise<void> {
		this.#isOver = true;
		this.#stopTimers();
		this.#drop(() => true);
		await Promise.all(this.#closing);
	}

	#later(ms: number, step: () => void): void {
		this.#timers.push(setTimeout(step, ms));
	}

	#stopTimers(): void {
		for (const timer of this.#timers.splice(0)) clearTimeout(timer);
	}

	#drop(which: (local: number) => boolean): void {
		for (const [local, path] of this.#tcpPaths) {
			if (!which(local)) continue;
			path.close();
			this.#tcpPaths.delete(local);
		}
		for (const [local, relay] of this.#relays) {
			if (!which(local)) continue;
			this.#relays.delete(local);
			const closing = relay.close().finally(() => this.#closing.delete(closing));
			this.#closing.add(closing);
		}
	}

	#tryTcp(): void {
		if (this.#isOver || this.#events.agent().path !== undefined) return;
		for (const candidate of this.#candidates) {
			const local = ++this.#last;
			const at = { local, address: candidate.address, port: candidate.port };
			const path = openTcpPath(candidate, {
				open: () => {
					const agent = this.#events.agent();
					agent.addRemote(candidate, performance.now());
					agent.addLocal({ id: local, priority: TCP_PRIORITY, transport: "tcp", to: at }, performance.now());
					this.#events.changed();
				},
				packet: (packet) => this.#events.packet(packet, at),
				closed: () => {
					this.#tcpPaths.delete(local);
					this.#gone(local, "the TCP connection to the room server was closed");
				},
			});
			this.#tcpPaths.set(local, path);
		}
	}

	#tryRelays(servers: readonly TurnServer[]): void {
		if (this.#isOver || (this.#settings.policy === "auto" && this.#events.agent().path !== undefined)) return;
		for (const server of servers) {
			const local = ++this.#last;
			const relay = new Relay(server, this.#family, {
				allocated: (address, port) => {
					this.#events.relayed(address, port);
					this.#events.agent().addLocal({ id: local, priority: RELAY_PRIORITY }, performance.now());
					this.#events.changed();
				},
				packet: (packet, address, port) => this.#events.packet(packet, { local, address, port }),
				gone: (reason) => {
					this.#relays.delete(local);
					this.#failures.add(reason);
					this.#gone(local, `the relay to the room server is gone: ${reason}`);
				},
			});
			this.#relays.set(local, relay);
		}
	}

	#gone(local: number, message: string): void {
		if (this.#isOver) return;
		this.#events.agent().removeLocal(local);
		if (this.#inUse === local) this.#events.lost(message);
	}
}
