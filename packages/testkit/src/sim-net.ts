import { createHash, createHmac } from "node:crypto";
import {
	type Address,
	type EndpointOptions,
	type Hashes,
	type Machine,
	SipEndpoint,
	type SipEvent,
	type SipInput,
	type SipOutput,
} from "@trunkline/sip";
import type { SimClock } from "./sim-clock.ts";

/** mulberry32: the same seed gives the same numbers in 0..1 on every machine. */
export function seededRandom(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
	};
}

/** n bytes from a number generator, for machines that take random bytes as an argument. */
export function seededBytes(random: () => number): (n: number) => Uint8Array {
	return (n) => Uint8Array.from({ length: n }, () => Math.floor(random() * 256));
}

export interface SimPacket {
	/** ms, when it was sent */
	at: number;
	from: Address;
	to: Address;
	bytes: Uint8Array;
}

export interface SimNetOptions {
	/** seed of loss, delay and duplication; print it when a test fails */
	seed?: number;
	/** probability 0..1 that a packet never arrives */
	loss?: number;
	/** probability 0..1 that a packet arrives twice */
	duplicate?: number;
	/** each copy takes a time drawn evenly from this range; packets overtake each other when it is wide. Default 1 ms, always. */
	delay?: readonly [least: number, most: number];
}

/** A datagram network in simulated time; the same seed gives the same fate to every packet. */
export class SimNet {
	/** all packets that were sent, lost ones too */
	readonly sent: SimPacket[] = [];
	/** false loses the packet; for tests that need one certain packet lost */
	filter: (packet: SimPacket) => boolean = () => true;
	readonly #clock: SimClock;
	readonly #options: SimNetOptions;
	readonly #random: () => number;
	readonly #receivers = new Map<string, (packet: SimPacket) => void>();

	constructor(clock: SimClock, options: SimNetOptions = {}) {
		this.#clock = clock;
		this.#options = options;
		this.#random = seededRandom(options.seed ?? 1);
	}

	bind(address: Address, receive: (packet: SimPacket) => void): void {
		this.#receivers.set(keyOf(address), receive);
	}

	send(from: Address, to: Address, bytes: Uint8Array): void {
		const packet = { at: this.#clock.now(), from, to, bytes };
		this.sent.push(packet);
		const { loss = 0, duplicate = 0 } = this.#options;
		// Always the same number of draws for a packet, so that a changed option changes no other packet's fate.
		const [lost, twice, first, second] = [this.#random() < loss, this.#random() < duplicate, this.#delay(), this.#delay()];
		if (lost || !this.filter(packet)) return;
		this.#deliver(packet, first);
		if (twice) this.#deliver(packet, second);
	}

	#deliver(packet: SimPacket, delay: number): void {
		this.#clock.wakeAt(this.#clock.now() + delay, () => this.#receivers.get(keyOf(packet.to))?.(packet));
	}

	#delay(): number {
		const [least, most] = this.#options.delay ?? [1, 1];
		return least + this.#random() * (most - least);
	}
}

/** Drives one SIP machine on a SimNet, as a socket and a clock would. */
export class SimHost<M extends Machine<SipInput, SipOutput> = Machine<SipInput, SipOutput>> {
	readonly events: SipEvent[] = [];
	readonly machine: M;
	readonly address: Address;
	/** called for each event, after it was recorded; may call `handle` */
	onEvent: (event: SipEvent) => void = () => {};
	readonly #clock: SimClock;
	readonly #net: SimNet;
	#cancelWake: () => void = () => {};
	#wakeAt: number | undefined;
	#draining = false;

	constructor(clock: SimClock, net: SimNet, address: Address, machine: M) {
		this.#clock = clock;
		this.#net = net;
		this.address = address;
		this.machine = machine;
		net.bind(address, (packet) => this.handle({ kind: "received", bytes: packet.bytes, remote: packet.from, local: address }));
	}

	handle(input: SipInput): void {
		this.machine.handle(input, this.#clock.now());
		this.#drain();
	}

	/** Events of one type. */
	of<T extends SipEvent["type"]>(type: T): Extract<SipEvent, { type: T }>[] {
		return this.events.filter((event): event is Extract<SipEvent, { type: T }> => event.type === type);
	}

	#drain(): void {
		if (this.#draining) return;
		this.#draining = true;
		for (let output = this.machine.pollOutput(); output !== undefined; output = this.machine.pollOutput()) {
			if (output.kind === "transmit") {
				this.#net.send(this.address, output.to, output.bytes);
				continue;
			}
			this.events.push(output.event);
			this.onEvent(output.event);
		}
		this.#draining = false;
		this.#sleep();
	}

	#sleep(): void {
		const next = this.machine.nextTimeout();
		if (next === this.#wakeAt) return;
		this.#cancelWake();
		this.#cancelWake = () => {};
		this.#wakeAt = next;
		if (next === undefined) return;
		this.#cancelWake = this.#clock.wakeAt(next, () => {
			this.#wakeAt = undefined;
			this.machine.handleTimeout(this.#clock.now());
			this.#drain();
		});
	}
}

export const nodeHashes: Hashes = {
	md5: (data) => createHash("md5").update(data).digest(),
	sha512t256: (data) => createHash("sha512-256").update(data).digest(),
	sha256: (data) => createHash("sha256").update(data).digest(),
	hmacSha256: (key, data) => createHmac("sha256", key).update(data).digest(),
};

/** A whole SIP endpoint on a SimNet; its random bytes follow from its address. */
export function simEndpoint(clock: SimClock, net: SimNet, address: Address, options: Partial<EndpointOptions> = {}): SimHost<SipEndpoint> {
	const seed = [...`${address.host}:${address.port}`].reduce((sum, character) => sum * 31 + character.charCodeAt(0), 7);
	const endpoint = new SipEndpoint({
		userAgent: "sim",
		contact: { host: address.host, port: address.port },
		random: seededBytes(seededRandom(seed)),
		hashes: nodeHashes,
		...options,
	});
	return new SimHost(clock, net, address, endpoint);
}

function keyOf(address: Address): string {
	return `${address.transport} ${address.host} ${address.port}`;
}
