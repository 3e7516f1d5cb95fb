/** One WebRTC transport without SDP: ICE over one UDP socket and, where that leads nowhere, detours (TCP, relays); DTLS, SRTP. The 20 ms path is at the bottom of it. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { DtlsAssociation, type DtlsCertificate, type DtlsSrtpKeys } from "@trunkline/dtls";
import { IceAgent, type IcePath, isStun } from "@trunkline/ice";
import { emptyRtpPacket, isRtcp, parseRtp, type RtpPacket } from "@trunkline/rtp";
import { MAX_OVERHEAD_BYTES, SrtpReceiver, SrtpSender } from "@trunkline/srtp";
import { nodeCrypto } from "@trunkline/srtp/node";
import { HOST_PRIORITY, relayCandidate, sameFamily, type ServerCandidate } from "./candidate.ts";
import { Detours } from "./detours.ts";
import { hmacSha1 } from "./hmac.ts";
import type { RelaySettings } from "./ice-servers.ts";
import type { LocalTransport } from "./local-description.ts";
import { RELAY_HEADROOM_BYTES, RELAY_TAILROOM_BYTES } from "./relay.ts";
import type { RemoteTransport } from "./remote-transport.ts";
import { openPeerSocket, type PeerSocket } from "./udp-socket.ts";

export interface TransportEvents {
	connected(): void;
	/** The server does not answer for now; a restart of ICE may help. */
	stalled(message: string): void;
	/** gone for good; once */
	failed(message: string): void;
	/** decrypted; the object is the same each time, its payload is not */
	rtp(packet: RtpPacket): void;
	rtcp(compound: Uint8Array): void;
	data(record: Buffer): void;
	/** another candidate of ours, for the server: an `a=candidate` value */
	candidate(candidate: string): void;
}

/** The host candidate, UDP. Detours are those above it. */
const HOST = 0;
const PROBE_POLL_MS = 20;
/** As many tracks as the largest room has that a telephone can be in. */
const MAX_SOURCES = 512;

export class PeerTransport {
	readonly #certificate: DtlsCertificate;
	readonly #events: TransportEvents;
	#ice: IceAgent;
	#ufrag = "";
	#password = "";
	/** set by `restart`: the peer's part of it is still to come */
	#isRestarting = false;
	#remoteUfrag = "";
	readonly #address: string;
	readonly #packet = emptyRtpPacket();
	#socket: PeerSocket | undefined;
	#dtls: DtlsAssociation | undefined;
	#dtlsRole: "client" | "server" | undefined;
	#timer: NodeJS.Timeout | undefined;
	#timerAt: number | undefined;
	#sender: SrtpSender | undefined;
	#receiver: SrtpReceiver | undefined;
	readonly #detours: Detours;
	/** where packets go */
	#toLocal = HOST;
	#toAddress = "";
	#toPort = 0;
	#isOver = false;

	constructor(certificate: DtlsCertificate, address: string, controlling: boolean, events: TransportEvents) {
		this.#certificate = certificate;
		this.#address = address;
		this.#events = events;
		this.#ice = this.#newAgent(controlling);
		this.#detours = new Detours(address, {
			agent: () => this.#ice,
			changed: () => this.#runIce(),
			packet: (packet, from) => this.#receive(packet, from),
			relayed: (relayed, port) => events.candidate(relayCandidate(relayed, port, this.#ufrag)),
			lost: (message) => events.stalled(message),
		});
	}

	/** Before `start`, or from the next restart on. */
	useRelays(settings: RelaySettings): void {
		this.#detours.relays = settings;
		if (this.#detours.isRelayOnly) this.#ice.removeLocal(HOST);
	}

	#addHost(): void {
		if (!this.#detours.isRelayOnly) this.#ice.addLocal({ id: HOST, priority: HOST_PRIORITY }, performance.now());
	}

	#newAgent(controlling: boolean): IceAgent {
		this.#ufrag = randomBytes(6).toString("base64url");
		this.#password = randomBytes(18).toString("base64url");
		return new IceAgent({
			...{ ufrag: this.#ufrag, password: this.#password, controlling, tieBreaker: randomBytes(8) },
			...{ random: (length) => randomBytes(length), hmacSha1 },
		});
	}

	/** New secrets and checks from the beginning (RFC 8445 §9), while audio goes where it went until another way is found. DTLS goes on. */
	restart(): void {
		if (this.#isOver || this.#isRestarting) return;
		const { controlling } = this.#ice;
		this.#ice.close();
		this.#ice = this.#newAgent(controlling);
		this.#isRestarting = true;
		this.#addHost();
		this.#runIce();
	}

	/** Whether the server answers a check on the way that is in use, within that time. */
	async answers(withinMs: number): Promise<boolean> {
		const ice = this.#ice;
		const askedAt = performance.now();
		ice.probe(askedAt);
		this.#runIce();
		while (!this.#isOver && performance.now() < askedAt + withinMs) {
			await sleep(PROBE_POLL_MS);
			if ((ice.answeredAt ?? -1) >= askedAt) return true;
		}
		return false;
	}

	/** Opens the socket. Rejects when there is none to be had. */
	async open(): Promise<void> {
		const socket = await openPeerSocket(this.#address, (packet, address, port) => {
			if (!this.#detours.isRelayOnly) this.#receive(packet, { local: HOST, address, port });
		});
		if (this.#isOver) return socket.close();
		this.#socket = socket;
		this.#addHost();
		this.#runIce();
	}

	/** For descriptions; after `open`. */
	get local(): LocalTransport {
		return {
			...{ ufrag: this.#ufrag, password: this.#password, fingerprint: this.#certificate.fingerprint },
			...{ address: this.#address, port: this.#socket?.port ?? 9 },
		};
	}

	/** undefined before `start` */
	get dtlsRole(): "client" | "server" | undefined {
		return this.#dtlsRole;
	}

	get controlling(): boolean {
		return this.#ice.controlling;
	}

	/** A description of the peer's: the first one begins everything, a later one with new secrets restarts ICE. */
	start(remote: RemoteTransport, dtlsRole: "client" | "server"): void {
		if (this.#isOver) return;
		if (this.#dtls !== undefined) return this.#startAgain(remote);
		this.#dtlsRole = dtlsRole;
		this.#dtls = new DtlsAssociation({
			...{ role: dtlsRole, certificate: this.#certificate, fingerprints: remote.fingerprints },
			// ICE shows that the client is where its packets say
			cookieExchange: false,
			send: (packet) => this.#send(packet),
			onConnected: (keys) => this.#onKeys(keys),
			onFailed: (reason) => this.#fail(`the room server could not be authenticated: ${reason}`, reason),
			onData: (data) => this.#events.data(data),
		});
		if (this.#detours.isHopeless) return this.#fail(`the peer connection to the room server failed: ${this.#detours.failures}`);
		this.#setRemote(remote);
	}

	#startAgain(remote: RemoteTransport): void {
		// without new secrets it is the same way, in a description of something else
		if (remote.ufrag === this.#remoteUfrag) return;
		// RFC 8839 §4.4.2: who is offered a restart restarts, too
		this.restart();
		this.#isRestarting = false;
		this.#setRemote(remote);
	}

	#setRemote(remote: RemoteTransport): void {
		this.#remoteUfrag = remote.ufrag;
		this.#detours.begin();
		this.#ice.setRemote(remote, performance.now());
		for (const candidate of remote.candidates) this.addCandidate(candidate);
		this.#runIce();
	}

	/** At any time. */
	addCandidate(candidate: ServerCandidate): void {
		if (!sameFamily(candidate.address, this.#address)) return;
		if (candidate.transport === "tcp") return this.#detours.addTcp(candidate);
		this.#ice.addRemote(candidate, performance.now());
		this.#runIce();
	}

	/** Protects and sends; nothing happens before the connection is up or after its end. */
	sendRtp(header: Uint8Array, payload: Uint8Array): void {
		const sender = this.#sender;
		if (sender === undefined) return;
		const length = header.length + payload.length;
		if (this.#toLocal !== HOST && this.#detours.relay(this.#toLocal) !== undefined) return this.#relayRtp(sender, header, payload);
		const packet = Buffer.allocUnsafe(length + MAX_OVERHEAD_BYTES);
		packet.set(header);
		packet.set(payload, header.length);
		const end = sender.protectRtp(packet, length);
		if (end > 0) this.#send(packet.subarray(0, end));
	}

	/** With room for the relay's header in front, so that nothing is copied. */
	#relayRtp(sender: SrtpSender, header: Uint8Array, payload: Uint8Array): void {
		const length = header.length + payload.length;
		const framed = Buffer.allocUnsafe(RELAY_HEADROOM_BYTES + length + MAX_OVERHEAD_BYTES + RELAY_TAILROOM_BYTES);
		framed.set(header, RELAY_HEADROOM_BYTES);
		framed.set(payload, RELAY_HEADROOM_BYTES + header.length);
		const end = sender.protectRtp(framed.subarray(RELAY_HEADROOM_BYTES, RELAY_HEADROOM_BYTES + length + MAX_OVERHEAD_BYTES), length);
		if (end > 0) this.#detours.relay(this.#toLocal)?.sendInPlace(framed, end, this.#toAddress, this.#toPort);
	}

	sendRtcp(compound: Uint8Array): void {
		const packet = Buffer.alloc(compound.length + MAX_OVERHEAD_BYTES);
		packet.set(compound);
		const end = this.#sender?.protectRtcp(packet, compound.length) ?? 0;
		if (end > 0) this.#send(packet.subarray(0, end));
	}

	/** Rejects before the connection is up. */
	sendData(record: Buffer): Promise<void> {
		return this.#dtls?.send(record) ?? Promise.reject(new Error("the connection is not up"));
	}

	/** Idempotent; resolves when the port is free. */
	async close(): Promise<void> {
		this.#stop();
		await Promise.all([this.#socket?.close(), this.#detours.close()]);
	}

	#receive(packet: Buffer, from: IcePath): void {
		const { address, port } = from;
		const first = packet[0] ?? 0;
		// RFC 7983 §7
		if (first >= 128 && first <= 191) {
			if ((port === this.#toPort && address === this.#toAddress) || this.#ice.isValid(address, port)) this.#receiveMedia(packet);
		} else if (isStun(packet)) {
			this.#ice.receive(packet, from, performance.now());
			this.#runIce();
		} else if (first >= 20 && first <= 63 && this.#ice.isKnown(address, port)) {
			// The server's ClientHello may overtake its answer to our check; DTLS shows by itself who it is.
			if (this.#toPort === 0) this.#takePath(from);
			this.#dtls?.receive(packet);
		}
	}

	#receiveMedia(packet: Buffer): void {
		if (isRtcp(packet)) {
			const plain = this.#receiver?.unprotectRtcp(packet);
			if (plain !== undefined) this.#events.rtcp(plain);
			return;
		}
		const plain = this.#receiver?.unprotectRtp(packet);
		if (plain !== undefined && parseRtp(plain, this.#packet) !== undefined) this.#events.rtp(this.#packet);
	}

	#runIce(): void {
		for (let output = this.#ice.poll(); output !== undefined; output = this.#ice.poll()) {
			if (output.kind === "send") this.#sendBy(output, output.packet);
			else if (output.kind === "silent") this.#events.stalled("the room server does not answer on the peer connection (ICE)");
			else if (output.kind === "failed") {
				const { failures } = this.#detours;
				const message = `the peer connection to the room server failed: ${output.reason}${failures === "" ? "" : `; ${failures}`}`;
				// what was up may be up again by a restart
				if (this.#sender === undefined) return this.#fail(message);
				this.#events.stalled(message);
			} else {
				this.#takePath(output);
				this.#detours.selected(output);
				// a server waits for the client's first flight
				this.#dtls?.start();
			}
		}
		const path = this.#toPort === 0 ? this.#ice.path : undefined;
		if (path !== undefined) this.#takePath(path);
		this.#schedule();
	}

	#schedule(): void {
		const at = this.#isOver ? undefined : this.#ice.nextAt;
		if (at === this.#timerAt) return;
		clearTimeout(this.#timer);
		this.#timerAt = at;
		if (at === undefined) return;
		this.#timer = setTimeout(
			() => {
				this.#timerAt = undefined;
				this.#ice.tick(performance.now());
				this.#runIce();
			},
			Math.max(1, Math.ceil(at - performance.now())),
		);
	}

	#takePath({ local, address, port }: IcePath): void {
		this.#toLocal = local;
		this.#toAddress = address;
		this.#toPort = port;
	}

	#onKeys({ suite, local, remote }: DtlsSrtpKeys): void {
		this.#sender = new SrtpSender(nodeCrypto, suite, Buffer.concat([local.key, local.salt]));
		this.#receiver = new SrtpReceiver(nodeCrypto, suite, Buffer.concat([remote.key, remote.salt]), undefined, MAX_SOURCES);
		this.#events.connected();
	}

	#send(packet: Uint8Array): void {
		if (this.#toPort === 0) return;
		if (this.#toLocal === HOST) this.#socket?.send(packet, this.#toPort, this.#toAddress);
		else this.#detours.send({ local: this.#toLocal, address: this.#toAddress, port: this.#toPort }, packet);
	}

	#sendBy(path: IcePath, packet: Uint8Array): void {
		if (path.local === HOST) this.#socket?.send(packet, path.port, path.address);
		else this.#detours.send(path, packet);
	}

	/** After the keys it is the association that has ended, not the proof that has failed. */
	#fail(message: string, afterKeys = message): void {
		if (this.#isOver) return;
		const reason = this.#sender === undefined ? message : afterKeys;
		this.#stop();
		this.#events.failed(reason);
	}

	#stop(): void {
		this.#isOver = true;
		clearTimeout(this.#timer);
		this.#timerAt = undefined;
		this.#detours.close().catch(() => undefined);
		this.#ice.close();
		this.#dtls?.close();
		this.#sender = this.#receiver = undefined;
	}
}
