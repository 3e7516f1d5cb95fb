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

export type RoomCloseReason = "client" | "removed" | "room-deleted" | "room-closed" | "duplicate-identity" | "server-shutdown" | "connection-lost" | "join-failed";

export type RoomEvent =
	| { type: "participant-joined"; participant: RoomParticipant }
	| { type: "participant-left"; participant: RoomParticipant }
	| { type: "track-subscribed"; track: RemoteAudioTrack }
	| { type: "track-unsubscribed"; trackSid: string }
	| { type: "track-muted"; trackSid: string; muted: boolean }
	| { type: "dtmf"; digits: string; participantIdentity: string }
	/** last event; after it nothing else comes */
	| { type: "closed"; reason: RoomCloseReason; message: string };

export interface JoinOptions {
	url: string;
	token: string;
	/** codecs in order of preference; the room publishes with the first one that the server accepts */
	publishCodecs: readonly RoomCodec[];
	/** track name as others see it */
	trackName: string;
	onEvent(event: RoomEvent): void;
}

export interface RoomSession {
	readonly participantSid: string;
	readonly roomSid: string;
	readonly uplink: AudioUplink;
	/** everyone else now */
	participants(): readonly RoomParticipant[];
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
	constructor(code: RoomJoinError["code"], message: string, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
	}
}
