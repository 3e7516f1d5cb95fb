import type { CallEnd, DialRequest } from "@trunkline/contracts";
import { endReasonForSipStatus } from "@trunkline/domain";
import { earlyOutbound, earlyToRoom } from "./early-media.ts";
import { ending, established } from "./established.ts";
import { suppressionOf } from "./noise.ts";
import {
	type CallEvent,
	type CallState,
	type Effect,
	finish,
	ignore,
	MAX_CALL_DURATION_MS,
	roomCloseEnd,
	type Step,
	step,
} from "./state.ts";
import { transferState } from "./transfer-state.ts";
import { isCommand, refuseTransfer } from "./transfer.ts";

export function initialOutbound(request: DialRequest): CallState {
	return {
		direction: "outbound",
		phase: "preparing",
		mediaOpen: false,
		roomJoined: false,
		occupied: false,
		mediaStarted: false,
		ringingSeen: false,
		acked: false,
		maxCallDurationMs: Math.min(request.maxCallDurationMs, MAX_CALL_DURATION_MS),
		ringingTimeoutMs: request.ringingTimeoutMs,
		dtmf: request.dtmf,
		playRingback: request.playDialtone,
		...transferState(request.settings, true),
		...earlyToRoom(request.settings),
		...suppressionOf(request.krispEnabled, request.settings),
	};
}

/** Claimed → media and room → `dialing` on the record → INVITE → 18x → 200 → digits → active. */
export function outbound(state: CallState, event: CallEvent, now: number): Step {
	if (isCommand(event) && state.phase !== "active") return refuseTransfer(state, event.command);
	switch (state.phase) {
		case "preparing":
		case "deciding":
		case "pin":
			return preparing(state, event, now);
		case "ringing":
		case "answering":
			return earlyOutbound(state, event) ?? dialing(state, event, now);
		case "automation":
			return automation(state, event, now);
		case "active":
			return established(state, event, now);
		case "ending":
			return state.lastTone === true ? toneInRoom(state, event) : ending(state, event);
		case "over":
			return ignore(state);
	}
}

function preparing(state: CallState, event: CallEvent, now: number): Step {
	switch (event.type) {
		case "start":
			return step(
				state,
				{},
				{ do: "open-media" },
				{ do: "join-room" },
				{ do: "timer", name: "max-duration", at: now + state.maxCallDurationMs },
			);
		case "media-opened":
			return dialWhenReady({ ...state, mediaOpen: true }, now);
		case "room-joined": {
			const joined = dialWhenReady({ ...state, roomJoined: true }, now);
			return {
				state: joined.state,
				effects: [{ do: "record", from: ["claimed", "joining"], to: "joining", event: "joined-room" }, ...joined.effects],
			};
		}
		case "media-failed":
			return finish(state, "over", event.end, now);
		case "room-failed":
			return finish(state, "over", { by: "node", reason: "room-failed", message: event.message }, now);
		default:
			return beforeAnswer(state, event, now);
	}
}

function dialWhenReady(state: CallState, now: number): Step {
	if (!state.mediaOpen || !state.roomJoined) return ignore(state);
	const effects: Effect[] = [{ do: "dial" }, { do: "timer", name: "ringing", at: now + state.ringingTimeoutMs }];
	if (state.playRingback) effects.push({ do: "ringback", on: true });
	return { state: { ...state, phase: "ringing" }, effects };
}

function dialing(state: CallState, event: CallEvent, now: number): Step {
	switch (event.type) {
		case "dial-lost":
			return finish(state, "over", { by: "api", reason: "cancelled", message: "the call was cancelled before it was dialled" }, now);
		case "unreachable":
			return finish(state, "over", { by: "node", reason: "unreachable", message: event.message }, now);
		case "forbidden":
			return finish(state, "over", forbiddenEnd(event), now);
		case "attempt":
			return step(state, {}, attemptRecord(state, event));
		case "provisional":
			// 100 is hop by hop (RFC 3261 §8.2.6.1) and says nothing about the telephone.
			if (event.status === 100 || state.ringingSeen) return ignore(state);
			return step(
				state,
				{ ringingSeen: true },
				{ do: "attributes", attributes: { "sip.callStatus": "ringing" } },
				{ do: "record", from: ["dialing"], to: "ringing", event: "ringing", detail: String(event.status) },
			);
		case "answered":
			return answered(state, event.sipCallId, now);
		case "failed":
			return failed(state, failureEnd(event), now);
		case "answer-unusable":
			return finish(state, "ending", { by: "node", reason: "media-mismatch", message: event.message }, now, {
				do: "bye",
				reason: "unusable answer",
			});
		default:
			return beforeAnswer(state, event, now);
	}
}

/** So that the record says which of a carrier's addresses did what (RFC 3263 §4.3). */
function attemptRecord({ ringingSeen }: CallState, { target, outcome }: Extract<CallEvent, { type: "attempt" }>): Effect {
	// A 302 may come after the telephone has rung for a while.
	const at = ringingSeen ? "ringing" : "dialing";
	return { do: "record", from: [at], to: at, event: "attempt", detail: `${target}: ${outcome}` };
}

function answered(state: CallState, sipCallId: string, now: number): Step {
	const before: Effect[] = [
		{ do: "clear-timer", name: "ringing" },
		{ do: "ringback", on: false },
		{ do: "record", from: ["dialing", "ringing"], to: "ringing", event: "answered", patch: { answeredAt: now, sipCallId } },
	];
	if (state.dtmf === "") return activate(state, before);
	return step(
		state,
		{ phase: "automation" },
		...before,
		{ do: "attributes", attributes: { "sip.callStatus": "automation" } },
		{ do: "send-digits", digits: state.dtmf, report: true },
	);
}

function activate(state: CallState, before: readonly Effect[]): Step {
	return step(
		state,
		{ phase: "active" },
		...before,
		{ do: "bridge" },
		{ do: "attributes", attributes: { "sip.callStatus": "active" } },
		{ do: "record", from: ["dialing", "ringing"], to: "active", event: "active" },
	);
}

function automation(state: CallState, event: CallEvent, now: number): Step {
	if (event.type === "digits-sent") return activate(state, []);
	return established(state, event, now);
}

/** The ways out before anybody has answered. CANCEL goes out whenever an INVITE may have. */
function beforeAnswer(state: CallState, event: CallEvent, now: number): Step {
	const end = abortEnd(state, event);
	if (end === undefined) return event.type === "media-started" ? step(state, { mediaStarted: true }) : ignore(state);
	if (state.phase !== "ringing") return finish(state, "over", end, now);
	return finish(state, "ending", end, now, { do: "cancel" });
}

function abortEnd(state: CallState, event: CallEvent): CallEnd | undefined {
	switch (event.type) {
		case "room-closed":
			return roomCloseEnd(event.reason, event.message);
		case "hang-up":
			return { by: "api", reason: "cancelled" };
		case "shutdown":
			return { by: "node", reason: "shutdown", message: "the media node is shutting down" };
		case "not-secured":
			return { by: "node", reason: "media-mismatch", message: event.message };
		case "fault":
			return { by: "node", reason: "internal-error", message: event.message };
		case "timer":
			if (event.name === "ringing")
				return {
					by: "node",
					reason: "no-answer",
					sipStatus: 408,
					sipReason: "Request Timeout",
					message: `nobody answered within ${state.ringingTimeoutMs} ms`,
				};
			if (event.name === "max-duration")
				return { by: "node", reason: "max-duration", message: `the call reached its limit of ${state.maxCallDurationMs} ms` };
			return undefined;
		default:
			return undefined;
	}
}

/** Long enough to know a busy line by its sound. */
const LAST_TONE_MS = 2_000;

/** Who has heard ringback in the room is to hear that it was in vain, too. The record has its end at once. */
function failed(state: CallState, end: CallEnd, now: number): Step {
	if (!state.playRingback || end.by !== "peer") return finish(state, "over", end, now);
	return step(
		state,
		{ phase: "ending", lastTone: true },
		{ do: "clear-timer", name: "ringing" },
		{ do: "clear-timer", name: "max-duration" },
		{ do: "ringback", on: true, tone: end.reason === "busy" || end.reason === "declined" ? "busy" : "congestion" },
		{ do: "attributes", attributes: { "sip.callStatus": "hangup" } },
		{ do: "end-record", end },
		{ do: "timer", name: "give-up", at: now + LAST_TONE_MS },
	);
}

function toneInRoom(state: CallState, event: CallEvent): Step {
	const isOver = event.type === "timer" ? event.name === "give-up" : ENDS_TONE.has(event.type);
	if (!isOver) return ignore(state);
	return step(
		state,
		{ phase: "over", lastTone: false },
		{ do: "clear-timer", name: "give-up" },
		{ do: "ringback", on: false },
		{ do: "close-media" },
		{ do: "leave-room" },
		{ do: "over" },
	);
}

const ENDS_TONE: ReadonlySet<CallEvent["type"]> = new Set(["room-closed", "hang-up", "shutdown", "fault"]);

function forbiddenEnd({ message, sipStatus }: Extract<CallEvent, { type: "forbidden" }>): CallEnd {
	return { by: "node", reason: "rejected", message, ...(sipStatus === undefined ? {} : { sipStatus, sipReason: "Service Unavailable" }) };
}

function failureEnd(event: Extract<CallEvent, { type: "failed" }>): CallEnd {
	switch (event.cause) {
		case "status": {
			const status = event.status ?? 500;
			return {
				by: "peer",
				reason: endReasonForSipStatus(status),
				sipStatus: status,
				sipReason: event.reason ?? "",
				message: event.message,
			};
		}
		case "auth":
			return {
				by: "peer",
				reason: "unauthorized",
				message: event.message,
				...(event.status === undefined ? {} : { sipStatus: event.status, sipReason: event.reason ?? "" }),
			};
		case "timeout":
			return { by: "node", reason: "unreachable", message: event.message };
		case "transport":
			return { by: "node", reason: "unreachable", message: event.message };
		case "cancelled":
			return { by: "node", reason: "cancelled", message: event.message };
	}
}
