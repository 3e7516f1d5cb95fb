import type { CallEnd, CallState as RecordState, NoiseSuppression, TrunkSettings } from "@trunkline/contracts";
import type {
	CallPatch,
	DigitsCommand,
	HoldCommand,
	MoveCommand,
	RecordingCommand,
	SuppressCommand,
	TransferCommand,
	TransferOutcome,
} from "@trunkline/domain";
import type { PinEntry } from "./pin-entry.ts";
import type { HeaderList, PromptName, RoomCloseReason, RoomEvent, SipLegEvent } from "./ports.ts";
import type { SecondLegEvent } from "./second-leg-types.ts";

/**
 * A call is a reducer: (state, event, now) → state and effects. It owns no socket, no clock and no promise; `runner.ts` carries the
 * effects out and turns what comes back into events, so that every path is tested in simulated time.
 */
export type Phase =
	/** inbound: which trunk, which rule */
	| "deciding"
	/** media port and room are being opened */
	| "preparing"
	/** inbound: 180 sent, nobody in the room yet; outbound: INVITE sent */
	| "ringing"
	/** inbound: 200 sent, no ACK yet */
	| "answering"
	/** inbound: answered, and asked for a PIN; no room yet */
	| "pin"
	/** outbound: answered, post-dial digits being sent */
	| "automation"
	| "active"
	/** our BYE or CANCEL is on its way; everything else is closed already */
	| "ending"
	| "over";

export type TimerName =
	| "ringing"
	| "ring-again"
	| "max-duration"
	| "media-wait"
	| "give-up"
	| "transfer"
	| "transferred"
	| "hold"
	| "pin"
	| "empty-room";

/** A REFER of ours inside the call (RFC 3515). It stays after its outcome was told, while the telephone side may still be at it. */
export interface Transfer {
	/** value of Refer-To */
	readonly target: string;
	/** transfers that wait for the outcome: more than one when the same was asked for again; none once they were told */
	readonly waiting: readonly string[];
	readonly ringingTimeoutMs: number;
	/** name of our request: the first transfer's id */
	readonly refer: string;
	readonly headers: Readonly<Record<string, string>>;
	/** ms; the end of the ringing timeout */
	readonly deadline: number;
	/** its CSeq number, by which NOTIFYs name it (RFC 3515 §2.4.6); known with its response */
	readonly id?: number | undefined;
	/** the telephone side has taken it on: 2xx, or a NOTIFY */
	readonly accepted: boolean;
	/**
	 * pending → done (the target has answered), or late (the ringing timeout is over, and the telephone side was not told to stop); pending → dialling: REFER
	 * was refused, and we call the target ourselves, to join the two
	 */
	readonly stage: "pending" | "dialling" | "done" | "late";
}

/** A REFER of the peer (RFC 3515): its target is called, and takes the telephone's place in the room ("follow"), or the two are joined ("bridge"). */
export interface Referral {
	readonly target: string;
	readonly how: "follow" | "bridge";
	/** the telephone has hung up; its participant waits in the room for the target */
	readonly alone?: boolean;
	/** CSeq number of the REFER */
	readonly id: number;
	/** the peer is told how it goes (RFC 3515 §2.4.4) */
	readonly subscribes: boolean;
}

/**
 * Audio before the answer (RFC 3960 §3, the gateway model), where the trunk wants it. Outbound: what the telephone network says (announcements, its own
 * ringback) is heard in the room. Inbound: the room is heard by the caller.
 */
export type EarlyMedia = "wanted" | "begun";

/** Who has put the call on hold. Ours shows first: it is the one that the room can end. */
export interface Hold {
	/** the telephone does not want to hear the room (RFC 3264 §8.4) */
	readonly remote: boolean;
	/** we have told the telephone that its voice is not wanted */
	readonly local: boolean;
	/** what our side was last asked for; differs from `local` while the re-INVITE is under way */
	readonly wanted: boolean;
	/** our re-INVITE is under way, or waits to be sent again: there is one at a time (RFC 3261 §14.1) */
	readonly asking: boolean;
	readonly entries: number;
}

export interface CallState {
	readonly direction: "inbound" | "outbound";
	readonly phase: Phase;
	readonly mediaOpen: boolean;
	readonly roomJoined: boolean;
	/** somebody in the room can hear: an audio track of theirs is subscribed, or another telephone is there */
	readonly occupied: boolean;
	readonly mediaStarted: boolean;
	readonly ringingSeen: boolean;
	/** inbound: the ACK of our 200 is in */
	readonly acked: boolean;
	readonly maxCallDurationMs: number;
	/** the call ends when nobody else has been in the room for so long; unset: it goes on */
	readonly emptyRoomMs?: number;
	readonly ringingTimeoutMs: number;
	/** outbound only: digits to send after the answer */
	readonly dtmf: string;
	readonly playRingback: boolean;
	/** outbound: the call has failed, and the room hears so */
	readonly lastTone?: boolean;
	/** the REFER that is under way */
	readonly transfer?: Transfer | undefined;
	/** outbound trunk, or "same", that a target is dialled over when the peer refuses REFER; unset: it is not */
	readonly bridgeTrunkId?: string | undefined;
	/** what a REFER of the peer comes to, and the outbound trunk (or "same") that its target is dialled over; unset: it is refused */
	readonly followsRefer?: { readonly how: "follow" | "bridge"; readonly trunkId: string } | undefined;
	/** the peer's REFER that is being followed */
	readonly referral?: Referral | undefined;
	/** the other telephone has the room's place, or this one's place in the room */
	readonly joined?: boolean;
	/** transferred by a REFER of its telephone */
	readonly referred?: boolean;
	/** the telephone hears music in the place of the room, and is not heard there */
	readonly music?: HoldCommand["music"] | undefined;
	/** noise is taken out; unset: it is not */
	readonly suppression?: NoiseSuppression | undefined;
	/** why it is not although it was wanted */
	readonly suppressionProblem?: string;
	/** id of the move to another room that is under way */
	readonly moving?: string | undefined;
	/** audio before the answer; unset: not wanted */
	readonly early?: EarlyMedia;
	/** inbound: somebody who cannot hear has audio in the room */
	readonly roomAudio?: boolean;
	/** unset: nobody has put the call on hold yet */
	readonly hold?: Hold;
	/** inbound: the rule has a PIN, and the caller has not entered it yet */
	readonly pin?: PinEntry | undefined;
	/** CSeq numbers of REFERs that are over */
	readonly staleRefers?: readonly number[];
}

export type Decision =
	| { kind: "accept"; ringingTimeoutMs: number; maxCallDurationMs: number; settings?: TrunkSettings; suppression?: NoiseSuppression }
	/** it is answered before it is known which rule takes it; `length`: of every PIN that would do */
	| { kind: "ask-pin"; maxCallDurationMs: number; length?: number }
	/** not a refusal yet: the caller is asked for credentials and tries again; leaves no record */
	| { kind: "challenge"; status: 401 | 407; headers: HeaderList }
	| { kind: "reject"; status: number; reason: string; end: CallEnd; headers?: HeaderList }
	/** the call may be in these other regions alone: it leaves neither record nor anything else here */
	| { kind: "elsewhere"; status: 302 | 403; reason: string; headers: HeaderList; regions: readonly string[] }
	/** the INVITE takes the place of the telephone leg of another call (RFC 3891): this one is no call of its own */
	| { kind: "take-over" };

export type CallEvent =
	| { type: "start" }
	| { type: "decided"; decision: Decision }
	| { type: "media-opened" }
	| { type: "media-failed"; status: number; reason: string; end: CallEnd }
	| { type: "room-joined"; occupied: boolean }
	| { type: "room-failed"; message: string }
	/** `hears: false`: an ingress has audio there, which nobody hears by */
	| { type: "room-occupied"; hears?: boolean }
	| { type: "room-closed"; reason: RoomCloseReason; message: string }
	/** the last one has left; somebody who is no telephone has come */
	| { type: "room-emptied" | "room-filled" }
	| { type: "room-digits"; digits: string }
	| Extract<RoomEvent, { type: "interrupted" | "restored" | "room-moved" | "track-encrypted" }>
	/** the conditional write to `dialing` found that the call is not ours any more (cancelled, or taken) */
	| { type: "dial-lost" }
	| { type: "unreachable"; message: string }
	/** the project's policy is against the call, or the trunk's limits (503) */
	| { type: "forbidden"; message: string; sipStatus?: 503 }
	/** one of several targets of our INVITE did not take it, or did after others */
	| { type: "attempt"; target: string; outcome: string }
	| { type: "provisional"; status: number }
	/** a 1xx with an SDP answer: packets may come from now on */
	| { type: "early-media" }
	| { type: "answered"; sipCallId: string }
	/** the answer's SDP cannot be used */
	| { type: "answer-unusable"; message: string }
	| { type: "failed"; cause: "status" | "timeout" | "transport" | "auth" | "cancelled"; status?: number; reason?: string; message: string }
	| { type: "cancelled"; cause?: "prack-timeout" }
	| { type: "acked" }
	| { type: "ack-timeout" }
	/** `message`: why, as the telephone says */
	| { type: "bye"; message?: string }
	| { type: "bye-done"; cause?: "gone" | "session-expired" }
	| { type: "media-started" }
	| { type: "media-timeout"; beforeFirstPacket: boolean }
	/** DTLS or ICE has failed */
	| { type: "not-secured"; message: string }
	| { type: "digit"; code: number; digit: string }
	| { type: "digits-sent" }
	/** the telephone is to be put on hold, or taken off it */
	| { type: "hold"; on: boolean }
	/** what came of our re-INVITE for it; `retryAfterMs`: it met one of the telephone */
	| { type: "hold-answered"; on: boolean; ok: boolean; retryAfterMs?: number }
	/** offer and answer have changed what goes on; `heldByPeer`: the telephone does not want to hear us for now */
	| { type: "media-changed"; heldByPeer: boolean }
	| { type: "timer"; name: TimerName }
	| { type: "shutdown" }
	/** somebody asked for it through the API */
	| { type: "hang-up" }
	| { type: "transfer"; command: TransferCommand }
	| Extract<SipLegEvent, { type: "refer-answered" | "refer-progress" | "referred" }>
	| SecondLegEvent
	/** to another room, while the telephone leg stays up */
	| { type: "move"; command: MoveCommand }
	| { type: "moved"; roomName: string; participantId: string }
	| { type: "move-failed"; message: string }
	/** the room is that of another call, whose place this one has taken; its telephone heard that in the place of the room */
	| { type: "room-taken"; music: HoldCommand["music"] }
	/** the caller waits with music, or comes back */
	| { type: "music"; command: HoldCommand }
	| { type: "recording"; command: RecordingCommand }
	/** what was played last has come to its end */
	| { type: "prompts-played" }
	| { type: "pin-checked"; verdict: "accepted" | "wrong" | "locked"; suppression?: NoiseSuppression }
	/** noise is to be taken out from now on, or no more */
	| { type: "suppress"; command: SuppressCommand }
	| { type: "press"; command: DigitsCommand }
	| { type: "suppression-unavailable"; message: string }
	| { type: "fault"; message: string };

export type Effect =
	| { do: "decide" }
	| { do: "open-media" }
	| { do: "join-room" }
	| { do: "ring" }
	/** to the call whose telephone leg the INVITE takes the place of */
	| { do: "hand-over" }
	| { do: "accept" }
	| { do: "reject"; status: number; reason: string; headers?: HeaderList }
	| { do: "dial" }
	| { do: "cancel" }
	| { do: "bye"; reason: string }
	/** 183 with SDP */
	| { do: "early-media" }
	/** before the answer: the telephone is heard in the room; the room is heard on the telephone */
	| { do: "listen" }
	| { do: "speak" }
	| { do: "bridge" }
	/** into the room; `tone`: another one in its place */
	| { do: "ringback"; on: boolean; tone?: "busy" | "congestion" }
	| { do: "send-digits"; digits: string; report: boolean }
	| { do: "digit-to-room"; code: number; digit: string }
	| { do: "refer"; command: TransferCommand }
	| { do: "answer-notify"; transaction: string; status: 200 | 481 }
	/** ringback to the telephone in the place of the room */
	| { do: "dialtone"; on: boolean }
	/** calls somebody whom the call is to be joined to */
	| {
			do: "dial-target";
			target: string;
			trunkId: string;
			headers: Readonly<Record<string, string>>;
			ringingTimeoutMs: number;
			/** it is to take the telephone's place in the room */
			inRoom: boolean;
	  }
	/** the target has answered: the two telephones hear each other, and the room is left */
	| { do: "join-target" }
	/** the target has answered: it has this telephone's place in the room from now on */
	| { do: "give-room" }
	| { do: "drop-target" }
	| { do: "move-room"; roomName: string }
	/** in the place of the room; undefined: the room again */
	| { do: "music"; music: HoldCommand["music"] | undefined }
	/** to the telephone; `prompts-played` says when they are over, unless they are stopped or others take their place */
	| { do: "play-prompts"; names: readonly PromptName[] }
	| { do: "stop-prompts" }
	| { do: "check-pin"; pin: string }
	| { do: "record-audio"; command: RecordingCommand }
	| { do: "suppress"; wanted: NoiseSuppression }
	| { do: "answer-refer"; transaction: string; status: number; reason: string; headers?: HeaderList }
	| { do: "notify-refer"; headers: HeaderList; progress: { status: number; reason: string } }
	| { do: "transfer-outcome"; transferIds: readonly string[]; outcome: TransferOutcome }
	/** re-INVITE: its voice is not wanted for now, or is again */
	| { do: "hold"; on: boolean }
	| { do: "attributes"; attributes: Record<string, string> }
	| { do: "create-record"; ended?: CallEnd }
	| { do: "record"; from: readonly RecordState[]; to: RecordState; event: string; detail?: string; patch?: CallPatch }
	| { do: "end-record"; end: CallEnd }
	| { do: "timer"; name: TimerName; at: number }
	| { do: "clear-timer"; name: TimerName }
	| { do: "leave-room" }
	| { do: "close-media" }
	/** nothing is left to do; the runner lets go of the call */
	| { do: "over" };

export interface Step {
	state: CallState;
	effects: Effect[];
}

/** `now`: ms since the epoch */
export type Reduce = (state: CallState, event: CallEvent, now: number) => Step;

/** LiveKit's default and upper limit of a call, ms (24 h). */
export const MAX_CALL_DURATION_MS = 24 * 3_600_000;

export const step = (state: CallState, changes: Partial<CallState>, ...effects: Effect[]): Step => ({
	state: { ...state, ...changes },
	effects,
});

export const ignore = (state: CallState): Step => ({ state, effects: [] });

/** Everything but the SIP leg is closed; what the leg still needs stands before it in `first`. */
export function finish(state: CallState, phase: "ending" | "over", end: CallEnd, now: number, ...first: Effect[]): Step {
	const effects: Effect[] = [...first];
	for (const name of ["ringing", "max-duration", "media-wait"] as const) effects.push({ do: "clear-timer", name });
	effects.push({ do: "ringback", on: false }, { do: "close-media" }, { do: "leave-room" }, { do: "end-record", end });
	// RFC 3261 Timer F is 32 s; a leg that never reports its end must not keep the call for ever.
	if (phase === "ending") effects.push({ do: "timer", name: "give-up", at: now + 40_000 });
	else effects.push({ do: "clear-timer", name: "give-up" }, { do: "over" });
	return { state: { ...state, phase }, effects };
}

export const hangupStatus = (): Effect => ({ do: "attributes", attributes: { "sip.callStatus": "hangup" } });

export function roomCloseEnd(reason: RoomCloseReason, message: string): CallEnd {
	switch (reason) {
		case "removed":
			return { by: "api", reason: "participant-removed", message: "the participant was removed from the room" };
		case "room-deleted":
		case "room-closed":
			return { by: "room", reason: "room-closed", message: "the room was deleted" };
		case "other-leg":
			return { by: "peer", reason: "hangup", message: "the other telephone has hung up" };
		case "duplicate-identity":
			return { by: "room", reason: "room-closed", message: "another participant joined with the same identity" };
		case "encrypted":
			return { by: "room", reason: "room-failed", message };
		case "client":
		case "server-shutdown":
		case "connection-lost":
		case "join-failed":
			return { by: "room", reason: "room-failed", message: `the connection to the room ended: ${message}` };
	}
}
