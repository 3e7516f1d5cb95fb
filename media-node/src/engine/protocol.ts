import {
	type AudioUplink,
	type JoinOptions,
	type MediaEvent,
	type MediaSession,
	MediaUnavailableError,
	type RemoteAudioTrack,
	type RoomCodec,
	RoomJoinError,
	type RoomEvent,
	type RoomParticipant,
} from "../call/ports.ts";
import type { MediaPortOptions } from "../media/media-port.ts";

/**
 * What the main thread and a media worker tell each other. Sessions, rooms and pairs have numbers, which the main thread gives; an uplink goes by its room's
 * number, a track by its room's and its sid. Messages are per call and key press, never per packet.
 */
export type ToWorker =
	| { to: "open"; request: number; session: number; port: number; family: 4 | 6 | undefined }
	| { to: "tell"; session: number; call: SessionCall<Told> }
	| { to: "ask"; request: number; session: number; call: SessionCall<Asked> }
	/** what goes on until `stop` of the same number */
	| { to: "play"; session: number; playing: number; call: SessionCall<Played> }
	| { to: "stop"; session: number; playing: number }
	| { to: "join"; request: number; room: number; options: WireJoinOptions; pair: PairSide | undefined }
	| { to: "abort-join"; room: number }
	| { to: "set-attributes"; request: number; room: number; attributes: Record<string, string> }
	| { to: "dtmf"; room: number; code: number; digit: string }
	| { to: "leave"; request: number; room: number }
	/** what `asks` of that number has come to */
	| { to: "answer"; question: number; answer: { value: string } | { code: number | undefined; message: string } }
	| { to: "forget-pair"; pair: number }
	/** closes everything and ends the thread */
	| { to: "close" };

export type FromWorker =
	| { from: "ready" }
	| { from: "done"; request: number; value: unknown }
	| { from: "failed"; request: number; error: WireError }
	| { from: "media"; session: number; event: MediaEvent }
	/** the session's socket is closed: its port is free */
	| { from: "closed"; session: number }
	| { from: "room"; room: number; event: WireRoomEvent }
	| { from: "attributes"; room: number; attributes: Readonly<Record<string, string>> }
	/** something that only the main thread knows */
	| { from: "asks"; room: number; question: number; what: RoomQuestion }
	/** once a second: the thread is alive, how late its clock is, ms, and how many frames have come late since it began */
	| { from: "beat"; lateMs: number; lateFrames: number }
	| { from: "log"; level: "info" | "warn" | "error"; fields: Record<string, unknown>; message: string }
	/** nobody caught it: the thread goes on, but is not to be trusted with new calls */
	| { from: "fault"; error: Error };

/** What a worker is started with. */
export interface WorkerSettings {
	media: Omit<MediaPortOptions, "portRange">;
	beatMs: number;
	/** of rooms; ms */
	roomRecoveryMs?: number | undefined;
	roomRelays?: "auto" | "at-once" | "only" | undefined;
}

/** One of two telephones that are joined in place. */
export interface PairSide {
	pair: number;
	side: "first" | "second";
}

/** Methods of a media session by what comes back: nothing, a promise, or a function that stops it. */
export type Told = Exclude<keyof MediaSession, "localAddress" | "localPort" | "dtlsFingerprint" | Asked | Played>;
export type Asked = "sendDigits" | "playPrompts" | "stats";
export type Played = "ringPhone" | "holdPhone" | "playRingback";

/** A method and its arguments, with numbers in the place of what lives in the worker. */
export type SessionCall<Method extends keyof MediaSession> = {
	[M in Method]: { method: M; args: Wired<Arguments<MediaSession[M]>> };
}[Method];

type Arguments<Method> = NonNullable<Method> extends (...args: infer Args) => unknown ? Args : never;
type Wired<Args extends unknown[]> = { [I in keyof Args]: Args[I] extends AudioUplink | RemoteAudioTrack ? Place : Args[I] };

/** A room's uplink, or with `trackSid` one of its tracks. */
export interface Place {
	room: number;
	trackSid?: string;
}

export const isPlace = (argument: unknown): argument is Place => typeof argument === "object" && argument !== null && "room" in argument;

export type WireJoinOptions = Pick<JoinOptions, "url" | "token" | "publishCodecs" | "trackName"> & {
	/** what the main thread can be asked: `renewToken`, `onRpc` */
	renews: boolean;
	answersRpc: boolean;
};

export type RoomQuestion = { ask: "token" } | { ask: "rpc"; method: string; payload: string; callerIdentity: string };

export type WireRoomEvent =
	| Exclude<RoomEvent, { type: "track-subscribed" }>
	| { type: "track-subscribed"; trackSid: string; participantIdentity: string };

export interface OpenedSession {
	localAddress: string;
	localPort: number;
	dtlsFingerprint: string | undefined;
}

export interface JoinedRoom {
	participantSid: string;
	roomSid: string;
	codec: RoomCodec;
	takesG711: boolean | undefined;
	participants: readonly RoomParticipant[];
	attributes: Readonly<Record<string, string>>;
}

/** Another program has the port. */
export class PortTakenError extends Error {
	override readonly name = "PortTakenError";
}

/** Errors that callers tell apart keep their class; structured clone would make plain ones of them. */
export interface WireError {
	kind: "room-join" | "media-unavailable" | "port-taken" | "other";
	message: string;
	code?: RoomJoinError["code"];
	closeReason?: RoomJoinError["closeReason"];
}

export function wireError(error: unknown): WireError {
	const message = error instanceof Error ? error.message : String(error);
	if (error instanceof RoomJoinError) return { kind: "room-join", message, code: error.code, closeReason: error.closeReason };
	if (error instanceof MediaUnavailableError) return { kind: "media-unavailable", message };
	return { kind: error instanceof PortTakenError ? "port-taken" : "other", message };
}

export function errorOf({ kind, message, code, closeReason }: WireError): Error {
	switch (kind) {
		case "room-join":
			return new RoomJoinError(code ?? "media", message, closeReason === undefined ? {} : { closeReason });
		case "media-unavailable":
			return new MediaUnavailableError(message);
		case "port-taken":
			return new PortTakenError(message);
		case "other":
			return new Error(message);
	}
}
