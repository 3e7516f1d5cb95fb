import type { CallEnd } from "@trunkline/contracts";
import { earlyFromRoom, lendRoom, roomPlays } from "./early-media.ts";
import { ending, established } from "./established.ts";
import type { HeaderList } from "./ports.ts";
import {
	type CallEvent,
	type CallState,
	type Decision,
	type Effect,
	finish,
	hangupStatus,
	ignore,
	MAX_CALL_DURATION_MS,
	roomCloseEnd,
	type Step,
	step,
} from "./state.ts";
import { newPinEntry } from "./pin-entry.ts";
import { askForPin, pinPhase } from "./pin.ts";
import { transferState } from "./transfer-state.ts";
import { isCommand, refuseTransfer } from "./transfer.ts";

export const initialInbound: CallState = {
	direction: "inbound",
	phase: "deciding",
	mediaOpen: false,
	roomJoined: false,
	occupied: false,
	mediaStarted: false,
	ringingSeen: false,
	acked: false,
	maxCallDurationMs: MAX_CALL_DURATION_MS,
	ringingTimeoutMs: 180_000,
	dtmf: "",
	playRingback: false,
};

/** INVITE → decision → 180 → media and room → somebody there → 200 → ACK → active. */
export function inbound(state: CallState, event: CallEvent, now: number): Step {
	if (isCommand(event) && state.phase !== "active") return refuseTransfer(state, event.command);
	switch (state.phase) {
		case "deciding":
			return deciding(state, event, now);
		case "preparing":
		case "ringing":
			return lendRoom(waiting(state, event, now));
		case "pin":
			return pinPhase(state, event, now);
		case "answering":
			return answering(state, event, now);
		case "active":
		case "automation":
			return established(state, event, now);
		case "ending":
			return ending(state, event);
		case "over":
			return ignore(state);
	}
}

function deciding(state: CallState, event: CallEvent, now: number): Step {
	switch (event.type) {
		case "start":
			return step(state, {}, { do: "decide" });
		case "decided":
			return decided(state, event.decision, now);
		case "cancelled":
			return step(state, { phase: "over" }, { do: "create-record", ended: { by: "peer", reason: "cancelled" } }, { do: "over" });
		case "fault":
			return refuse(state, 503, "Service Unavailable", { by: "node", reason: "internal-error", message: event.message });
		case "hang-up":
			return refuse(state, 603, "Decline", { by: "api", reason: "declined" });
		case "shutdown":
			return refuse(state, 503, "Service Unavailable", { by: "node", reason: "shutdown" });
		default:
			return ignore(state);
	}
}

function decided(state: CallState, decision: Decision, now: number): Step {
	switch (decision.kind) {
		case "challenge": {
			const reason = decision.status === 407 ? "Proxy Authentication Required" : "Unauthorized";
			return step(state, { phase: "over" }, { do: "reject", status: decision.status, reason, headers: decision.headers }, { do: "over" });
		}
		case "elsewhere":
			return step(
				state,
				{ phase: "over" },
				{ do: "reject", status: decision.status, reason: decision.reason, headers: decision.headers },
				{ do: "over" },
			);
		case "reject":
			return refuse(state, decision.status, decision.reason, decision.end, decision.headers);
		case "take-over":
			return step(state, { phase: "over" }, { do: "hand-over" }, { do: "over" });
		case "ask-pin":
			return step(
				state,
				{ phase: "preparing", maxCallDurationMs: decision.maxCallDurationMs, pin: newPinEntry(decision.length) },
				{ do: "create-record" },
				{ do: "open-media" },
				{ do: "timer", name: "max-duration", at: now + decision.maxCallDurationMs },
			);
		case "accept": {
			const maxCallDurationMs = Math.min(decision.maxCallDurationMs, MAX_CALL_DURATION_MS);
			return step(
				state,
				{
					phase: "preparing",
					ringingTimeoutMs: decision.ringingTimeoutMs,
					maxCallDurationMs,
					...transferState(decision.settings),
					...earlyFromRoom(decision.settings),
				},
				{ do: "create-record" },
				{ do: "ring" },
				{ do: "open-media" },
				{ do: "join-room" },
				{ do: "timer", name: "ringing", at: now + decision.ringingTimeoutMs },
				{ do: "timer", name: "ring-again", at: now + RING_AGAIN_MS },
				// Counts from before the room is joined, ringing included (as LiveKit does).
				{ do: "timer", name: "max-duration", at: now + maxCallDurationMs },
			);
		}
	}
}

/** Refused before anything was opened. */
function refuse(state: CallState, status: number, reason: string, end: CallEnd, headers?: HeaderList): Step {
	return step(
		state,
		{ phase: "over" },
		{ do: "reject", status, reason, ...(headers === undefined ? {} : { headers }) },
		{ do: "create-record", ended: { sipStatus: status, sipReason: reason, ...end } },
		{ do: "over" },
	);
}

function waiting(state: CallState, event: CallEvent, now: number): Step {
	switch (event.type) {
		case "media-opened":
			return answerWhenReady({ ...state, mediaOpen: true });
		case "room-joined": {
			const joined = answerWhenReady({ ...state, phase: "ringing", roomJoined: true, occupied: state.occupied || event.occupied });
			return {
				state: joined.state,
				effects: [{ do: "record", from: ["received"], to: "ringing", event: "joined-room" }, ...joined.effects],
			};
		}
		case "room-occupied":
			return event.hears === false && state.early !== undefined ? roomPlays(state) : answerWhenReady({ ...state, occupied: true });
		case "media-failed":
			return giveUp(state, event.status, event.reason, event.end, now);
		case "room-failed":
			return giveUp(state, 503, "Service Unavailable", { by: "node", reason: "room-failed", message: event.message }, now);
		case "room-closed":
			return roomClosed(state, event, now);
		case "timer":
			if (event.name === "ring-again") return step(state, {}, { do: "ring" }, { do: "timer", name: "ring-again", at: now + RING_AGAIN_MS });
			if (event.name !== "ringing" && event.name !== "max-duration") return ignore(state);
			// RFC 3261 §21.4.18: reached, but nobody is available.
			return giveUp(
				state,
				480,
				"Temporarily Unavailable",
				{ by: "node", reason: "no-answer", message: "nobody in the room could hear the caller in time" },
				now,
			);
		case "media-started":
			return step(state, { mediaStarted: true });
		case "cancelled":
			return cancelled(state, event, now);
		case "hang-up":
			return giveUp(state, 603, "Decline", { by: "api", reason: "declined" }, now);
		case "shutdown":
			return giveUp(state, 503, "Service Unavailable", { by: "node", reason: "shutdown" }, now);
		case "not-secured":
			return giveUp(state, 488, "Not Acceptable Here", { by: "node", reason: "media-mismatch", message: event.message }, now);
		case "fault":
			return giveUp(state, 500, "Server Internal Error", { by: "node", reason: "internal-error", message: event.message }, now);
		default:
			return ignore(state);
	}
}

function cancelled(state: CallState, { cause }: Extract<CallEvent, { type: "cancelled" }>, now: number): Step {
	const end: CallEnd =
		cause === undefined
			? { by: "peer", reason: "cancelled", sipStatus: 487, sipReason: "Request Terminated" }
			: {
					by: "node",
					reason: "peer-gone",
					sipStatus: 504,
					sipReason: "Server Time-out",
					message: "the telephone never acknowledged a provisional response (PRACK, RFC 3262)",
				};
	return finish(state, "over", end, now, hangupStatus());
}

/** RFC 3261 §13.3.1.1: a provisional response every minute, or proxies on the way give the INVITE up (their Timer C). */
const RING_AGAIN_MS = 60_000;

/** 603 ends a call for good (RFC 3261 §21.6.2): only when somebody wanted that. A room that broke is a 503, and the carrier may try elsewhere. */
function roomClosed(state: CallState, { reason, message }: Extract<CallEvent, { type: "room-closed" }>, now: number): Step {
	const end = roomCloseEnd(reason, message);
	// no other node would understand that room either
	if (reason === "encrypted") return giveUp(state, 488, "Not Acceptable Here", end, now);
	return end.reason === "room-failed" ? giveUp(state, 503, "Service Unavailable", end, now) : giveUp(state, 603, "Decline", end, now);
}

function answerWhenReady(state: CallState): Step {
	// The room comes with the PIN; until then the call costs no more than a port.
	if (state.pin !== undefined && state.mediaOpen) return step(state, { phase: "answering" }, { do: "accept" });
	if (!state.mediaOpen || !state.roomJoined || !state.occupied) return ignore(state);
	const effects: Effect[] = [
		{ do: "clear-timer", name: "ringing" },
		{ do: "clear-timer", name: "ring-again" },
		{ do: "accept" },
		{ do: "bridge" },
	];
	if (state.early === "begun") effects.unshift({ do: "dialtone", on: false });
	return { state: { ...state, phase: "answering" }, effects };
}

function giveUp(state: CallState, status: number, reason: string, end: CallEnd, now: number): Step {
	return finish(state, "over", { sipStatus: status, sipReason: reason, ...end }, now, { do: "reject", status, reason });
}

/** 200 is out. `active` begins with the first audio after the ACK, or a second later (LiveKit's rule). */
function answering(state: CallState, event: CallEvent, now: number): Step {
	switch (event.type) {
		case "acked":
			if (state.pin !== undefined) return askForPin({ ...state, acked: true }, now);
			if (state.mediaStarted) return active(state, now);
			return step(state, { acked: true }, { do: "timer", name: "media-wait", at: now + 1_000 });
		// The 200 may still wait for the PRACK of a reliable 183 (RFC 3262 §3).
		case "cancelled":
			return cancelled(state, event, now);
		case "media-started":
			return state.acked ? active({ ...state, mediaStarted: true }, now) : step(state, { mediaStarted: true });
		case "timer":
			return event.name === "media-wait" ? active(state, now) : established(state, event, now);
		default:
			return established(state, event, now);
	}
}

function active(state: CallState, now: number): Step {
	return step(
		state,
		{ phase: "active" },
		{ do: "clear-timer", name: "media-wait" },
		{ do: "attributes", attributes: { "sip.callStatus": "active" } },
		{ do: "record", from: ["received", "ringing"], to: "active", event: "answered", patch: { answeredAt: now } },
	);
}
