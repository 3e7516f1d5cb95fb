import type { NoiseSuppression } from "@trunkline/contracts";
import type {
	AudioUplink,
	HeaderList,
	JoinOptions,
	MediaEvent,
	MediaPort,
	MediaSession,
	NegotiatedAudio,
	OutgoingInvite,
	RemoteAudioTrack,
	RoomConnector,
	RoomEvent,
	RoomParticipant,
	RoomSession,
	SipLeg,
	SipLegEvent,
	UserAgent,
} from "./ports.ts";

/** Test aids: the ports of a call, kept in the hand of the test. Each notes what was asked of it and does nothing by itself. */

/** A promise that the test settles. */
export function gate<T = void>() {
	return Promise.withResolvers<T>();
}

/** Lets everything that is ready run: promises settle only between events. */
export async function turns(count = 100): Promise<void> {
	for (let i = 0; i < count; i++) await Promise.resolve();
}

export class FakeMedia implements MediaPort {
	readonly sessions: FakeMediaSession[] = [];
	/** `open` waits for it */
	ready: Promise<unknown> = Promise.resolve();

	async open(onEvent: (event: MediaEvent) => void): Promise<MediaSession> {
		await this.ready;
		const session = new FakeMediaSession(onEvent);
		this.sessions.push(session);
		return session;
	}

	get one(): FakeMediaSession {
		const [session] = this.sessions;
		if (session === undefined || this.sessions.length > 1) throw new Error(`${this.sessions.length} media sessions instead of one`);
		return session;
	}
}

export class FakeMediaSession implements MediaSession {
	readonly localAddress = "192.0.2.10";
	readonly localPort = 20_000;
	readonly did: string[] = [];
	readonly emit: (event: MediaEvent) => void;
	negotiated: NegotiatedAudio | undefined;
	#promptsOver: PromiseWithResolvers<void> | undefined;
	/** `sendDigits` waits for it */
	digitsOut: Promise<unknown> = Promise.resolve();

	constructor(emit: (event: MediaEvent) => void) {
		this.emit = emit;
	}

	start(negotiated: NegotiatedAudio, signallingAddress: string): void {
		this.negotiated = negotiated;
		this.did.push(`start ${negotiated.codec} ${negotiated.remote.address}:${negotiated.remote.port} ${signallingAddress}`);
	}
	connect(): void {
		this.did.push("connect");
	}
	addTrack(track: RemoteAudioTrack): void {
		this.did.push(`add ${track.trackSid}`);
	}
	removeTrack(trackSid: string): void {
		this.did.push(`remove ${trackSid}`);
	}
	muteTrack(trackSid: string, muted: boolean): void {
		this.did.push(`mute ${trackSid} ${muted}`);
	}
	listen(): void {
		this.did.push("listen");
	}
	speak(): void {
		this.did.push("speak");
	}
	async sendDigits(digits: string): Promise<void> {
		this.did.push(`digits ${digits}`);
		await this.digitsOut;
	}
	ringPhone(country?: string): () => void {
		this.did.push(country === undefined ? "ring the telephone" : `ring the telephone as in ${country}`);
		return () => void this.did.push("room to the telephone");
	}
	holdPhone(music: string): () => void {
		this.did.push(`hold with ${music}`);
		return () => void this.did.push("hold is over");
	}
	setNoiseSuppression({ uplink, downlink, mix }: NoiseSuppression): void {
		this.did.push(`suppress uplink ${uplink} downlink ${downlink} mix ${mix}`);
	}
	async playPrompts(names: readonly string[], language: string): Promise<void> {
		this.did.push(`say ${names.join(", ")} in ${language}`);
		this.#promptsOver = Promise.withResolvers();
		await this.#promptsOver.promise;
	}
	stopPrompts(): void {
		this.did.push("say no more");
		this.#promptsOver?.resolve();
	}
	/** the prompts that play come to their end */
	endPrompts(): void {
		this.#promptsOver?.resolve();
	}
	record(file: string, notice: boolean): void {
		this.did.push(`record ${file}${notice ? " with notice" : ""}`);
	}
	stopRecording(): void {
		this.did.push("record no more");
	}
	playRingback(_uplink: AudioUplink, country?: string, tone = "ringback"): () => void {
		this.did.push(country === undefined ? tone : `${tone} as in ${country}`);
		return () => void this.did.push(`${tone} stopped`);
	}
	watch(firstPacketMs: number, laterMs: number): void {
		this.did.push(`watch ${firstPacketMs} ${laterMs}`);
	}
	stats(): ReturnType<MediaSession["stats"]> {
		return { packetsReceived: 0, packetsSent: 0, packetsLost: 0, packetsRefused: 0, srtpErrors: 0, jitterMs: 0 };
	}
	close(): void {
		this.did.push("close");
	}
}

export class FakeRooms implements RoomConnector {
	readonly joins: { options: JoinOptions; signal: AbortSignal | undefined }[] = [];
	readonly sessions: FakeRoomSession[] = [];
	/** who is in the room when it is joined */
	others: RoomParticipant[] = [];
	/** `join` waits for it, and rejects as it does */
	ready: Promise<unknown> = Promise.resolve();

	async join(options: JoinOptions, signal?: AbortSignal): Promise<RoomSession> {
		this.joins.push({ options, signal });
		await this.ready;
		const session = new FakeRoomSession((event) => options.onEvent(event), this.others);
		this.sessions.push(session);
		return session;
	}

	get one(): FakeRoomSession {
		const [session] = this.sessions;
		if (session === undefined || this.sessions.length > 1) throw new Error(`${this.sessions.length} room sessions instead of one`);
		return session;
	}
}

export class FakeRoomSession implements RoomSession {
	readonly participantSid = "PA_1";
	readonly roomSid = "RM_1";
	readonly uplink: AudioUplink = { codec: "PCMU", write: () => {} };
	readonly attributeChanges: Record<string, string>[] = [];
	/** as the server has them */
	own: Record<string, string> = {};
	readonly digits: string[] = [];
	readonly emit: (event: RoomEvent) => void;
	closed = 0;
	/** `setAttributes` and `close` wait for these */
	attributesSeen: Promise<unknown> = Promise.resolve();
	left: Promise<unknown> = Promise.resolve();
	/** thrown by `sendDtmf` */
	dtmfError: Error | undefined;
	readonly #others: readonly RoomParticipant[];

	constructor(emit: (event: RoomEvent) => void, others: readonly RoomParticipant[]) {
		this.emit = emit;
		this.#others = others;
	}

	participants(): readonly RoomParticipant[] {
		return this.#others;
	}
	attributes(): Readonly<Record<string, string>> {
		return this.own;
	}
	async setAttributes(attributes: Record<string, string>): Promise<void> {
		if (this.closed > 0) throw new Error("the room session is closed");
		this.attributeChanges.push(attributes);
		await this.attributesSeen;
	}
	sendDtmf(code: number, digit: string): void {
		if (this.dtmfError !== undefined) throw this.dtmfError;
		this.digits.push(`${code}:${digit}`);
	}
	async close(): Promise<void> {
		this.closed += 1;
		await this.left;
	}
	subscribe(trackSid: string): void {
		this.emit({ type: "track-subscribed", track: { trackSid, participantIdentity: "agent", onFrame: () => {} } });
	}
}

/** A leg that writes down what it is told: "ring 180", "accept", "bye", … */
export class FakeLeg implements SipLeg {
	readonly did: string[] = [];
	readonly acceptHeaders: HeaderList[] = [];
	readonly referHeaders: HeaderList[] = [];
	answerSdp = "";
	/** SDP of answers to re-INVITEs */
	readonly responses: string[] = [];
	readonly byeHeaders: HeaderList[] = [];
	/** offers of re-INVITEs */
	readonly reinvites: string[] = [];
	/** thrown by the command of that name */
	readonly throws = new Map<string, Error>();

	ring(status: number, _headers?: HeaderList, sdp?: string, reliable = false): void {
		this.#do("ring", `ring ${status}${sdp === undefined ? "" : " with SDP"}${reliable ? " reliably" : ""}`);
		if (sdp !== undefined) this.answerSdp = sdp;
	}
	accept(sdp: string | undefined, headers: HeaderList = []): void {
		this.#do("accept", sdp === undefined ? "accept without SDP" : "accept");
		if (sdp !== undefined) this.answerSdp = sdp;
		this.acceptHeaders.push(headers);
	}
	reject(status: number, reason: string): void {
		this.#do("reject", `reject ${status} ${reason}`);
	}
	cancel(): void {
		this.#do("cancel", "cancel");
	}
	bye(headers: HeaderList = []): void {
		this.#do("bye", "bye");
		this.byeHeaders.push(headers);
	}
	refer(name: string, headers: HeaderList): void {
		this.#do("refer", `refer ${name}`);
		this.referHeaders.push(headers);
	}
	reinvite(name: string, sdp: string): void {
		this.#do("reinvite", `reinvite ${name}`);
		this.reinvites.push(sdp);
	}
	notify(headers: HeaderList, { status, reason }: { status: number; reason: string }): void {
		const state = headers.find(([name]) => name === "Subscription-State")?.[1] ?? "";
		this.#do("notify", `notify ${status} ${reason} ${state.split(";")[0]}`);
	}
	respond(transaction: string, status: number, _reason?: string, sdp?: string): void {
		this.#do("respond", `respond ${transaction} ${status}${sdp === undefined ? "" : " with SDP"}`);
		if (sdp !== undefined) this.responses.push(sdp);
	}
	#do(command: string, what: string): void {
		this.did.push(what);
		const error = this.throws.get(command);
		if (error !== undefined) throw error;
	}
}

export class FakeUserAgent implements UserAgent {
	readonly advertisedHost = "192.0.2.10:5070";
	readonly invites: { address: string; transport: string; invite: OutgoingInvite }[] = [];
	readonly leg = new FakeLeg();
	/** the name is looked up until this settles; a rejection is thrown */
	resolved: Promise<unknown> = Promise.resolve();
	emit: (event: SipLegEvent) => void = () => {
		throw new Error("no INVITE yet");
	};

	async invite(
		address: string,
		transport: string,
		invite: OutgoingInvite,
		onEvent: (event: SipLegEvent) => void,
		signal?: AbortSignal,
	): Promise<SipLeg> {
		await this.resolved;
		if (signal?.aborted === true) throw new Error("given up before the INVITE left");
		this.invites.push({ address, transport, invite });
		this.emit = onEvent;
		return this.leg;
	}
}

/** An SDP with one G.711 stream; `lines` replace the codecs. */
export function sdpOf(codec: "PCMU" | "PCMA" = "PCMU", address = "198.51.100.7", port = 40_000): string {
	const payloadType = codec === "PCMU" ? 0 : 8;
	return [
		"v=0",
		`o=- 1 1 IN IP4 ${address}`,
		"s=-",
		`c=IN IP4 ${address}`,
		"t=0 0",
		`m=audio ${port} RTP/AVP ${payloadType} 101`,
		`a=rtpmap:${payloadType} ${codec}/8000`,
		"a=rtpmap:101 telephone-event/8000",
		"a=sendrecv",
		"",
	].join("\r\n");
}
