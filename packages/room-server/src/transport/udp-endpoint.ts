import { createSocket, type Socket } from "node:dgram";
import { isIP } from "node:net";
import { bindingSuccess, integrityHolds, isStun, type KeyedHmac, parseBindingRequest } from "@trunkline/ice";

/** One connection's side of a shared socket. */
export interface IcePeer {
	readonly ufrag: string;
	/** of the password that goes with `ufrag` */
	readonly hmac: KeyedHmac;
	/** a DTLS, RTP or RTCP packet from an address that has proven (by STUN) to be this peer's */
	onPacket(packet: Buffer): void;
	/** an authenticated connectivity check; `nominated` when it carries USE-CANDIDATE */
	onCheck(address: string, port: number, nominated: boolean): void;
}

/**
 * One UDP socket that many connections share: an ICE-lite endpoint (RFC 8445 §2.5). It only answers checks, so there is nothing to gather, no
 * server to ask and no name to look up.
 */
export class UdpEndpoint {
	readonly address: string;
	readonly port: number;
	readonly #socket: Socket;
	readonly #byUfrag = new Map<string, { peer: IcePeer; hmac: KeyedHmac }>();
	readonly #byAddress = new Map<string, IcePeer>();

	private constructor(socket: Socket, address: string) {
		this.#socket = socket;
		this.address = address;
		this.port = socket.address().port;
		socket.on("message", (packet, from) => this.#receive(packet, from.address, from.port));
		// a send to a port that has gone (ICMP) is no fault of this server; consent expiry ends the connection
		socket.on("error", () => undefined);
	}

	/** Binds a port of `range` (any free one when unset). Rejects when none is free. */
	static async open(advertisedAddress: string, range: readonly [number, number] | undefined): Promise<UdpEndpoint> {
		const [low, high] = range ?? [0, 0];
		let failure: unknown;
		for (let port = low; port <= high; port++) {
			try {
				return new UdpEndpoint(await bind(advertisedAddress, port), advertisedAddress);
			} catch (error) {
				failure = error;
			}
		}
		throw new Error(`no free UDP port in ${low}-${high}`, { cause: failure });
	}

	get size(): number {
		return this.#byUfrag.size;
	}

	/** Takes checks for the peer's credentials of now; those before them are good too until `forget`. */
	attach(peer: IcePeer): void {
		this.#byUfrag.set(peer.ufrag, { peer, hmac: peer.hmac });
	}

	/** ICE has restarted and these credentials are over. */
	forget(ufrag: string): void {
		this.#byUfrag.delete(ufrag);
	}

	detach(peer: IcePeer): void {
		for (const [ufrag, owner] of this.#byUfrag) if (owner.peer === peer) this.#byUfrag.delete(ufrag);
		for (const [key, owner] of this.#byAddress) if (owner === peer) this.#byAddress.delete(key);
	}

	send(packet: Uint8Array, port: number, address: string): void {
		if (!this.#closed) this.#socket.send(packet, port, address);
	}

	#closed = false;

	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		this.#byUfrag.clear();
		this.#byAddress.clear();
		this.#socket.close();
	}

	#receive(packet: Buffer, address: string, port: number): void {
		if (isStun(packet)) this.#answerCheck(packet, address, port);
		else this.#byAddress.get(`${address}:${port}`)?.onPacket(packet);
	}

	#answerCheck(packet: Buffer, address: string, port: number): void {
		const request = parseBindingRequest(packet);
		if (request === undefined) return;
		const known = this.#byUfrag.get(request.username.split(":", 1)[0] ?? "");
		if (known === undefined || !integrityHolds(packet, request, known.hmac)) return;
		const { peer, hmac } = known;
		this.#byAddress.set(`${address}:${port}`, peer);
		this.send(bindingSuccess(packet, address, port, hmac), port, address);
		peer.onCheck(address, port, request.useCandidate);
	}
}

async function bind(advertisedAddress: string, port: number): Promise<Socket> {
	const family = isIP(advertisedAddress) === 6 ? 6 : 4;
	const socket = createSocket({
		type: family === 6 ? "udp6" : "udp4",
		recvBufferSize: 4 * 1024 * 1024,
		// Node looks every textual address up, even an IP address, on each send
		lookup: (host, _options, callback) => callback(null, host, family),
	});
	// behind address translation the advertised address is not one of this machine's
	const loopback = advertisedAddress.startsWith("127.") || advertisedAddress === "::1";
	const address = loopback ? advertisedAddress : family === 6 ? "::" : "0.0.0.0";
	await new Promise<void>((resolve, reject) => {
		socket.once("error", reject);
		socket.bind({ port, address, exclusive: true }, () => {
			socket.off("error", reject);
			resolve();
		});
	}).catch((error: unknown) => {
		socket.close();
		throw error;
	});
	return socket;
}
