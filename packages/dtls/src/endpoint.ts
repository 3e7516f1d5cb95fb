import type { DtlsCrypto } from "./crypto.ts";
import { ClientHandshake } from "./handshake/client.ts";
import { type Flight, type Handshake, type HandshakeOptions, type Step } from "./handshake/conversation.ts";
import { ServerHandshake } from "./handshake/server.ts";
import { type DirectionKeys, type Role } from "./key-schedule.ts";
import type { DtlsSrtpKeys } from "./suites.ts";
import { fragmentsOf, Reassembly } from "./wire/fragments.ts";
import { MESSAGE } from "./wire/messages.ts";
import {
	additionalData,
	ALERT,
	APPLICATION_DATA,
	CHANGE_CIPHER_SPEC,
	type DtlsRecord,
	explicitNonce,
	HANDSHAKE,
	recordsOf,
	ReplayWindow,
	writeRecord,
} from "./wire/records.ts";

export interface DtlsEndpointOptions extends HandshakeOptions {
	role: Role;
	crypto: DtlsCrypto;
	/** of a server, default true: see `ServerHandshake` */
	cookieExchange?: boolean;
}

export type DtlsOutput =
	| { kind: "send"; packet: Buffer }
	/** the handshake is over and the peer is who its SDP says; once */
	| { kind: "connected"; keys: DtlsSrtpKeys }
	/** application data; never before `connected` */
	| { kind: "data"; data: Buffer }
	/** it will not come to that, or the peer has ended the association; once, and nothing after it */
	| { kind: "failed"; reason: string };

/** A handshake packet is no longer than this: it fits whatever IPv6 and tunnels carry. */
const MAX_PACKET_BYTES = 1_200;
const RECORD_HEADER_BYTES = 13;
const EXPLICIT_NONCE_BYTES = 8;
const SEALED_OVERHEAD_BYTES = EXPLICIT_NONCE_BYTES + 16;
/** RFC 6347 §4.2.4.1 has a second for paths that nobody knows; audio waits for this one, and signalling has already found the peer alive. Then doubled. */
const FIRST_TIMEOUT_MS = 400;
const LONGEST_TIMEOUT_MS = 4_000;
const MAX_RETRANSMISSIONS = 7;
/** A peer that repeats a flight has lost ours; its flight has several packets, and ours is not said once for each. */
const REPEAT_AFTER_MS = 30;
/** What comes too early because the network has mixed it up. */
const MAX_EARLY = 8;
const CLOSE_NOTIFY = 0;
const FATAL = 2;

/**
 * DTLS 1.2 (RFC 6347) as WebRTC has it: certificates on both sides that signalling announces (RFC 5763), ECDHE, AES-128-GCM, keys for SRTP (RFC 5764), the
 * extended master secret (RFC 7627). No clock, no socket: packets and time (ms) go in, what is to be done comes out. A peer's bytes never throw.
 */
export class DtlsEndpoint {
	readonly #role: Role;
	readonly #handshake: Handshake;
	readonly #outputs: DtlsOutput[] = [];
	readonly #reassembly = new Reassembly();
	readonly #replays = new ReplayWindow();
	/** next record's number, by epoch */
	readonly #sequences = [0, 0];
	readonly #early: DtlsRecord[] = [];
	#keys: Record<Role, DirectionKeys> | undefined;
	#state: "handshaking" | "connected" | "over" = "handshaking";
	#flight: Flight | undefined;
	#flightSentAt = 0;
	#timeoutMs = FIRST_TIMEOUT_MS;
	#retransmissions = 0;
	#timeoutAt: number | undefined;

	constructor(options: DtlsEndpointOptions) {
		this.#role = options.role;
		this.#handshake =
			options.role === "client"
				? new ClientHandshake(options)
				: new ServerHandshake({ ...options, cookieExchange: options.cookieExchange ?? true });
	}

	/** The client's first flight; a server waits for it. */
	start(now: number): void {
		const flight = this.#state === "handshaking" && this.#flight === undefined ? this.#handshake.begin() : undefined;
		if (flight !== undefined) this.#say(flight, now);
	}

	poll(): DtlsOutput | undefined {
		return this.#outputs.shift();
	}

	/** When `timeout` has to be called at the latest; undefined: nothing waits. */
	get timeoutAt(): number | undefined {
		return this.#timeoutAt;
	}

	timeout(now: number): void {
		if (this.#timeoutAt === undefined || now < this.#timeoutAt) return;
		if (++this.#retransmissions > MAX_RETRANSMISSIONS) return this.#fail("the DTLS handshake has failed: the peer does not answer");
		this.#timeoutMs = Math.min(2 * this.#timeoutMs, LONGEST_TIMEOUT_MS);
		this.#transmit(now);
	}

	/** One datagram of the peer, or of anybody who pretends to be it. */
	receive(datagram: Buffer, now: number): void {
		for (const record of recordsOf(datagram)) {
			if (this.#state === "over") return;
			this.#onRecord(record, now);
		}
	}

	/** Application data. False: there is no association. */
	send(data: Buffer): boolean {
		if (this.#state !== "connected") return false;
		this.#outputs.push({ kind: "send", packet: this.#seal(APPLICATION_DATA, data) });
		return true;
	}

	/** Says nothing to the peer: signalling has. */
	close(): void {
		this.#state = "over";
		this.#timeoutAt = undefined;
		this.#flight = undefined;
		this.#early.length = 0;
		this.#outputs.length = 0;
	}

	#onRecord(record: DtlsRecord, now: number): void {
		if (record.epoch === 1) {
			// our keys come with messages that may be behind it, and data may overtake the peer's Finished
			if (this.#keys === undefined) this.#keepEarly(record);
			else this.#onSealed(record, now);
			return;
		}
		// In the clear nothing counts once the handshake is over: anybody could have written it.
		if (record.epoch !== 0 || this.#state !== "handshaking") return;
		if (record.type === HANDSHAKE) this.#onFragments(record.fragment, false, now);
		else if (record.type === ALERT) this.#onAlert(record.fragment);
	}

	#onSealed(record: DtlsRecord, now: number): void {
		if (record.type === APPLICATION_DATA && this.#state === "handshaking") return this.#keepEarly(record);
		const plain = this.#open(record);
		if (plain === undefined) return;
		if (record.type === HANDSHAKE) this.#onFragments(plain, true, now);
		else if (record.type === ALERT) this.#onAlert(plain);
		else if (record.type === APPLICATION_DATA) this.#outputs.push({ kind: "data", data: plain });
	}

	#keepEarly({ fragment, ...record }: DtlsRecord): void {
		// a copy: the datagram's memory is whoever's gave it to us
		if (this.#early.length < MAX_EARLY) this.#early.push({ ...record, fragment: Buffer.from(fragment) });
	}

	#onFragments(bytes: Buffer, isSealed: boolean, now: number): void {
		let isRepeated = false;
		// Finished is the one message that is encrypted, and what is not must not take its place
		const isWanted = (type: number): boolean => (type === MESSAGE.finished) === isSealed;
		this.#reassembly.add(bytes, isWanted, () => (isRepeated = true));
		if (isRepeated && now - this.#flightSentAt >= REPEAT_AFTER_MS) this.#transmit(now);
		for (let message = this.#reassembly.take(); message !== undefined; message = this.#reassembly.take()) {
			if (this.#state !== "handshaking") return;
			const step = this.#handshake.onMessage(message);
			if (step.isForgotten === true) return this.#reassembly.forget(message.sequence);
			this.#take(step, now);
		}
	}

	#take(step: Step, now: number): void {
		if (step.failed !== undefined) return this.#refuse(step.failed.reason, step.failed.alert);
		if (step.keys !== undefined) this.#keys = step.keys;
		if (step.flight !== undefined) this.#say(step.flight, now);
		if (step.connected !== undefined) {
			this.#state = "connected";
			this.#timeoutAt = undefined;
			// The server's last flight is said again when the client repeats its own; the client's is known to have come.
			if (this.#role === "client") this.#flight = undefined;
			this.#outputs.push({ kind: "connected", keys: step.connected });
		}
		if (step.keys !== undefined || step.connected !== undefined) {
			for (const record of this.#early.splice(0)) if (this.#keys !== undefined && !this.#isOver) this.#onSealed(record, now);
		}
	}

	get #isOver(): boolean {
		return this.#state === "over";
	}

	#onAlert(alert: Buffer): void {
		const [level, description] = alert;
		if (alert.length !== 2 || (level !== FATAL && description !== CLOSE_NOTIFY)) return;
		const ended = "the peer has ended the DTLS association";
		this.#fail(this.#state === "connected" ? ended : `the DTLS handshake has failed: ${ended} (alert ${description})`);
	}

	#say(flight: Flight, now: number): void {
		this.#flight = flight;
		this.#timeoutMs = FIRST_TIMEOUT_MS;
		this.#retransmissions = 0;
		this.#transmit(now);
	}

	/** RFC 6347 §4.2.4: records of their own each time, several to a datagram. */
	#transmit(now: number): void {
		if (this.#flight === undefined) return;
		let packet: Buffer[] = [];
		let length = 0;
		const flush = (): void => {
			if (length > 0) this.#outputs.push({ kind: "send", packet: Buffer.concat(packet) });
			packet = [];
			length = 0;
		};
		for (const record of this.#recordsOf(this.#flight)) {
			if (length + record.length > MAX_PACKET_BYTES) flush();
			packet.push(record);
			length += record.length;
		}
		flush();
		this.#flightSentAt = now;
		this.#timeoutAt = this.#flight.isAnswered ? now + this.#timeoutMs : undefined;
	}

	*#recordsOf({ items }: Flight): Generator<Buffer> {
		const room = MAX_PACKET_BYTES - RECORD_HEADER_BYTES - SEALED_OVERHEAD_BYTES;
		let isSealed = false;
		for (const item of items) {
			if (item === "change-cipher-spec") {
				yield this.#clear(CHANGE_CIPHER_SPEC, Buffer.from([1]));
				isSealed = true;
			} else {
				for (const fragment of fragmentsOf(item, room)) yield isSealed ? this.#seal(HANDSHAKE, fragment) : this.#clear(HANDSHAKE, fragment);
			}
		}
	}

	#clear(type: number, fragment: Buffer): Buffer {
		return writeRecord({ type, epoch: 0, sequence: this.#nextSequence(0), fragment });
	}

	/** RFC 5288 §3 */
	#seal(type: number, plain: Buffer): Buffer {
		const keys = this.#keys?.[this.#role];
		if (keys === undefined) throw new Error("something is to be encrypted before there are keys");
		const header = { type, epoch: 1, sequence: this.#nextSequence(1) };
		const explicit = explicitNonce(1, header.sequence);
		const sealed = keys.aead.seal(Buffer.concat([keys.salt, explicit]), additionalData(header, plain.length), plain);
		return writeRecord({ ...header, fragment: Buffer.concat([explicit, sealed]) });
	}

	/** Undefined: forged, or there before. */
	#open(record: DtlsRecord): Buffer | undefined {
		const keys = this.#keys?.[this.#role === "client" ? "server" : "client"];
		const length = record.fragment.length - SEALED_OVERHEAD_BYTES;
		if (keys === undefined || length < 0 || !this.#replays.isNew(record.sequence)) return undefined;
		const nonce = Buffer.concat([keys.salt, record.fragment.subarray(0, EXPLICIT_NONCE_BYTES)]);
		const plain = keys.aead.open(nonce, additionalData(record, length), record.fragment.subarray(EXPLICIT_NONCE_BYTES));
		if (plain !== undefined) this.#replays.take(record.sequence);
		return plain;
	}

	#nextSequence(epoch: 0 | 1): number {
		const sequence = this.#sequences[epoch] ?? 0;
		this.#sequences[epoch] = sequence + 1;
		return sequence;
	}

	/** The peer is told, once and without a guarantee (RFC 5246 §7.2.2). */
	#refuse(reason: string, alert: number): void {
		const bytes = Buffer.from([FATAL, alert]);
		this.#outputs.push({ kind: "send", packet: this.#keys === undefined ? this.#clear(ALERT, bytes) : this.#seal(ALERT, bytes) });
		this.#fail(reason);
	}

	#fail(reason: string): void {
		this.#state = "over";
		this.#timeoutAt = undefined;
		this.#flight = undefined;
		this.#early.length = 0;
		this.#outputs.push({ kind: "failed", reason });
	}
}
