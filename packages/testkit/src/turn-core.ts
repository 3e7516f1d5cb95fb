/** What a TURN server does (RFC 8656), without sockets and clock. Its reading and writing of messages is its own, so that tests do not compare a codec with itself. */
import { createHash, createHmac } from "node:crypto";

export interface TurnRelay {
	address: string;
	port: number;
	send(data: Buffer, address: string, port: number): void;
	close(): void;
}

/** Who a client is: its five-tuple, and the way back to it. */
export interface TurnClientLink {
	send(message: Buffer): void;
}

export interface TurnCoreOptions {
	/** user → password */
	users: Record<string, string>;
	realm?: string;
	/** of allocations, at most; default 600 */
	lifetimeSeconds?: number;
	/** ms */
	now(): number;
	openRelay(onPacket: (data: Buffer, address: string, port: number) => void, opened: (relay: TurnRelay) => void): void;
	/** default: anybody */
	isPermitted?(address: string): boolean;
}

interface Allocation {
	relay: TurnRelay;
	key: Buffer;
	expiresAt: number;
	/** address → until */
	permissions: Map<string, number>;
	/** number → peer */
	channels: Map<number, { address: string; port: number; until: number }>;
}

type Succeed = (values: Buffer[]) => void;
type Refuse = (code: number, reason: string) => void;

const COOKIE = 0x2112a442;
const PERMISSION_MS = 300_000;
const CHANNEL_MS = 600_000;
const ALLOCATE = 3;
const REFRESH = 4;
const SEND = 0x16;
const CREATE_PERMISSION = 8;
const CHANNEL_BIND = 9;

/** IPv4 alone. */
export class TurnCore {
	readonly counts = {
		allocations: 0,
		refreshes: 0,
		permissions: 0,
		channelBinds: 0,
		indications: 0,
		channelData: 0,
		released: 0,
		toClient: 0,
	};
	readonly #options: TurnCoreOptions;
	readonly #allocations = new Map<TurnClientLink, Allocation>();
	readonly #opening = new Set<TurnClientLink>();
	/** transaction → answer, for requests that come twice (RFC 8489 §6.3.1) */
	readonly #answered = new Map<string, Buffer>();
	#nonce = 1;

	constructor(options: TurnCoreOptions) {
		this.#options = options;
	}

	get live(): number {
		return [...this.#allocations.values()].filter(({ expiresAt }) => expiresAt > this.#options.now()).length;
	}

	/** From now on the nonces that clients have are stale. */
	expireNonces(): void {
		this.#nonce += 1;
	}

	/** As if the server had been started anew. */
	forget(): void {
		for (const client of [...this.#allocations.keys()]) this.gone(client);
	}

	/** A client's connection has ended. */
	gone(client: TurnClientLink): void {
		this.#allocations.get(client)?.relay.close();
		this.#allocations.delete(client);
	}

	receive(client: TurnClientLink, message: Buffer): void {
		if (message.length < 4) return;
		if ((message[0] ?? 0) >>> 6 === 1) return this.#onChannelData(client, message);
		if (message.length < 20 || message.readUInt32BE(4) !== COOKIE || message.readUInt16BE(2) + 20 !== message.length) return;
		const method = message.readUInt16BE(0);
		const attributes = readAttributes(message);
		if (method === SEND) return this.#onSend(client, attributes);
		const transaction = message.subarray(8, 20);
		const name = transaction.toString("hex");
		const before = this.#answered.get(name);
		if (before !== undefined) return client.send(before);
		const answer = (reply: Buffer): void => {
			this.#answered.set(name, reply);
			client.send(reply);
		};
		const refuse = (code: number, reason: string, key?: Buffer): void => {
			const challenge = key === undefined ? [tlv(0x14, this.#realm), tlv(0x15, String(this.#nonce))] : [];
			const error = Buffer.concat([Buffer.from([0, 0, Math.floor(code / 100), code % 100]), Buffer.from(reason)]);
			answer(compose(method | 0x110, transaction, [tlv(9, error), ...challenge], key));
		};
		const user = attributes.get(6)?.toString();
		const password = user === undefined ? undefined : this.#options.users[user];
		if (!attributes.has(8) || password === undefined) return refuse(401, "Unauthorized");
		const key = createHash("md5").update(`${user}:${this.#realm}:${password}`).digest();
		if (!integrityHolds(message, key)) return refuse(401, "Unauthorized");
		if (attributes.get(0x15)?.toString() !== String(this.#nonce)) return refuse(438, "Stale Nonce");
		const succeed = (values: Buffer[]): void => answer(compose(method | 0x100, transaction, values, key));
		this.#onRequest(client, method, attributes, key, succeed, (code, reason) => refuse(code, reason, key));
	}

	#onRequest(client: TurnClientLink, method: number, attributes: Map<number, Buffer>, key: Buffer, succeed: Succeed, refuse: Refuse): void {
		if (method === ALLOCATE) return this.#onAllocate(client, key, succeed, refuse);
		const allocation = this.#allocationOf(client);
		if (allocation === undefined) return refuse(437, "Allocation Mismatch");
		const peer = attributes.get(0x12);
		if (method === REFRESH) this.#onRefresh(client, allocation, attributes.get(0x0d), succeed);
		else if (peer === undefined || (method !== CREATE_PERMISSION && method !== CHANNEL_BIND)) refuse(400, "Bad Request");
		else this.#onPeer(allocation, readPeer(peer), method === CHANNEL_BIND ? attributes.get(0x0c) : undefined, succeed, refuse);
	}

	get #realm(): string {
		return this.#options.realm ?? "test.example";
	}

	get #lifetimeSeconds(): number {
		return this.#options.lifetimeSeconds ?? 600;
	}

	#allocationOf(client: TurnClientLink): Allocation | undefined {
		const allocation = this.#allocations.get(client);
		if (allocation === undefined || allocation.expiresAt > this.#options.now()) return allocation;
		this.gone(client);
		return undefined;
	}

	#onAllocate(client: TurnClientLink, key: Buffer, succeed: Succeed, refuse: Refuse): void {
		// the same request again, while the port is being opened
		if (this.#opening.has(client)) return;
		if (this.#allocationOf(client) !== undefined) return refuse(437, "Allocation Mismatch");
		this.#opening.add(client);
		this.#options.openRelay(
			(data, address, port) => this.#onPeerPacket(client, data, address, port),
			(relay) => {
				this.#opening.delete(client);
				this.counts.allocations += 1;
				const expiresAt = this.#options.now() + this.#lifetimeSeconds * 1_000;
				this.#allocations.set(client, { relay, key, expiresAt, permissions: new Map(), channels: new Map() });
				succeed([tlv(0x16, peerValue(relay.address, relay.port)), tlv(0x0d, seconds(this.#lifetimeSeconds))]);
			},
		);
	}

	#onRefresh(client: TurnClientLink, allocation: Allocation, asked: Buffer | undefined, succeed: (values: Buffer[]) => void): void {
		const lasting = Math.min(asked?.readUInt32BE(0) ?? this.#lifetimeSeconds, this.#lifetimeSeconds);
		allocation.expiresAt = this.#options.now() + lasting * 1_000;
		if (lasting === 0) {
			this.counts.released += 1;
			this.gone(client);
		} else this.counts.refreshes += 1;
		succeed([tlv(0x0d, seconds(lasting))]);
	}

	#onPeer(
		allocation: Allocation,
		peer: { address: string; port: number },
		channel: Buffer | undefined,
		succeed: Succeed,
		refuse: Refuse,
	): void {
		if (this.#options.isPermitted?.(peer.address) === false) return refuse(403, "Forbidden");
		const now = this.#options.now();
		if (channel === undefined) this.counts.permissions += 1;
		else {
			const number = channel.readUInt16BE(0);
			const bound = allocation.channels.get(number);
			const isOther = bound !== undefined && bound.until > now && (bound.address !== peer.address || bound.port !== peer.port);
			if (number < 0x4000 || number > 0x4fff || isOther) return refuse(400, "Bad Request");
			this.counts.channelBinds += 1;
			allocation.channels.set(number, { ...peer, until: now + CHANNEL_MS });
		}
		allocation.permissions.set(peer.address, now + PERMISSION_MS);
		succeed([]);
	}

	#onSend(client: TurnClientLink, attributes: Map<number, Buffer>): void {
		const [allocation, peer, data] = [this.#allocationOf(client), attributes.get(0x12), attributes.get(0x13)];
		if (allocation === undefined || peer === undefined || data === undefined) return;
		const { address, port } = readPeer(peer);
		if ((allocation.permissions.get(address) ?? 0) <= this.#options.now()) return;
		this.counts.indications += 1;
		allocation.relay.send(data, address, port);
	}

	#onChannelData(client: TurnClientLink, message: Buffer): void {
		const allocation = this.#allocationOf(client);
		const channel = allocation?.channels.get(message.readUInt16BE(0));
		const end = 4 + message.readUInt16BE(2);
		const now = this.#options.now();
		if (allocation === undefined || channel === undefined || end > message.length || channel.until <= now) return;
		if ((allocation.permissions.get(channel.address) ?? 0) <= now) return;
		this.counts.channelData += 1;
		allocation.relay.send(message.subarray(4, end), channel.address, channel.port);
	}

	#onPeerPacket(client: TurnClientLink, data: Buffer, address: string, port: number): void {
		const allocation = this.#allocationOf(client);
		const now = this.#options.now();
		if (allocation === undefined || (allocation.permissions.get(address) ?? 0) <= now) return;
		this.counts.toClient += 1;
		const channel = [...allocation.channels].find(([, each]) => each.address === address && each.port === port && each.until > now);
		if (channel === undefined)
			return client.send(compose(0x17, Buffer.alloc(12, 7), [tlv(0x12, peerValue(address, port)), tlv(0x13, data)], undefined));
		const framed = Buffer.alloc(4 + ((data.length + 3) & ~3));
		framed.writeUInt16BE(channel[0], 0);
		framed.writeUInt16BE(data.length, 2);
		data.copy(framed, 4);
		client.send(framed);
	}
}

function readAttributes(message: Buffer): Map<number, Buffer> {
	const attributes = new Map<number, Buffer>();
	for (let at = 20; at + 4 <= message.length; ) {
		const length = message.readUInt16BE(at + 2);
		attributes.set(message.readUInt16BE(at), message.subarray(at + 4, at + 4 + length));
		at += 4 + ((length + 3) & ~3);
	}
	return attributes;
}

function integrityHolds(message: Buffer, key: Buffer): boolean {
	for (let at = 20; at + 24 <= message.length; at += 4 + ((message.readUInt16BE(at + 2) + 3) & ~3)) {
		if (message.readUInt16BE(at) !== 8) continue;
		const covered = Buffer.from(message.subarray(0, at));
		covered.writeUInt16BE(at + 4, 2);
		return createHmac("sha1", key)
			.update(covered)
			.digest()
			.equals(message.subarray(at + 4, at + 24));
	}
	return false;
}

function tlv(type: number, value: Buffer | string): Buffer {
	const bytes = Buffer.from(value);
	const head = Buffer.alloc(4);
	head.writeUInt16BE(type, 0);
	head.writeUInt16BE(bytes.length, 2);
	return Buffer.concat([head, bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

function compose(type: number, transaction: Buffer, attributes: Buffer[], key: Buffer | undefined): Buffer {
	const body = Buffer.concat(attributes);
	const head = Buffer.alloc(20);
	head.writeUInt16BE(type, 0);
	head.writeUInt16BE(body.length + (key === undefined ? 0 : 24), 2);
	head.writeUInt32BE(COOKIE, 4);
	transaction.copy(head, 8);
	if (key === undefined) return Buffer.concat([head, body]);
	return Buffer.concat([head, body, tlv(8, createHmac("sha1", key).update(head).update(body).digest())]);
}

function seconds(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32BE(value);
	return bytes;
}

function peerValue(address: string, port: number): Buffer {
	const value = Buffer.from([0, 1, 0, 0, ...address.split(".").map(Number)]);
	value.writeUInt16BE(port ^ (COOKIE >>> 16), 2);
	value.writeUInt32BE((value.readUInt32BE(4) ^ COOKIE) >>> 0, 4);
	return value;
}

function readPeer(value: Buffer): { address: string; port: number } {
	const address = Buffer.alloc(4);
	address.writeUInt32BE((value.readUInt32BE(4) ^ COOKIE) >>> 0);
	return { address: address.join("."), port: value.readUInt16BE(2) ^ (COOKIE >>> 16) };
}
