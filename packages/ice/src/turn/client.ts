import { addressBytes, equalBytes, readUint16 } from "../bytes.ts";
import { type HmacSha1, integrityHolds, NO_INTEGRITY, transactionOf } from "../stun.ts";
import { ALLOCATE, CHANNEL_BIND, CHANNEL_HEADER_BYTES, CHANNELS, CREATE_PERMISSION, type Credentials, FIRST_CHANNEL } from "./message.ts";
import { channelNumber, lifetime, longTermSecret, parseData, parseTurnResponse, peerAddress, REFRESH } from "./message.ts";
import { requestedIpv6, requestedTransportUdp, sendIndication, type TurnResponse, turnRequest, writeChannelHeader } from "./message.ts";

export interface TurnClientOptions {
	username: string;
	password: string;
	/** TCP or TLS towards the server: nothing is repeated, and ChannelData is padded */
	isStream: boolean;
	/** of the relayed address, and of the peers that it reaches */
	family: 4 | 6;
	random(length: number): Uint8Array;
	hmacSha1: HmacSha1;
	md5(bytes: Uint8Array): Uint8Array;
	/** from a peer that we sent to before; `data` is memory of the packet that came */
	onData(data: Uint8Array, address: string, port: number): void;
}

export type TurnOutput =
	/** to the server */
	| { kind: "send"; packet: Uint8Array }
	/** the relayed address is there, once */
	| { kind: "allocated"; address: string; port: number }
	/** there is none (any more), once; nothing comes after it */
	| { kind: "failed"; reason: string }
	/** the end of `close` */
	| { kind: "closed" };

interface Request {
	method: number;
	attributes(transaction: Uint8Array): Uint8Array[];
	onSuccess(response: TurnResponse, now: number): void;
	/** `wasAnswered`: the server has refused, and proved that it is the server; otherwise nobody has answered */
	onFailure(reason: string, now: number, wasAnswered: boolean): void;
	packet: Uint8Array;
	isSigned: boolean;
	challenges: number;
	attempt: number;
	nextAt: number;
	/** an error that nobody has signed: no answer, but what to say when there is none */
	heard: string | undefined;
}

interface Permission {
	address: string;
	bytes: Uint8Array;
	state: "asked" | "there" | "refused";
	expiresAt: number;
	refreshAt: number;
	/** since it was asked for last */
	isUsed: boolean;
	/** the newest packet for each port that came while it was asked for */
	held: Map<number, Uint8Array>;
}

interface Channel {
	address: string;
	port: number;
	number: number;
	permission: Permission;
	isBound: boolean;
	expiresAt: number;
	refreshAt: number;
}

/** RFC 8489 §6.2.1 has 500 ms; WebRTC implementations ask earlier, and a call waits for it. */
const FIRST_RTO_MS = 250;
const MAX_ATTEMPTS = 7;
/** §6.2.1, Rm: after the last one, in first RTOs */
const LAST_WAIT = 16;
/** §6.2.2 has 39.5 s; a server that has accepted the connection is there. */
const STREAM_TIMEOUT_MS = 10_000;
/** A server that finds every nonce stale is none. */
const MAX_CHALLENGES = 4;
/** RFC 8656 §9 and §12: five and ten minutes; both are asked for again a minute before */
const PERMISSION_MS = 300_000;
const CHANNEL_MS = 600_000;
const MARGIN_MS = 60_000;
const LONGEST_LIFETIME_SECONDS = 3_600;
const SHORTEST_REFRESH_MS = 1_000;
/** What a description names is a stranger's. */
const MAX_PEERS = 32;
const MAX_HELD = 4;
/** Who ends a call does not wait for a server that is gone. */
const CLOSE_WITHIN_MS = 1_000;

/**
 * A client of a TURN server (RFC 8656) with one allocation over UDP, TCP or TLS; the credentials are long-term ones with SHA-1 (RFC 8489 §9.2). No clock and no
 * sockets: what comes from the server and time (ms) go in, what goes to the server comes out of `poll`.
 */
export class TurnClient {
	readonly #options: TurnClientOptions;
	readonly #requests = new Map<string, Request>();
	readonly #permissions: Permission[] = [];
	readonly #channels: Channel[] = [];
	readonly #outputs: TurnOutput[] = [];
	#credentials: Credentials | undefined;
	#state: "idle" | "allocating" | "allocated" | "over" = "idle";
	#refreshAt = Number.POSITIVE_INFINITY;
	#expiresAt = Number.POSITIVE_INFINITY;
	/** `close` was called, and until then there is time to say so */
	#closeBy: number | undefined;

	constructor(options: TurnClientOptions) {
		this.#options = options;
	}

	poll(): TurnOutput | undefined {
		return this.#outputs.shift();
	}

	/** When `tick` has something to do; undefined: never. */
	get nextAt(): number | undefined {
		if (this.#state === "over" || this.#state === "idle") return undefined;
		let at = Math.min(this.#refreshAt, this.#expiresAt, this.#closeBy ?? Number.POSITIVE_INFINITY);
		for (const { nextAt } of this.#requests.values()) at = Math.min(at, nextAt);
		if (this.#closeBy === undefined) for (const { refreshAt } of [...this.#permissions, ...this.#channels]) at = Math.min(at, refreshAt);
		return at;
	}

	/** §7.1: the first request shows which credentials the server wants. */
	start(now: number): void {
		if (this.#state !== "idle") return;
		this.#state = "allocating";
		const family = this.#options.family === 6 ? [requestedIpv6()] : [];
		this.#request(
			ALLOCATE,
			() => [requestedTransportUdp(), ...family],
			(response, at) => this.#onAllocated(response, at),
			(reason) => this.#fail(reason),
			now,
		);
	}

	tick(now: number): void {
		if (this.#state === "over" || this.#state === "idle") return;
		if (this.#closeBy !== undefined && now >= this.#closeBy) return this.#end();
		if (now >= this.#expiresAt) return this.#fail("the allocation has expired");
		for (const [name, request] of this.#requests) if (now >= request.nextAt) this.#repeat(name, request, now);
		if (this.#closeBy !== undefined) return;
		if (now >= this.#refreshAt) this.#refresh(now);
		for (const permission of this.#permissions) if (now >= permission.refreshAt) this.#keepPermission(permission, now);
		for (const channel of this.#channels) if (now >= channel.refreshAt) this.#keepChannel(channel, now);
	}

	/** One message of the server: a datagram, or one of the stream. */
	receive(packet: Uint8Array, now: number): void {
		if (this.#state === "over") return;
		const first = packet[0] ?? 0xff;
		if (first >>> 6 === 1) return this.#onChannelData(packet);
		if (first > 3) return;
		const data = parseData(packet);
		if (data !== undefined) return this.#onData(data.address, data.port, data.data);
		this.#onResponse(packet, now);
	}

	/**
	 * What to send to the server for a packet to a peer: on a channel where there is one, in an indication otherwise (§11.1). Undefined: nothing now; the first
	 * packets to an address wait for its permission.
	 */
	wrap(packet: Uint8Array, address: string, port: number, now: number): Uint8Array | undefined {
		if (this.#state !== "allocated" || this.#closeBy !== undefined) return undefined;
		const channel = this.#boundTo(address, port);
		if (channel !== undefined) {
			const framed = new Uint8Array(CHANNEL_HEADER_BYTES + packet.length + 3);
			framed.set(packet, CHANNEL_HEADER_BYTES);
			// the channel may have outlived it
			this.#permit(address, now);
			channel.permission.isUsed = true;
			return framed.subarray(0, writeChannelHeader(framed, channel.number, packet.length, this.#options.isStream));
		}
		const permission = this.#permit(address, now);
		if (permission === undefined || permission.state === "refused") return undefined;
		if (permission.state === "there") {
			permission.isUsed = true;
			return sendIndication(this.#options.random(12), address, port, packet);
		}
		if (permission.held.size < MAX_HELD || permission.held.has(port)) permission.held.set(port, Uint8Array.from(packet));
		return undefined;
	}

	/**
	 * The same for `length` bytes that stand behind four free ones, with three after them: the header is written in front. Gives how many bytes of `buffer` go to
	 * the server; 0: there is no channel, see `wrap`.
	 */
	wrapInPlace(buffer: Uint8Array, length: number, address: string, port: number): number {
		if (this.#closeBy !== undefined) return 0;
		const channel = this.#boundTo(address, port);
		if (channel === undefined) return 0;
		channel.permission.isUsed = true;
		return writeChannelHeader(buffer, channel.number, length, this.#options.isStream);
	}

	/** Asks for a channel to a peer that much is going to be sent to (§12). */
	bind(address: string, port: number, now: number): void {
		if (this.#state !== "allocated" || this.#closeBy !== undefined) return;
		if (this.#channels.some((each) => each.port === port && each.address === address)) return;
		const permission = this.#permit(address, now);
		if (permission === undefined || this.#channels.length >= Math.min(MAX_PEERS, CHANNELS)) return;
		const channel: Channel = {
			...{ address, port, number: FIRST_CHANNEL + this.#channels.length, permission, isBound: false },
			...{ expiresAt: 0, refreshAt: Number.POSITIVE_INFINITY },
		};
		this.#channels.push(channel);
		this.#askChannel(channel, now);
	}

	/** Gives the allocation back (§8: a Refresh with lifetime 0); `closed` comes when the server knows, or after a second. */
	close(now: number): void {
		if (this.#state === "over" || this.#closeBy !== undefined) return;
		const isAsked = [...this.#requests.values()].some(({ method, isSigned }) => method === ALLOCATE && isSigned);
		// a stream that ends takes its allocation along, but a server's load balancer may not end it at once
		if (this.#state === "idle" || (this.#state === "allocating" && !isAsked)) return this.#end();
		this.#closeBy = now + CLOSE_WITHIN_MS;
		if (this.#state === "allocated") this.#giveBack(now);
	}

	#giveBack(now: number): void {
		this.#requests.clear();
		this.#refreshAt = Number.POSITIVE_INFINITY;
		const end = (): void => this.#end();
		this.#request(REFRESH, () => [lifetime(0)], end, end, now);
	}

	#onAllocated(response: TurnResponse, now: number): void {
		if (response.relayed === undefined || (response.lifetimeSeconds ?? 0) === 0) return this.#fail("its answer has no relayed address");
		this.#state = "allocated";
		this.#lasts(response, now);
		if (this.#closeBy !== undefined) return this.#giveBack(now);
		this.#outputs.push({ kind: "allocated", ...response.relayed });
	}

	#lasts(response: TurnResponse, now: number): void {
		const lasting = Math.min(response.lifetimeSeconds ?? 600, LONGEST_LIFETIME_SECONDS) * 1_000;
		this.#expiresAt = now + lasting;
		this.#refreshAt = now + Math.max(SHORTEST_REFRESH_MS, lasting - Math.min(MARGIN_MS, lasting / 2));
	}

	#refresh(now: number): void {
		this.#refreshAt = Number.POSITIVE_INFINITY;
		this.#request(
			REFRESH,
			() => [],
			(response, at) => {
				if (response.lifetimeSeconds === 0) this.#fail("the server has ended the allocation");
				else this.#lasts(response, at);
			},
			(reason, at, wasAnswered) => {
				if (wasAnswered) this.#fail(reason);
				// the network may be back before the allocation ends
				else this.#refresh(at);
			},
			now,
		);
	}

	#permit(address: string, now: number): Permission | undefined {
		const known = this.#permissions.find((each) => each.address === address);
		if (known !== undefined && known.state === "there" && now >= known.expiresAt) {
			known.state = "asked";
			this.#askPermission(known, now);
		}
		if (known !== undefined) return known;
		const bytes = addressBytes(address);
		if (bytes.length !== (this.#options.family === 6 ? 16 : 4) || this.#permissions.length >= MAX_PEERS) return undefined;
		const permission: Permission = {
			...{ address, bytes, state: "asked", expiresAt: 0, refreshAt: Number.POSITIVE_INFINITY, isUsed: true, held: new Map() },
		};
		this.#permissions.push(permission);
		this.#askPermission(permission, now);
		return permission;
	}

	#askPermission(permission: Permission, now: number): void {
		permission.isUsed = false;
		permission.refreshAt = Number.POSITIVE_INFINITY;
		this.#request(
			CREATE_PERMISSION,
			(transaction) => [peerAddress(permission.address, 0, transaction)],
			() => this.#onPermitted(permission, now),
			() => {
				permission.state = "refused";
				permission.held.clear();
			},
			now,
		);
	}

	/** From when it was asked for: the server's time began later. */
	#onPermitted(permission: Permission, askedAt: number): void {
		permission.state = "there";
		permission.expiresAt = askedAt + PERMISSION_MS;
		permission.refreshAt = permission.expiresAt - MARGIN_MS;
		for (const [port, packet] of permission.held)
			this.#outputs.push({ kind: "send", packet: sendIndication(this.#options.random(12), permission.address, port, packet) });
		permission.held.clear();
	}

	/** One that nothing was sent by for minutes is left to expire; `wrap` asks for it again. */
	#keepPermission(permission: Permission, now: number): void {
		permission.refreshAt = Number.POSITIVE_INFINITY;
		if (permission.isUsed) this.#askPermission(permission, now);
	}

	#keepChannel(channel: Channel, now: number): void {
		channel.refreshAt = Number.POSITIVE_INFINITY;
		if (now < channel.expiresAt) return this.#askChannel(channel, now);
		channel.isBound = false;
	}

	#askChannel(channel: Channel, now: number): void {
		this.#request(
			CHANNEL_BIND,
			(transaction) => [channelNumber(channel.number), peerAddress(channel.address, channel.port, transaction)],
			() => {
				channel.isBound = true;
				channel.expiresAt = now + CHANNEL_MS;
				channel.refreshAt = channel.expiresAt - MARGIN_MS;
				// §12.2: a channel is a permission, too
				this.#onPermitted(channel.permission, now);
			},
			() => {
				// indications do as well
				channel.isBound = false;
			},
			now,
		);
	}

	#boundTo(address: string, port: number): Channel | undefined {
		for (const channel of this.#channels) if (channel.port === port && channel.isBound && channel.address === address) return channel;
		return undefined;
	}

	#onChannelData(packet: Uint8Array): void {
		if (packet.length < CHANNEL_HEADER_BYTES) return;
		const channel = this.#channels[readUint16(packet, 0) - FIRST_CHANNEL];
		const end = CHANNEL_HEADER_BYTES + readUint16(packet, 2);
		if (channel === undefined || end > packet.length) return;
		this.#options.onData(packet.subarray(CHANNEL_HEADER_BYTES, end), channel.address, channel.port);
	}

	#onData(from: Uint8Array, port: number, data: Uint8Array): void {
		const permission = this.#permissions.find(({ bytes }) => equalBytes(bytes, from));
		if (permission !== undefined) this.#options.onData(data, permission.address, port);
	}

	#request(
		method: number,
		attributes: Request["attributes"],
		onSuccess: Request["onSuccess"],
		onFailure: Request["onFailure"],
		now: number,
	): void {
		if (this.#state === "over") return;
		const request: Request = {
			...{ method, attributes, onSuccess, onFailure, packet: new Uint8Array(0), isSigned: false, challenges: 0 },
			...{ attempt: 0, nextAt: now, heard: undefined },
		};
		this.#begin(request, now);
	}

	/** Under a transaction of its own, with what is known of the server's credentials by now. */
	#begin(request: Request, now: number): void {
		const transaction = this.#options.random(12);
		request.packet = turnRequest(request.method, transaction, request.attributes(transaction), this.#credentials);
		request.isSigned = this.#credentials !== undefined;
		request.attempt = 0;
		const name = transactionOf(request.packet);
		this.#requests.set(name, request);
		this.#repeat(name, request, now);
	}

	#repeat(name: string, request: Request, now: number): void {
		if (request.attempt >= (this.#options.isStream ? 1 : MAX_ATTEMPTS)) {
			this.#requests.delete(name);
			return request.onFailure(request.heard ?? "the server does not answer", now, false);
		}
		request.attempt += 1;
		const wait = request.attempt === MAX_ATTEMPTS ? LAST_WAIT : 2 ** (request.attempt - 1);
		request.nextAt = now + (this.#options.isStream ? STREAM_TIMEOUT_MS : FIRST_RTO_MS * wait);
		this.#outputs.push({ kind: "send", packet: request.packet });
	}

	#onResponse(packet: Uint8Array, now: number): void {
		const response = parseTurnResponse(packet);
		const request = response === undefined ? undefined : this.#requests.get(response.transaction);
		if (response === undefined || request === undefined || (readUint16(packet, 0) & ~0x110) !== request.method) return;
		const isProved =
			this.#credentials !== undefined &&
			response.integrityOffset !== NO_INTEGRITY &&
			integrityHolds(packet, response, this.#credentials.hmac);
		const { errorCode } = response;
		if (errorCode === undefined) {
			// RFC 8489 §9.2.5: without the proof, it has not come
			if (!isProved) return;
			this.#requests.delete(response.transaction);
			return request.onSuccess(response, now);
		}
		const text = `the server says ${errorCode} ${response.reason}`.trim();
		if ((errorCode === 401 || errorCode === 438) && this.#onChallenge(request, response, now, text)) return;
		// Whoever guesses no transaction cannot say it either, before there are credentials; afterwards it has to be proved.
		if (isProved || !request.isSigned) {
			this.#requests.delete(response.transaction);
			request.onFailure(text, now, true);
		} else request.heard = text;
	}

	/** RFC 8489 §9.2.5. Neither answer is signed: the server cannot know with what. True: that was all. */
	#onChallenge(request: Request, response: TurnResponse, now: number, text: string): boolean {
		const { realm, nonce } = response;
		if (nonce === undefined) return false;
		if (request.isSigned && response.errorCode === 401) {
			// the credentials are not accepted; what is there already does not end by what anybody could have written
			request.heard = text;
			if (request.method !== ALLOCATE) return true;
			this.#requests.delete(response.transaction);
			request.onFailure(text, now, true);
			return true;
		}
		const known = this.#credentials;
		if (known === undefined && realm === undefined) return false;
		this.#requests.delete(response.transaction);
		request.challenges += 1;
		if (request.challenges > MAX_CHALLENGES) request.onFailure(text, now, true);
		else {
			this.#credentials = known === undefined ? this.#credentialsFor(realm ?? nonce, nonce) : { ...known, nonce };
			this.#begin(request, now);
		}
		return true;
	}

	#credentialsFor(realm: Uint8Array, nonce: Uint8Array): Credentials {
		const { username, password, md5, hmacSha1 } = this.#options;
		return { username, realm, nonce, hmac: hmacSha1(md5(longTermSecret(username, realm, password))) };
	}

	#fail(reason: string): void {
		if (this.#state === "over") return;
		if (this.#closeBy !== undefined) return this.#end();
		this.#stop();
		this.#outputs.push({ kind: "failed", reason });
	}

	#end(): void {
		this.#stop();
		this.#outputs.push({ kind: "closed" });
	}

	#stop(): void {
		this.#state = "over";
		this.#requests.clear();
		this.#channels.length = 0;
		this.#permissions.length = 0;
	}
}
