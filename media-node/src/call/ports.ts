import type { NoiseSuppression } from "@trunkline/contracts";
import type { QualitySample, QualitySummary } from "@trunkline/rtp";
import type { Replaces } from "@trunkline/sip";
import type { DigitsCommand, HoldCommand, MoveCommand, RecordingCommand, SuppressCommand, TransferCommand } from "@trunkline/domain";
import type { NegotiatedCrypto, NegotiatedDtls, NegotiatedIce, OpusParameters } from "@trunkline/sdp";
import type { SessionTimerOptions } from "@trunkline/sip";

/**
 * What a call needs from the media and room sides. `media/` and `room/` implement these; only `main.ts` (and `wire.ts`) know both.
 * Audio goes media ⇄ room directly through `EncodedFrame`s; no call object is on the 20 ms path.
 */
export type RoomCodec = "PCMU" | "PCMA" | "opus";

/**
 * One RTP payload with what must survive re-stamping. The receiver of a frame must not keep `payload` after it returns: buffers are reused.
 */
export interface EncodedFrame {
	codec: RoomCodec;
	payload: Uint8Array;
	/** RTP timestamp in the codec's clock (8 kHz for G.711, 48 kHz for Opus); wraps at 2^32 */
	timestamp: number;
	/** RTP sequence number; wraps at 2^16 */
	sequence: number;
	marker: boolean;
}

/** Where a call's audio towards the room goes: one published track. */
export interface AudioUplink {
	readonly codec: RoomCodec;
	/** G.711 of either law is taken as it is, and so is Opus; each frame says its own */
	readonly takesG711?: boolean;
	/** `level` = RFC 6464 audio level, -dBov 0 (loud) … 127 (silence) */
	write(frame: EncodedFrame, level: number): void;
}

/** One subscribed audio track of somebody else in the room. */
export interface RemoteAudioTrack {
	readonly trackSid: string;
	readonly participantIdentity: string;
	/** the codec of the latest packet may change between packets; each frame says its own */
	onFrame(listener: (frame: EncodedFrame) => void): void;
}

export type RoomParticipantKind = "standard" | "ingress" | "egress" | "sip" | "agent" | "other";

export interface RoomParticipant {
	sid: string;
	identity: string;
	kind: RoomParticipantKind;
}

export type RoomCloseReason =
	| "client"
	| "removed"
	| "room-deleted"
	| "room-closed"
	| "duplicate-identity"
	/** of two telephones joined in place: the other one has hung up */
	| "other-leg"
	/** all audio in it is encrypted from end to end */
	| "encrypted"
	| "server-shutdown"
	| "connection-lost"
	| "join-failed";

export type RoomEvent =
	| { type: "participant-joined"; participant: RoomParticipant }
	| { type: "participant-left"; participant: RoomParticipant }
	| { type: "track-subscribed"; track: RemoteAudioTrack }
	| { type: "track-unsubscribed"; trackSid: string }
	| { type: "track-muted"; trackSid: string; muted: boolean }
	/** Somebody's audio is encrypted from end to end, and is not subscribed to. */
	| { type: "track-encrypted"; participantIdentity: string }
	| { type: "dtmf"; digits: string; participantIdentity: string }
	/** The connection to the room is gone; it is sought again, and the telephone stays. */
	| { type: "interrupted"; message: string }
	/** It is back: as the same participant, or as a new one with another SID. */
	| { type: "restored"; how: "resume" | "rejoin"; afterMs: number; participantSid: string }
	/** The server has moved the participant to another room. */
	| { type: "room-moved"; roomName: string; participantSid: string }
	/** last event; after it nothing else comes */
	| { type: "closed"; reason: RoomCloseReason; message: string };

export interface JoinOptions {
	url: string;
	token: string;
	/** codecs in order of preference; the room publishes with the first one that the server accepts */
	publishCodecs: readonly RoomCodec[];
	/** track name as others see it */
	trackName: string;
	/** sessions and media of the same place can be plugged into each other; unset: the room is in no call */
	place?: string;
	onEvent(event: RoomEvent): void;
	/** the participant's own attributes, whenever the server tells them */
	onAttributes?(attributes: Readonly<Record<string, string>>): void;
	/** a token of now, for a rejoin long after the join; unset: the one of the join has to do */
	renewToken?(): Promise<string>;
	/** Answers a participant's RPC. Rejects with RoomRpcError; unset: there are no methods. */
	onRpc?(method: string, payload: string, callerIdentity: string): Promise<string>;
}

/** An answer to a participant's RPC that is an error; codes as LiveKit's SDKs have them. */
export class RoomRpcError extends Error {
	override readonly name = "RoomRpcError";
	readonly code: number;
	constructor(code: number, message: string) {
		super(message);
		this.code = code;
	}
}

export interface RoomSession {
	readonly participantSid: string;
	readonly roomSid: string;
	readonly uplink: AudioUplink;
	/** everyone else now */
	participants(): readonly RoomParticipant[];
	/** the participant's own attributes as the server last told them */
	attributes(): Readonly<Record<string, string>>;
	/** merges into the participant's attributes; "" deletes a key */
	setAttributes(attributes: Record<string, string>): Promise<void>;
	/** reliable LiveKit SipDTMF data packet to everybody */
	sendDtmf(code: number, digit: string): void;
	/** leaves the room and frees everything; idempotent */
	close(): Promise<void>;
}

/** Rejects with RoomJoinError (below) when the room cannot be joined. */
export interface RoomConnector {
	join(options: JoinOptions, signal?: AbortSignal): Promise<RoomSession>;
}

export class RoomJoinError extends Error {
	override readonly name = "RoomJoinError";
	/** "unauthorized": key, secret or grants; "unreachable": no server there; "refused": the server said no; "timeout"; "aborted" by the caller */
	readonly code: "unauthorized" | "unreachable" | "refused" | "timeout" | "aborted" | "media";
	/** set when we were in already and were put out before all was connected */
	readonly closeReason: RoomCloseReason | undefined;
	constructor(code: RoomJoinError["code"], message: string, options?: ErrorOptions & { closeReason?: RoomCloseReason }) {
		super(message, options);
		this.code = code;
		this.closeReason = options?.closeReason;
	}
}

/** Audio codecs towards the telephone. */
export type PhoneCodec = "PCMU" | "PCMA" | "G722" | "opus";

/** What an offer/answer exchange settled (packages/sdp gives it). */
export interface NegotiatedAudio {
	codec: PhoneCodec;
	/** of what we send */
	payloadType: number;
	receivePayloadType: number;
	/** RFC 4733; unset when the peer has none: digits then go in-band */
	telephoneEventPayloadType?: number;
	telephoneEventReceivePayloadType?: number;
	/** of its RTP clock; unset = 8000 */
	telephoneEventClockRate?: number;
	/** what the peer would like to get, when the codec is opus */
	opus?: OpusParameters;
	remote: { address: string; port: number };
	/** unset: at the port after RTP's */
	rtcp?: { mux: boolean; address: string; port: number /** the telephone asks for them (RFC 3611 §5.1) */; voipMetrics?: true };
	/** SRTP and its keys; unset: in the clear. The same key again means that its context goes on. */
	srtp?: NegotiatedCrypto;
	/** SRTP whose keys a DTLS handshake gives; until then nothing passes */
	dtls?: NegotiatedDtls;
	/** the peer's checks tell where media go, in the place of `remote` */
	ice?: NegotiatedIce;
	/** from our side: may we send, does the peer send */
	sends: boolean;
	receives: boolean;
}

export type MediaEvent =
	/** first RTP packet of the peer */
	| { type: "media-started" }
	/** a digit began, once per key press; `inBand`: heard as tones */
	| { type: "digit"; code: number; digit: string; inBand?: true }
	/** the file of a recording is complete, as far as `problem` does not say otherwise; may come after `close` */
	| { type: "recorded"; file: string; durationMs: number; bytes: number; problem?: string }
	/** how the latest seconds were, both ways: every 5 s of a call that is answered */
	| { type: "quality"; uplink: QualitySample; downlink: QualitySample }
	/** the handshake of DTLS-SRTP is over, with this suite */
	| { type: "secured"; suite: string }
	/** it failed, or the peer is not who its SDP says: there will be no audio */
	| { type: "not-secured"; message: string }
	/** nothing received for too long */
	| { type: "media-timeout"; beforeFirstPacket: boolean }
	/** last event: the session has failed, and with it the call */
	| { type: "media-lost"; message: string }
	/** noise suppression is off although it was wanted, and stays off: no model, or it failed */
	| { type: "suppression-unavailable"; message: string };

export interface MediaStats {
	packetsReceived: number;
	packetsSent: number;
	packetsLost: number;
	packetsRefused: number;
	/** that SRTP did not let in: forged, replayed, in the clear, or under another key */
	srtpErrors: number;
	/** RFC 3550 §6.4.1, ms */
	jitterMs: number;
	/** of the whole call; unset when it was never answered. Uplink = telephone → room. */
	quality?: { uplink: QualitySummary; downlink: QualitySummary };
}

/** What somebody hears who waits. */
export type HoldMusic = "tune" | "silence";

/** What a caller hears while nobody answers, or when nobody will. */
export type ProgressToneName = "ringback" | "busy" | "congestion";

/** Spoken words; the media side has them as files, in the trunk's language. */
export type PromptName = "enter-pin" | "wrong-pin" | "joining" | "goodbye";

/** The RTP side of one call: one UDP port, one peer. */
export interface MediaSession {
	readonly localAddress: string;
	readonly localPort: number;
	/** SHA-256 of the certificate for DTLS-SRTP; unset: there is none */
	readonly dtlsFingerprint?: string | undefined;
	/**
	 * (Re)configures after offer/answer; packets are taken in from now on. Nothing is sent before `connect` or `sendDigits`: the answer may still be to
	 * come. `signallingAddress` may send too (symmetric RTP behind NAT). `anotherPeer`: of another telephone than before, whose packets count no more.
	 */
	start(negotiated: NegotiatedAudio, signallingAddress: string, anotherPeer?: boolean): void;
	/** From now on the telephone's audio goes to the room, and what the room says is sent to the telephone. */
	connect(uplink: AudioUplink): void;
	/** The first half of `connect`, before the answer: nothing is sent yet. */
	listen(uplink: AudioUplink): void;
	/** The second half of `connect`, before the answer: the telephone is not heard yet. */
	speak(): void;
	addTrack(track: RemoteAudioTrack): void;
	removeTrack(trackSid: string): void;
	muteTrack(trackSid: string, muted: boolean): void;
	/** Sends digits to the telephone, one after the other; `w` = 500 ms pause. Resolves when they are out or the session is closed. */
	sendDigits(digits: string): Promise<void>;
	/** Plays ringback to the telephone in the place of the room until stopped, as in that country (ISO 3166; unset: ETSI's); gives the stop. */
	ringPhone(country?: string): () => void;
	/** The telephone hears music in the place of the room, and is not heard there, until stopped; gives the stop. */
	holdPhone(music: HoldMusic): () => void;
	/** From now on; before it (and where both are false) the audio is not touched. */
	setNoiseSuppression(wanted: NoiseSuppression): void;
	/**
	 * The telephone hears these one after the other in the place of the room. Resolves when they are over, are stopped, or the session is closed; what is
	 * played next stops them.
	 */
	playPrompts(names: readonly PromptName[], language: string): Promise<void>;
	stopPrompts(): void;
	/**
	 * Both directions go into this stereo WAV file from now on: what the telephone says on the left, what it hears on the right. `notice`: both sides hear a
	 * beep every 15 s. Ends with `stopRecording` or `close`; `recorded` says when the file is complete.
	 */
	record(file: string, notice: boolean): void;
	stopRecording(): void;
	/** Plays ringback, or what a caller hears in its place, into the room until stopped, as in that country (unset: ETSI's); gives the stop. */
	playRingback(uplink: AudioUplink, country?: string, tone?: ProgressToneName): () => void;
	/**
	 * Until `proven`, packets are sent only once some have come from the peer: the address in the SDP of an INVITE that anybody could have sent may be
	 * somebody else's, who must not get half a minute of audio for one forged packet.
	 */
	awaitProof?(): void;
	/** The peer has acknowledged our answer: it gets what is sent to the address that it gave. */
	proven?(): void;
	/** Watch for silence on the wire: ms until the first packet, ms between packets later. */
	watch(firstPacketMs: number, laterMs: number): void;
	/** as they are when it is called, also where a promise gives them later */
	stats(): MediaStats | Promise<MediaStats>;
	close(): void;
}

/** Where recordings are while they are made, and after that. */
export interface Recordings {
	/** The file that the media side writes; its directory is there. */
	begin(key: string): Promise<string>;
	/** Takes a complete file. Rejects when it could not; the file stays, to be taken at the node's next start. */
	keep(key: string, file: string): Promise<void>;
}

export class MediaUnavailableError extends Error {
	override readonly name = "MediaUnavailableError";
}

export interface MediaPort {
	/**
	 * Reserves a port, of that IP family where the node has both. `place`: see JoinOptions. Throws MediaUnavailableError when the range is used up, or when
	 * nothing is there that could carry audio.
	 */
	open(onEvent: (event: MediaEvent) => void, family?: 4 | 6, place?: string): Promise<MediaSession>;
}

export type HeaderList = readonly (readonly [name: string, value: string])[];

/** One INVITE usage, as the call sees it; ua/ implements it. */
export interface SipLeg {
	/** 1xx. `reliable`: repeated until its PRACK (RFC 3262) where the peer supports that; with a peer that requires it all are. */
	ring(status: number, headers?: HeaderList, sdp?: string, reliable?: boolean): void;
	/** 200; without SDP when the offer was answered before, reliably. It waits for the PRACK of a 1xx with SDP. */
	accept(sdp: string | undefined, headers?: HeaderList, sessionTimer?: SessionTimerOptions): void;
	reject(status: number, reason: string, headers?: HeaderList): void;
	cancel(headers?: HeaderList): void;
	bye(headers?: HeaderList): void;
	/** Sends REFER inside the dialog (RFC 3515); `refer-answered` with this name comes back. `headers` have Refer-To. */
	refer(name: string, headers: HeaderList): void;
	/** Sends a re-INVITE with this offer; `reinvite-answered` with this name comes back. The ACK of a 2xx is sent at once. */
	reinvite(name: string, sdp: string, headers?: HeaderList): void;
	/** NOTIFY of how a REFER of the peer goes (RFC 3515 §2.4.4); its answer is not waited for. `headers` have Event and Subscription-State. */
	notify(headers: HeaderList, progress: { status: number; reason: string }): void;
	/** answers a re-INVITE or another request inside the dialog */
	respond(transaction: string, status: number, reason?: string, sdp?: string, headers?: HeaderList): void;
}

export interface OutgoingInvite {
	callId: string;
	localTag: string;
	requestUri: string;
	from: { uri: string; displayName?: string };
	to: { uri: string };
	headers: HeaderList;
	sdp: string;
	/** takes reliable provisional responses (RFC 3262) */
	reliable?: boolean;
	auth?: { username: string; password: string };
	/** RFC 4028; unset: as the user agent does by default */
	sessionTimer?: SessionTimerOptions;
	routing?: InviteRouting;
	/** over TLS: the name that the certificate must have (unset = the host of the address), and what the trunk wants beside it */
	tls?: { serverName: string | null; minVersion: "TLSv1.2" | "TLSv1.3"; clientCertificate: string | null };
}

/** How an INVITE of ours may go on when its first target does not take it. */
export interface InviteRouting {
	/** final answers after which the next target is tried (RFC 3263 §4.3); unset = 503 alone */
	failoverStatuses?: readonly number[];
	/** unset = a 3xx ends the call */
	redirects?: {
		/** where a 3xx may lead (RFC 3261 §8.1.3.4): host, `*.domain` or `*` */
		hosts: readonly string[];
		/** why the project may not call these URIs; undefined = it may */
		mayCall(targets: readonly string[]): Promise<string | undefined>;
	};
}

/** What happens to a leg, with headers already read. `headers` are the message's, in order. */
export type SipLegEvent =
	/** `remoteTag` tells the early dialogs of several forks apart; a 199 ends one (RFC 6228) */
	| { type: "provisional"; status: number; reason: string; headers: HeaderList; sdp?: string; remoteTag: string; source: string }
	| { type: "answered"; sdp?: string; headers: HeaderList; sipCallId: string; remoteTag: string /** network source */; source: string }
	| {
			type: "failed";
			status?: number;
			reason?: string;
			cause: "status" | "timeout" | "transport" | "auth" | "cancelled";
			headers: HeaderList;
			message: string;
	  }
	/** one of several targets of an INVITE of ours: what came of it */
	| { type: "attempt"; target: string; outcome: string }
	/** with a cause: our reliable 1xx was never acknowledged, and the INVITE got 504 */
	| { type: "cancelled"; cause?: "prack-timeout" }
	/** a reliable 1xx of ours has come; SDP answers the offer in it, or is a new offer to be answered when there is a transaction */
	| { type: "pracked"; transaction?: string; sdp?: string }
	/** UPDATE (RFC 3311), to be answered with `respond`; without SDP it changes nothing of the media */
	| { type: "update"; transaction: string; headers: HeaderList; sdp?: string }
	/** with SDP when the 200 held an offer of ours */
	| { type: "acked"; sdp?: string }
	| { type: "ack-timeout" }
	| { type: "bye"; headers: HeaderList }
	/** the leg is over by our doing; `cause` says when it was not a BYE of the call's that ended it */
	| { type: "bye-done"; cause?: "gone" | "session-expired" }
	| { type: "reinvite"; transaction: string; headers?: HeaderList; sdp?: string }
	/** the final response to a re-INVITE of ours, or why there is none; `retryAfterMs`: it met one of the peer (RFC 3261 §14.1) */
	| {
			type: "reinvite-answered";
			name: string;
			headers: HeaderList;
			status?: number;
			reason?: string;
			sdp?: string;
			cause?: "timeout" | "transport" | "auth" | "ended" | "glare";
			retryAfterMs?: number;
	  }
	/** the peer's answer to a refresh of ours (RFC 4028) */
	| { type: "refreshed"; sdp?: string }
	/** INFO; answered with 200 already */
	| { type: "info-digits"; digits: string }
	| { type: "in-dialog"; transaction: string; method: string }
	/** a REFER of the peer; `refused` = the answer to one that nobody can follow */
	| {
			type: "referred";
			transaction: string;
			refer?: { target: string; id: number; subscribes: boolean; referredBy?: string };
			refused?: { status: number; reason: string };
	  }
	/** the final response to a REFER of ours, or why there is none; `id` = the REFER's CSeq number */
	| {
			type: "refer-answered";
			refer: string;
			id?: number;
			status?: number;
			reason?: string;
			cause?: "timeout" | "transport" | "auth" | "ended" | "glare";
	  }
	/** a NOTIFY of how a REFER goes (RFC 3515 §2.4.4), to be answered with `respond` */
	| {
			type: "refer-progress";
			transaction: string;
			id?: number;
			terminated: boolean;
			progress?: { status: number; reason: string };
	  };

export interface UserAgent {
	/**
	 * Resolves the address, sends the INVITE. Rejects with UnreachableError when the address cannot be resolved, when the transport is not one that
	 * this user agent has, and when `signal` was aborted before the INVITE left: it then never leaves.
	 */
	invite(
		address: string,
		transport: string,
		invite: OutgoingInvite,
		onEvent: (event: SipLegEvent) => void,
		signal?: AbortSignal,
	): Promise<SipLeg>;
	/** host:port that SDP and Contact advertise */
	readonly advertisedHost: string;
}

export class UnreachableError extends Error {
	override readonly name = "UnreachableError";
}

export interface Clock {
	/** ms since the epoch */
	now(): number;
	/** calls back once at `at`; gives the cancel */
	wakeAt(at: number, callback: () => void): () => void;
}

/** A live call whose telephone leg another INVITE may take the place of. */
export interface ReplaceableCall {
	readonly callId: string;
	readonly projectId: string;
	/** our number in the call: what the new INVITE is judged by, as if it had been called */
	readonly ownNumber: string;
	/** the trunk's `settings.transfer.replaces` */
	readonly allowed: boolean;
	/** answered, and in a room or joined to another telephone */
	readonly confirmed: boolean;
	/** The room hears the new telephone from now on, and the old one gets BYE. Answers the INVITE; gives who listens to its leg from now on. */
	takeOver(invite: InboundInvite, leg: SipLeg): (event: SipLegEvent) => void;
}

/** A call as the node's owner of it sees it. */
export interface LiveCall {
	readonly callId: string;
	/** when a Replaces names its dialog */
	replaceable?(replaces: Replaces): ReplaceableCall | undefined;
	dispatch(
		event:
			| { type: "start" | "shutdown" | "hang-up" }
			| { type: "hold"; on: boolean }
			| { type: "transfer"; command: TransferCommand }
			| { type: "move"; command: MoveCommand }
			| { type: "music"; command: HoldCommand }
			| { type: "suppress"; command: SuppressCommand }
			| { type: "press"; command: DigitsCommand }
			| { type: "recording"; command: RecordingCommand },
	): void;
}

/** An INVITE that opens a call, read once. */
export interface InboundInvite {
	/** our tag in the dialog */
	localTag: string;
	sipCallId: string;
	remoteTag: string;
	requestUri: string;
	from: { user: string; host: string; displayName: string };
	to: { user: string; host: string };
	/** network source of the packet, never what a header claims */
	source: { address: string; port: number /** unset = UDP */; transport?: string };
	headers: HeaderList;
	/** its sender takes reliable provisional responses (RFC 3262), or takes no others; unset = "none" */
	reliable?: "none" | "supported" | "required";
	sdp?: string;
}
