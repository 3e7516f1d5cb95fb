import type { CallEnd } from "@trunkline/contracts";
import { referToOf } from "@trunkline/domain";
import { referAcceptedHeaders, referNotifyHeaders } from "@trunkline/sip";
import { type CallEvent, type CallState, type Effect, hangupStatus, type Referral, type Step, step } from "./state.ts";
import { joinTarget, recorded } from "./transfer-effects.ts";

/** As long as LiveKit lets a transfer ring. */
const RINGING_TIMEOUT_MS = 30_000;

/** A REFER of the peer (RFC 3515 as its receiver) in an answered call; `rest` is what the call does otherwise. */
export function withReferral(state: CallState, event: CallEvent, rest: (state: CallState) => Step): Step {
	const { referral } = state;
	switch (event.type) {
		case "referred":
			return referred(state, event);
		case "target-ringing":
			if (referral !== undefined) return step(state, {}, ...told(referral, event.status, event.reason, false));
			break;
		case "target-answered":
			if (referral !== undefined) return joined(state, referral, event.callId);
			break;
		case "target-failed":
			if (referral !== undefined) return failed(state, referral, event.end);
			break;
		default:
	}
	return rest(state);
}

/** RFC 3515 §2.4.2 */
function referred(state: CallState, { transaction, refer, refused }: Extract<CallEvent, { type: "referred" }>): Step {
	const answer = (status: number, reason: string): Step => step(state, {}, { do: "answer-refer", transaction, status, reason });
	if (refer === undefined) return answer(refused?.status ?? 400, refused?.reason ?? "Bad Request");
	const { bridgeTrunkId, followsRefer } = state;
	if (followsRefer !== true || bridgeTrunkId === undefined) return answer(603, "Decline");
	// RFC 5057 §5.1: a 4xx of this kind ends neither dialog nor usage.
	if (
		state.phase !== "active" ||
		state.referral !== undefined ||
		state.joined === true ||
		state.transfer?.stage === "pending" ||
		state.transfer?.stage === "dialling"
	)
		return answer(491, "Request Pending");
	const referral: Referral = { target: refer.target, id: refer.id, subscribes: refer.subscribes };
	const target = referToOf(refer.target);
	return step(
		state,
		{ referral },
		{ do: "answer-refer", transaction, status: 202, reason: "Accepted", headers: referAcceptedHeaders(referral) },
		// §2.4.4: "Each NOTIFY … the agent MUST immediately … send a NOTIFY": the first one says that it is being tried.
		...told(referral, 100, "Trying", false),
		recorded("referred", refer.target),
		{ do: "dial-target", target, trunkId: bridgeTrunkId, headers: {}, ringingTimeoutMs: RINGING_TIMEOUT_MS },
	);
}

function joined(state: CallState, referral: Referral, callId: string): Step {
	return step(
		state,
		{ referral: undefined, joined: true },
		hangupStatus(),
		...joinTarget(referral.target, callId),
		...told(referral, 200, "OK", true),
	);
}

/** The call goes on as it was. */
function failed(state: CallState, referral: Referral, end: CallEnd): Step {
	const [status, reason] = answerFor(end);
	return step(
		state,
		{ referral: undefined },
		...told(referral, status, reason, true),
		recorded("transfer-failed", end.message ?? `${status} ${reason}`),
	);
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
