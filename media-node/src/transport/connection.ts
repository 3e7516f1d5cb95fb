import { type Address, StreamFramer } from "@trunkline/sip";
import type { ConnectionLimits } from "./connection-limits.ts";
import type { StreamSocket } from "./stream-socket.ts";

const PING = new Uint8Array([0x0d, 0x0a, 0x0d, 0x0a]);
const PONG = PING.subarray(2);
/** Addresses whose requests went by one connection; a peer has one, and its proxies a few. */
const MOST_ADDRESSES = 64;

export interface ConnectionEvents {
	onMessage(bytes: Uint8Array, connection: Connection): void;
	/** the peer broke the rules: the table closes it */
	onFault(reason: string, connection: Connection): void;
}

/** One TCP or TLS connection: cuts messages off its bytes, queues until it is open, knows since when it waits for what. */
export class Connection {
	readonly id: string;
	/** the other end, by which it is known as a source; `connection` is its own id */
	readonly remote: Address;
	readonly inbound: boolean;
	socket: StreamSocket | undefined;
	readonly #limits: ConnectionLimits;
	readonly #events: ConnectionEvents;
	readonly #framer = new StreamFramer();
	readonly #requestsTo = new Map<string, Address>();
	#queue: Uint8Array[] = [];
	#queuedBytes = 0;
	#open = false;
	#closed = false;
	readonly #since: number;
	#activeAt: number;
	/** first byte of the message that is not whole yet */
	#messageSince: number | undefined;
	#greeted = false;
	#pingedAt: number;
	#pongAwaited = false;
	#pongs = false;

	constructor(init: { id: string; remote: Address; inbound: boolean; limits: ConnectionLimits; events: ConnectionEvents; now: number }) {
		this.id = init.id;
		this.remote = { ...init.remote, connection: init.id };
		this.inbound = init.inbound;
		this.#limits = init.limits;
		this.#events = init.events;
		this.#since = init.now;
		this.#activeAt = init.now;
		this.#pingedAt = init.now;
	}

	/** Where requests went that may still wait for an answer. */
	get requestsTo(): Iterable<Address> {
		return this.#requestsTo.values();
	}

	get isOpen(): boolean {
		return this.#open;
	}

	get queuedBytes(): number {
		return this.#queuedBytes + (this.socket?.queuedBytes ?? 0);
	}

	/** false when more waits than may: the peer does not read, or does not answer. */
	send(bytes: Uint8Array, to: Address, now: number): boolean {
		if (this.queuedBytes + bytes.length > this.#limits.queuedBytes) return false;
		const key = `${to.host} ${to.port}`;
		if (!isResponse(bytes) && this.#requestsTo.size < MOST_ADDRESSES) this.#requestsTo.set(key, to);
		this.#activeAt = now;
		if (this.#open) {
			this.socket?.write(bytes);
			return true;
		}
		this.#queue.push(bytes);
		this.#queuedBytes += bytes.length;
		return true;
	}

	onOpen(now: number): void {
		this.#open = true;
		this.#activeAt = now;
		this.#pingedAt = now;
		for (const bytes of this.#queue) this.socket?.write(bytes);
		this.#queue = [];
		this.#queuedBytes = 0;
	}

	onBytes(chunk: Uint8Array, now: number): void {
		this.#activeAt = now;
		const { items, fault } = this.#framer.push(chunk);
		for (const item of items) {
			if (this.#closed) return;
			if (item.kind === "message") {
				this.#greeted = true;
				this.#messageSince = undefined;
				this.#events.onMessage(item.bytes, this);
			} else if (item.kind === "pong") {
				this.#pongs = true;
				this.#pongAwaited = false;
			} else this.#answerPing();
		}
		if (this.#closed) return;
		this.#messageSince = this.#framer.pending === 0 ? undefined : (this.#messageSince ?? now);
		if (fault !== undefined) this.#events.onFault(fault.detail, this);
	}

	/** Why its time is up, if it is. Sends a ping when one is due. `isHeld`: somebody needs it open; asked when it matters. */
	overdue(now: number, isHeld: () => boolean): string | undefined {
		const { firstMessageMs, messageMs, idleMs, connectMs, pingMs, pongMs } = this.#limits;
		if (!this.inbound && !this.#open) return now - this.#since >= connectMs ? "no connection in time" : undefined;
		if (this.inbound && !this.#greeted && now - this.#since >= firstMessageMs) return "no message in time";
		if (this.#messageSince !== undefined && now - this.#messageSince >= messageMs) return "a message that does not end";
		// RFC 5626 §4.4.1, but of a peer that has never answered a ping nobody knows that it would (RFC 6223).
		if (this.#pongAwaited && this.#pongs && now - this.#pingedAt >= pongMs) return "a ping was not answered";
		const idle = now - this.#activeAt >= idleMs;
		// "the client": whoever opened the connection.
		const pingDue = !this.inbound && now - this.#pingedAt >= pingMs;
		if (!idle && !pingDue) return undefined;
		if (!isHeld()) return idle ? "idle" : undefined;
		if (pingDue) this.#ping(now);
		return undefined;
	}

	close(): void {
		this.#closed = true;
		this.#queue = [];
		this.#queuedBytes = 0;
		this.socket?.destroy();
	}

	#ping(now: number): void {
		this.#pingedAt = now;
		this.#pongAwaited = true;
		this.socket?.write(PING);
	}

	#answerPing(): void {
		// Whoever pings and does not read gets no more pongs than fit.
		if (this.queuedBytes < this.#limits.queuedBytes) this.socket?.write(PONG);
	}
}

function isResponse(bytes: Uint8Array): boolean {
	// "SIP/": a method may not have a slash.
	return bytes[0] === 0x53 && bytes[1] === 0x49 && bytes[2] === 0x50 && bytes[3] === 0x2f;
}
