/**
 * One WebRTC peer connection to a LiveKit server with what a telephone leg needs and nothing else: audio, data channels, one UDP socket and, where
 * that leads nowhere, TCP and relays. SDP is ours (webrtc/local-description.ts), ICE, DTLS and SRTP are the packages of those names, SCTP is werift's.
 */
import { randomInt, randomUUID } from "node:crypto";
import { processCertificate } from "@trunkline/dtls";
import type { RtpPacket } from "@trunkline/rtp";
import type { RoomCodec } from "../call/ports.ts";
import { AUDIO_LEVEL_URI, parseMediaSections } from "./sdp-sections.ts";
import { hostAddress, parseCandidate, type ServerCandidate } from "./webrtc/candidate.ts";
import { type ChannelOptions, DataChannels } from "./webrtc/data-channels.ts";
import { type LocalSection, PAYLOAD_TYPES, writeDescription } from "./webrtc/local-description.ts";
import { NO_RELAYS, type RelaySettings } from "./webrtc/ice-servers.ts";
import { parseRemoteTransport, type RemoteTransport } from "./webrtc/remote-transport.ts";
import { PeerTransport } from "./webrtc/transport.ts";

export interface PeerEvents {
	/** decrypted; the object is the same each time, its payload is not */
	rtp(packet: RtpPacket): void;
	rtcp(compound: Uint8Array): void;
	/** a message on any data channel that the server opened, or that we opened */
	data(bytes: Uint8Array): void;
	/** The server does not answer for now; `offer(true)` may help. */
	stalled(message: string): void;
	/** another candidate of ours: the JSON of an RTCIceCandidateInit */
	candidate(candidateInit: string): void;
	/** the connection is gone for good: no way to the server any more, or DTLS has ended */
	failed(message: string): void;
}

const AUDIO_LEVEL_ID = 1;
/** Candidates that come before the description they belong to. */
const MAX_EARLY_CANDIDATES = 32;
/** of messages for channels that are not there yet */
const MAX_WAITING_MESSAGES = 64;
const EXPLAINED_WITHIN_MS = 500;

export class RoomPeer {
	readonly #events: PeerEvents;
	readonly #codecs: readonly RoomCodec[];
	readonly #address: string;
	readonly #connected = Promise.withResolvers<void>();
	readonly #sections: LocalSection[] = [];
	readonly #channelOptions: ChannelOptions[] = [];
	/** messages for channels that are not there yet */
	readonly #waiting: { label: string; bytes: Uint8Array }[] = [];
	readonly #sessionId = randomInt(2 ** 47);
	readonly #cname = randomUUID();
	#version = 0;
	#transport: Promise<PeerTransport> | undefined;
	#open: PeerTransport | undefined;
	#relays: RelaySettings = NO_RELAYS;
	#early: ServerCandidate[] = [];
	#remote: RemoteTransport | undefined;
	#channels: DataChannels | undefined;
	#isConnected = false;
	#hasFailed = false;
	#failing: NodeJS.Timeout | undefined;
	#closed: Promise<void> | undefined;

	/** `codecs` in order of preference; `serverUrl` tells which of our addresses the server sees */
	constructor(codecs: readonly RoomCodec[], serverUrl: string, events: PeerEvents) {
		this.#events = events;
		this.#codecs = codecs;
		this.#address = hostAddress(serverUrl);
		// a rejection that nobody awaits any more (the join timed out) must not end the process
		this.#connected.promise.catch(() => undefined);
	}

	/** Resolves when ICE and DTLS are up; rejects when they cannot come up or the peer is closed before. */
	get connected(): Promise<void> {
		return this.#connected.promise;
	}

	get isConnected(): boolean {
		return this.#isConnected;
	}

	/** As the server said at the join, or when it was resumed. */
	useRelays(settings: RelaySettings): void {
		this.#relays = settings;
		this.#open?.useRelays(settings);
	}

	/** SSRC of the track, and what AddTrackRequest has to call it */
	addSendingTrack(codecs: readonly RoomCodec[] = this.#codecs): { cid: string; ssrc: number } {
		const sent = { cid: randomUUID(), ssrc: randomInt(1, 0x1_0000_0000) };
		this.#sections.push(this.#audioSection("sendonly", codecs, sent));
		return sent;
	}

	addReceivingTrack(): void {
		this.#sections.push(this.#audioSection("recvonly", this.#codecs, undefined));
	}

	openChannel(label: string, options: Omit<ChannelOptions, "label">): void {
		if (this.#channelOptions.length === 0) this.#sections.push({ kind: "data", mid: String(this.#sections.length) });
		this.#channelOptions.push({ label, ...options });
	}

	/** Sends on a channel that `openChannel` made, when it is open. */
	send(label: string, bytes: Uint8Array): void {
		if (this.#channels !== undefined) this.#channels.send(label, bytes);
		else if (this.#closed === undefined && this.#waiting.length < MAX_WAITING_MESSAGES)
			this.#waiting.push({ label, bytes: Uint8Array.from(bytes) });
	}

	/** An offer with all our sections and our candidate; `restart`: with new secrets of ICE. */
	async offer(restart = false): Promise<string> {
		const transport = await this.#opened(true);
		if (restart) transport.restart();
		// RFC 8842 §5.2: the roles of an association that goes on stay
		const setup = transport.dtlsRole === undefined ? "actpass" : transport.dtlsRole === "client" ? "active" : "passive";
		return this.#describe(transport, setup, this.#sections);
	}

	async applyAnswer(sdp: string): Promise<void> {
		const transport = await this.#opened(true);
		const remote = this.#read(sdp);
		// RFC 5763 §5: the answerer has chosen
		transport.start(remote, remote.setup === "active" ? "server" : "client");
		this.#takeEarly(transport);
	}

	async answer(offer: string): Promise<string> {
		const transport = await this.#opened(false);
		const remote = this.#read(offer);
		// RFC 5763 §5 wants the answerer active. Passive loses no time where the server checks first, as its ClientHello comes with its way to us; a lite
		// server waits for us anyway.
		transport.start(remote, remote.setup === "passive" || remote.isLite ? "client" : "server");
		this.#takeEarly(transport);
		const setup = transport.dtlsRole === "client" ? "active" : "passive";
		return this.#describe(transport, setup, this.#answerSections(offer));
	}

	/** `candidateInit` is the JSON of an RTCIceCandidateInit; one that cannot be used is ignored, as ICE asks (RFC 8445 §5.1). */
	addCandidate(candidateInit: string): void {
		const candidate = readCandidateInit(candidateInit);
		if (candidate === undefined || this.#closed !== undefined) return;
		if (this.#open?.dtlsRole !== undefined) this.#open.addCandidate(candidate);
		else if (this.#early.length < MAX_EARLY_CANDIDATES) this.#early.push(candidate);
	}

	/** Encrypts and sends one packet; nothing happens before the connection is up or after it has closed. */
	sendRtp(header: Uint8Array, payload: Uint8Array): void {
		this.#open?.sendRtp(header, payload);
	}

	sendRtcp(compound: Uint8Array): void {
		this.#open?.sendRtcp(compound);
	}

	/** Idempotent; resolves when the socket is closed. */
	close(): Promise<void> {
		this.#closed ??= this.#shutDown();
		return this.#closed;
	}

	async #shutDown(): Promise<void> {
		this.#isConnected = false;
		clearTimeout(this.#failing);
		this.#waiting.length = 0;
		this.#connected.reject(new Error("the peer connection was closed"));
		const transport = await this.#transport?.catch(() => undefined);
		await this.#channels?.close();
		await transport?.close();
	}

	/** The socket is opened with the first description. */
	#opened(controlling: boolean): Promise<PeerTransport> {
		if (this.#closed !== undefined) return Promise.reject(new Error("the peer connection is closed"));
		this.#transport ??= this.#makeTransport(controlling);
		return this.#transport;
	}

	async #makeTransport(controlling: boolean): Promise<PeerTransport> {
		const transport = new PeerTransport(await processCertificate(), this.#address, controlling, {
			connected: () => this.#onConnected(transport),
			stalled: (message) => {
				if (this.#closed === undefined) this.#events.stalled(message);
			},
			failed: (message) => this.#onFailed(message),
			rtp: (packet) => this.#events.rtp(packet),
			rtcp: (compound) => this.#events.rtcp(compound),
			data: (record) => this.#channels?.receive(record),
			candidate: (candidate) => this.#events.candidate(JSON.stringify({ candidate, sdpMid: "0", sdpMLineIndex: 0 })),
		});
		transport.useRelays(this.#relays);
		await transport.open();
		this.#open = transport;
		transport.useRelays(this.#relays);
		return transport;
	}

	/** Fingerprints and SCTP of the first description are those of all. */
	#read(sdp: string): RemoteTransport {
		const remote = parseRemoteTransport(sdp);
		if (remote === undefined) throw new Error("the room server's description has no transport");
		this.#remote ??= remote;
		return remote;
	}

	/** Whether the server answers by the way that is in use. */
	async answers(withinMs: number): Promise<boolean> {
		return this.#isConnected && this.#open !== undefined && (await this.#open.answers(withinMs));
	}

	#takeEarly(transport: PeerTransport): void {
		for (const candidate of this.#early.splice(0)) transport.addCandidate(candidate);
	}

	#describe(transport: PeerTransport, setup: "actpass" | "active" | "passive", sections: readonly LocalSection[]): string {
		return writeDescription({
			...{ sessionId: this.#sessionId, version: this.#version++, setup, cname: this.#cname, sections },
			transport: transport.local,
		});
	}

	#audioSection(
		direction: "sendonly" | "recvonly",
		codecs: readonly RoomCodec[],
		sent: { cid: string; ssrc: number } | undefined,
	): LocalSection {
		return {
			...{ kind: "audio", mid: String(this.#sections.length), direction, sent, audioLevelId: AUDIO_LEVEL_ID },
			codecs: new Map(codecs.map((codec) => [PAYLOAD_TYPES[codec], codec])),
		};
	}

	/** We hear what is sent to us, under the server's numbers, and send nothing (RFC 3264 §6). */
	#answerSections(offer: string): LocalSection[] {
		return parseMediaSections(offer).map(({ kind, mid, port, direction, codecs, extensions }): LocalSection => {
			if (kind === "application" && port !== 0) return { kind: "data", mid };
			const known = new Map([...codecs].filter(([, codec]) => this.#codecs.includes(codec)));
			if (kind !== "audio" || port === 0 || known.size === 0) return { kind: "rejected", mid, media: kind };
			const hears = direction === "sendonly" || direction === "sendrecv";
			return {
				...{ kind: "audio", mid, direction: hears ? "recvonly" : "inactive", codecs: known, sent: undefined },
				audioLevelId: extensions.get(AUDIO_LEVEL_URI),
			};
		});
	}

	#onConnected(transport: PeerTransport): void {
		if (this.#closed !== undefined) return;
		this.#isConnected = true;
		const remote = this.#remote?.sctp;
		if (remote !== undefined) {
			this.#channels = new DataChannels({
				...{ dtlsRole: transport.dtlsRole ?? "server", begins: transport.controlling, remote, channels: this.#channelOptions },
				send: (data) => transport.sendData(data),
				onMessage: (bytes) => this.#events.data(bytes),
			});
			for (const { label, bytes } of this.#waiting.splice(0)) this.#channels.send(label, bytes);
		}
		this.#connected.resolve();
	}

	#onFailed(message: string): void {
		if (this.#hasFailed || this.#closed !== undefined) return;
		this.#hasFailed = true;
		const wasConnected = this.#isConnected;
		this.#isConnected = false;
		this.#connected.reject(new Error(message));
		if (!wasConnected) this.#events.failed(message);
		// A server that ends a connection says why by signalling, which may come a little later.
		else this.#failing = setTimeout(() => this.#events.failed(message), EXPLAINED_WITHIN_MS);
	}
}

function readCandidateInit(json: string): ServerCandidate | undefined {
	try {
		const init: unknown = JSON.parse(json);
		if (typeof init !== "object" || init === null || !("candidate" in init) || typeof init.candidate !== "string") return undefined;
		return parseCandidate(init.candidate);
	} catch {
		return undefined;
	}
}
