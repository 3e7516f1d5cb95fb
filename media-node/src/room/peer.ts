/**
 * One WebRTC peer connection to a LiveKit server, on werift, with everything taken out that a telephone leg does not need:
 * no STUN or TURN, one UDP socket, audio only, and an RTP path that goes around werift's router, statistics and packet copies.
 */
import { createSecretKey } from "node:crypto";
import { networkInterfaces } from "node:os";
import { guardHandshake } from "@trunkline/dtls";
import {
	type RTCDataChannel,
	RTCPeerConnection,
	type RTCDtlsParameters,
	type RTCDtlsTransport,
	type RtcpPacket,
	type RtpHeader,
	type RtpPacket,
} from "werift";
import { CandidatePairState, DtlsClient, MediaStreamTrack, useAudioLevelIndication, useOPUS, usePCMA, usePCMU } from "werift";
import type { RoomCodec } from "../call/ports.ts";

export interface PeerEvents {
	rtp(packet: RtpPacket): void;
	rtcp(packet: RtcpPacket): void;
	/** a message on any data channel that the server opened, or that we opened */
	data(bytes: Uint8Array): void;
	/** the connection is gone for good: ICE failed or DTLS closed. A "disconnected" ICE that recovers is not told. */
	failed(message: string): void;
}

/** A data channel message that waits for its channel longer than this queue is dropped, oldest first. */
const MAX_WAITING_MESSAGES = 64;

const codecParameters = { PCMU: () => usePCMU(), PCMA: () => usePCMA(), opus: () => useOPUS() } as const;

export class RoomPeer {
	readonly #pc: RTCPeerConnection;
	readonly #events: PeerEvents;
	readonly #connected = Promise.withResolvers<void>();
	readonly #prepared = new WeakSet<RTCDtlsTransport>();
	readonly #channels = new Map<string, RTCDataChannel>();
	readonly #waiting: { label: string; bytes: Buffer }[] = [];
	#transport: RTCDtlsTransport | undefined;
	#isConnected = false;
	#hasFailed = false;
	#closed: Promise<void> | undefined;

	/** `codecs` in order of preference; `serverUrl` tells which of our addresses the server sees */
	constructor(codecs: readonly RoomCodec[], serverUrl: string, events: PeerEvents) {
		this.#events = events;
		// a rejection that nobody awaits any more (the join timed out) must not end the process
		this.#connected.promise.catch(() => undefined);
		this.#pc = new RTCPeerConnection({
			iceServers: [],
			// Sockets are bound to the wildcard address whatever is listed here, so one address is one socket and reaches every interface.
			iceUseIpv4: false,
			iceUseIpv6: false,
			iceAdditionalHostAddresses: [hostAddress(serverUrl)],
			bundlePolicy: "max-bundle",
			codecs: { audio: codecs.map((codec) => codecParameters[codec]()), video: [] },
			headerExtensions: { audio: [useAudioLevelIndication()], video: [] },
		});
		this.#pc.onDataChannel.subscribe((channel) => this.#adopt(channel));
		this.#pc.connectionStateChange.subscribe((state) => this.#onState(state));
	}

	/** Resolves when ICE, DTLS and SCTP are up; rejects when they cannot come up or the peer is closed before. */
	get connected(): Promise<void> {
		return this.#connected.promise;
	}

	get isConnected(): boolean {
		return this.#isConnected;
	}

	/** SSRC of the track that `addSendingTrack` made */
	addSendingTrack(codecs?: readonly RoomCodec[]): { cid: string; ssrc: number } {
		const transceiver = this.#pc.addTransceiver(new MediaStreamTrack({ kind: "audio" }), { direction: "sendonly" });
		if (codecs !== undefined) transceiver.setCodecPreferences(codecs.map((codec) => codecParameters[codec]()));
		this.#prepareTransports();
		return { cid: transceiver.sender.trackId, ssrc: transceiver.sender.ssrc };
	}

	addReceivingTrack(): void {
		this.#pc.addTransceiver("audio", { direction: "recvonly" });
		this.#prepareTransports();
	}

	openChannel(label: string, options: { ordered: boolean; maxRetransmits?: number }): void {
		this.#adopt(this.#pc.createDataChannel(label, options));
		this.#prepareTransports();
	}

	/** Sends on a channel that `openChannel` made, when it is open. */
	send(label: string, bytes: Uint8Array): void {
		const channel = this.#channels.get(label);
		if (channel?.readyState === "open") channel.send(Buffer.from(bytes));
		else if (channel?.readyState !== "closed") {
			if (this.#waiting.length === MAX_WAITING_MESSAGES) this.#waiting.shift();
			this.#waiting.push({ label, bytes: Buffer.from(bytes) });
		}
	}

	/** Creates an offer, applies it locally and returns its SDP with our host candidate in it. */
	async offer(): Promise<string> {
		const offer = await this.#pc.createOffer();
		await this.#pc.setLocalDescription(offer);
		return this.#localSdp();
	}

	async applyAnswer(sdp: string): Promise<void> {
		await this.#pc.setRemoteDescription({ type: "answer", sdp });
	}

	async answer(offer: string): Promise<string> {
		await this.#pc.setRemoteDescription({ type: "offer", sdp: offer });
		this.#prepareTransports();
		for (const transport of this.#pc.dtlsTransports) {
			// As DTLS client werift sleeps 100 ms before its first message; RFC 5763 §5 lets the answerer be the server ("passive").
			if (transport.state === "new") transport.role = "server";
		}
		await this.#pc.setLocalDescription(await this.#pc.createAnswer());
		return this.#localSdp();
	}

	/** `candidateInit` is the JSON of an RTCIceCandidateInit; one that cannot be used is ignored, as ICE asks (RFC 8445 §5.1). */
	async addCandidate(candidateInit: string): Promise<void> {
		if (this.#closed !== undefined) return;
		const candidate: unknown = JSON.parse(candidateInit);
		if (isCandidateInit(candidate) && isUsable(candidate.candidate)) await this.#pc.addIceCandidate(candidate);
	}

	/** Encrypts and sends one packet; nothing happens before the connection is up or after it has closed. */
	sendRtp(payload: Buffer, header: RtpHeader): void {
		const transport = this.#transport;
		if (transport?.state === "connected") void transport.sendRtp(payload, header);
	}

	sendRtcp(packets: RtcpPacket[]): void {
		const transport = this.#transport;
		if (transport?.state === "connected") transport.sendRtcp(packets).catch(() => undefined);
	}

	/** Idempotent; resolves when the socket is closed. */
	close(): Promise<void> {
		this.#closed ??= this.#shutDown();
		return this.#closed;
	}

	async #shutDown(): Promise<void> {
		this.#isConnected = false;
		this.#waiting.length = 0;
		this.#connected.reject(new Error("the peer connection was closed"));
		await this.#pc.close();
	}

	#localSdp(): string {
		const description = this.#pc.localDescription;
		if (description === null) throw new Error("no local description after setLocalDescription");
		return description.sdp;
	}

	#onState(state: RTCPeerConnection["connectionState"]): void {
		if (this.#closed !== undefined) return;
		if (state === "connected") {
			this.#isConnected = true;
			this.#connected.resolve();
		} else if (state === "failed" || state === "closed") {
			this.#onFailed(`the peer connection to the room server ${state === "failed" ? "failed" : "was closed"}`);
		}
	}

	#onFailed(message: string): void {
		if (this.#hasFailed) return;
		this.#hasFailed = true;
		this.#isConnected = false;
		this.#connected.reject(new Error(message));
		this.#events.failed(message);
	}

	#adopt(channel: RTCDataChannel): void {
		if (!channel.isCreatedByRemote) this.#channels.set(channel.label, channel);
		channel.onMessage.subscribe((message) => {
			if (typeof message !== "string") this.#events.data(message);
		});
		channel.stateChange.subscribe((state) => {
			if (state === "open") this.#flush(channel);
		});
	}

	#flush(channel: RTCDataChannel): void {
		for (const message of this.#waiting.splice(0)) {
			if (message.label === channel.label) channel.send(message.bytes);
			else this.#waiting.push(message);
		}
	}

	#prepareTransports(): void {
		for (const transport of this.#pc.dtlsTransports) {
			if (this.#prepared.has(transport)) continue;
			this.#prepared.add(transport);
			this.#transport = transport;
			authenticate(transport, (reason) => this.#onFailed(reason));
			prepareTransport(transport, this.#events);
		}
	}
}

/**
 * werift compares the certificate with the SDP's fingerprint, but asks for no proof that the server has its key. The handshake begins after this turn, so
 * nothing has arrived and nothing has been sent when the guard is there. Has to stand before `helloAtOnce` and `keepEarlyDtls`, which start the handshake.
 */
function authenticate(transport: RTCDtlsTransport, onRefused: (reason: string) => void): void {
	const { unSubscribe } = transport.onStateChange.subscribe((state) => {
		unSubscribe();
		if (state !== "connecting") return;
		queueMicrotask(() => {
			const { dtls } = transport;
			if (dtls === undefined) throw new Error("a DTLS transport that connects has no DTLS");
			// private to werift's types; without it nobody is authentic
			const { remoteParameters } = transport as unknown as { remoteParameters?: RTCDtlsParameters };
			guardHandshake(dtls, {
				fingerprints: () => remoteParameters?.fingerprints ?? [],
				onRefused: (reason) => onRefused(`the room server could not be authenticated: ${reason}`),
			});
		});
	});
}

/** Before gathering: no STUN, our RTP path, no lost first DTLS flight. */
function prepareTransport(transport: RTCDtlsTransport, events: PeerEvents): void {
	const { connection } = transport.iceTransport;
	// werift falls back to a public STUN server when none is configured. A LiveKit server is reachable by itself and learns our address
	// from our checks (RFC 8445 §7.3.1.3), so no server-reflexive candidate is ever needed.
	Object.assign(connection, { stunServer: undefined });
	// werift's own subscribers parse extensions, keep statistics and clone every packet for tracks that we do not use.
	transport.onRtp.allUnsubscribe();
	transport.onRtp.subscribe((packet) => events.rtp(packet));
	transport.onRtcp.allUnsubscribe();
	transport.onRtcp.subscribe((packet) => events.rtcp(packet));
	skipLastPause(connection);
	helloAtOnce(transport);
	keepEarlyDtls(transport);
	transport.onStateChange.subscribe((state) => {
		if (state === "connected") prepareKeys(transport);
	});
}

/**
 * werift waits 20 ms (Ta, RFC 8445 §14.2) after each check that it starts, the last one included. Ta paces transactions: when all candidates
 * are known and no pair is left to check, there is nothing to pace, and the connection is up when the answer comes.
 */
function skipLastPause(connection: RTCDtlsTransport["iceTransport"]["connection"]): void {
	const agent = connection as unknown as { schedulingChecks(): boolean; remoteCandidatesEnd: boolean };
	const startNext = agent.schedulingChecks.bind(connection);
	agent.schedulingChecks = () => {
		const more = startNext();
		if (!agent.remoteCandidatesEnd) return more;
		return more && connection.checkList.some(({ state }) => state === CandidatePairState.FROZEN || state === CandidatePairState.WAITING);
	};
}

/** As DTLS client werift sleeps 100 ms before its ClientHello; the transport is ready in the turn in which it says "connecting". */
function helloAtOnce(transport: RTCDtlsTransport): void {
	const { unSubscribe } = transport.onStateChange.subscribe((state) => {
		unSubscribe();
		if (state !== "connecting") return;
		queueMicrotask(() => {
			const { dtls } = transport;
			if (!(dtls instanceof DtlsClient)) return;
			const hello = dtls.connect();
			// werift's own call, after its sleep, waits for the same handshake and takes its failure
			Object.assign(dtls, { connect: () => hello });
			hello.catch(() => undefined);
		});
	});
}

/**
 * werift keys each packet's cipher with bytes, which node:crypto turns into a key object every time: 11 µs per packet, 3 µs with one made
 * once. Its types say Buffer; it hands the key to createCipheriv and createDecipheriv and to nothing else.
 */
function prepareKeys({ srtp }: RTCDtlsTransport): void {
	for (const { cipher } of [srtp.localContext, srtp.remoteContext]) {
		Object.assign(cipher, { srtpSessionKey: createSecretKey(cipher.srtpSessionKey) });
	}
}

/**
 * The server's ClientHello comes right behind its STUN answer, before werift has made its DTLS socket, and would be lost: the handshake then
 * waits for the retransmission (100 ms with LiveKit, 1 s by RFC 6347 §4.2.4.1). Keep what comes early and hand it over once.
 */
function keepEarlyDtls(transport: RTCDtlsTransport): void {
	const { onData } = transport.iceTransport.connection;
	const early: Buffer[] = [];
	const { unSubscribe } = onData.subscribe((data) => {
		if (transport.state === "new" && isDtls(data) && early.length < 8) early.push(data);
	});
	const state = transport.onStateChange.subscribe(() => {
		state.unSubscribe();
		unSubscribe();
		// werift makes its DTLS socket in the same turn in which it says "connecting"
		queueMicrotask(() => {
			for (const data of early) onData.execute(data);
		});
	});
}

function isCandidateInit(value: unknown): value is { candidate: string } {
	return typeof value === "object" && value !== null && "candidate" in value && typeof value.candidate === "string";
}

/** Our sockets are UDP only, and a name (RFC 8839 §5.1 allows one) would be looked up: servers have addresses. */
function isUsable(candidate: string): boolean {
	const [, , transport = "", , address = ""] = candidate.split(" ");
	return transport.toLowerCase() === "udp" && /^(\d+\.){3}\d+$|:/.test(address);
}

/** RFC 7983 §7 */
function isDtls(data: Buffer): boolean {
	const first = data[0] ?? 0;
	return first >= 20 && first <= 63;
}

/**
 * The address that our one host candidate names. A server that is no ICE-lite agent waits a second before it takes a pair whose remote
 * address it was not told, so a server on this machine is told the loopback address and all others an outward one.
 */
function hostAddress(serverUrl: string): string {
	const { hostname } = new URL(serverUrl);
	if (hostname === "[::1]") return "::1";
	if (hostname === "localhost" || hostname.startsWith("127.")) return "127.0.0.1";
	const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
	const outward = addresses.filter((address) => !address.internal && !address.address.startsWith("fe80:"));
	const families = hostname.startsWith("[") ? ["IPv6"] : ["IPv4", "IPv6"];
	const [chosen] = families.flatMap((family) => outward.filter((address) => address.family === family));
	return chosen?.address ?? "127.0.0.1";
}
