import type { CallEnd } from "@trunkline/contracts";
import { referToOf } from "@trunkline/domain";
import { referAcceptedHeaders, referNotifyHeaders } from "@trunkline/sip";
import { type CallEvent, type CallState, type Effect, finish, hangupStatus, ignore, type Referral, type Step, step } from "./state.ts";
import { HANG_UP_AFTER_MS, joinTarget, recorded, transferredEnd } from "./transfer-effects.ts";

/** As long as LiveKit lets a transfer ring. */
const RINGING_TIMEOUT_MS = 30_000;

/** A REFER of the peer (RFC 3515 as its receiver) in an answered call; `rest` is what the call does otherwise. */
export function withReferral(state: CallState, event: CallEvent, now: number, rest: (state: CallState) => Step): Step {
	const { referral } = state;
	if (referral?.alone === true) return waiting(state, referral, event, now, rest);
	switch (event.type) {
		case "referred":
			return referred(state, event);
		case "target-ringing":
			if (referral !== undefined) return step(state, {}, ...told(referral, event.status, event.reason, false));
			break;
		case "target-answered":
			if (referral !== undefined) return answered(state, referral, event.callId, now);
			break;
		case "target-failed":
			if (referral !== undefined) return failed(state, referral, event.end);
			break;
		case "bye":
			if (referral?.how === "follow") return left(state, referral);
			break;
		default:
	}
	return rest(state);
}

/** RFC 5589 §6.1: the transferor may hang up as soon as it has its 202, and the transfer goes on. The participant is there for the target. */
function left(state: CallState, referral: Referral): Step {
	return step(
		state,
		{ referral: { ...referral, alone: true, subscribes: false } },
		{ do: "close-media" },
		recorded("referrer-hung-up", referral.target),
	);
}

/** There is no telephone until the target answers. */
function waiting(state: CallState, referral: Referral, event: CallEvent, now: number, rest: (state: CallState) => Step): Step {
	switch (event.type) {
		case "target-answered": {
			const given = answered(state, referral, event.callId, now);
			return finish(given.state, "over", transferredEnd(given.state), now, ...given.effects);
		}
		case "target-failed": {
			const message = `the telephone hung up after its REFER, and the target was not reached: ${describe(event.end)}`;
			return finish({ ...state, referral: undefined }, "over", { by: "peer", reason: "hangup", message }, now, hangupStatus());
		}
		case "target-ringing":
		case "bye-done":
		case "ack-timeout":
		case "media-timeout":
			return ignore(state);
		default:
			return withoutBye(rest(state));
	}
}

/** Nobody is there to hang up on, nor to wait for. */
function withoutBye({ state, effects }: Step): Step {
	if (state.phase !== "ending") return { state, effects };
	const others = effects.filter((effect) => effect.do !== "bye" && !(effect.do === "timer" && effect.name === "give-up"));
	return { state: { ...state, phase: "over", referral: undefined }, effects: [...others, { do: "over" }] };
}

/** RFC 3515 §2.4.2 */
function referred(state: CallState, { transaction, refer, refused }: Extract<CallEvent, { type: "referred" }>): Step {
	const answer = (status: number, reason: string): Step => step(state, {}, { do: "answer-refer", transaction, status, reason });
	if (refer === undefined) return answer(refused?.status ?? 400, refused?.reason ?? "Bad Request");
	const { followsRefer } = state;
	if (followsRefer === undefined) return answer(603, "Decline");
	// RFC 5057 §5.1: a 4xx of this kind ends neither dialog nor usage.
	if (
		state.phase !== "active" ||
		state.referral !== undefined ||
		state.moving !== undefined ||
		state.joined === true ||
		state.transfer?.stage === "pending" ||
		state.transfer?.stage === "dialling"
	)
		return answer(491, "Request Pending");
	const { how, trunkId } = followsRefer;
	const referral: Referral = { how, target: refer.target, id: refer.id, subscribes: refer.subscribes };
	const inRoom = how === "follow";
	const target = referToOf(refer.target);
	return step(
		state,
		{ referral },
		{ do: "answer-refer", transaction, status: 202, reason: "Accepted", headers: referAcceptedHeaders(referral) },
		// §2.4.4: "Each NOTIFY … the agent MUST immediately … send a NOTIFY": the first one says that it is being tried.
		...told(referral, 100, "Trying", false),
		recorded("referred", refer.target),
		{
			do: "dial-target",
			target,
			trunkId,
			headers: refer.referredBy === undefined ? {} : { "Referred-By": refer.referredBy },
			ringingTimeoutMs: RINGING_TIMEOUT_MS,
			inRoom,
		},
	);
}

/** The target has answered. */
function answered(state: CallState, referral: Referral, callId: string, now: number): Step {
	const over = { referral: undefined, joined: true, referred: true } as const;
	if (referral.how === "bridge")
		return step(state, over, hangupStatus(), ...joinTarget(referral.target, callId, now), ...told(referral, 200, "OK", true));
	return step(
		state,
		over,
		{ do: "give-room" },
		// The room has one voice of the participant: that of the target from now on.
		{ do: "close-media" },
		{ ...recorded("transferred", referral.target), patch: { bridgedWith: callId, leftRoomAt: now } },
		...told(referral, 200, "OK", true),
		{ do: "timer", name: "transferred", at: now + HANG_UP_AFTER_MS },
	);
}

/** The call goes on as it was. */
function failed(state: CallState, referral: Referral, end: CallEnd): Step {
	const [status, reason] = answerFor(end);
	return step(state, { referral: undefined }, ...told(referral, status, reason, true), recorded("transfer-failed", describe(end)));
}

function describe(end: CallEnd): string {
	const [status, reason] = answerFor(end);
	return end.message ?? `${status} ${reason}`.trim();
}

/** The target's own answer, or what a proxy in our place would have said. */
function answerFor({ by, reason, sipStatus, sipReason = "" }: CallEnd): readonly [status: number, reason: string] {
	if (by === "peer" && sipStatus !== undefined) return [sipStatus, sipReason];
	if (reason === "no-answer") return [408, "Request Timeout"];
	return reason === "rejected" && sipStatus === undefined ? [403, "Forbidden"] : [503, "Service Unavailable"];
}

/** RFC 3515 §2.4.4, §2.4.5: NOTIFY with a fragment of the response, unless the peer wants none (RFC 4488). */
function told(referral: Referral, status: number, reason: string, last: boolean): Effect[] {
	if (!referral.subscribes) return [];
	return [{ do: "notify-refer", headers: referNotifyHeaders(referral, last), progress: { status, reason } }];
}
