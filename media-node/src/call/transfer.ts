import type { CallEnd } from "@trunkline/contracts";
import type { CallCommand, TransferCommand, TransferOutcome } from "@trunkline/domain";
import { withPlace } from "./place.ts";
import { withReferral } from "./referral.ts";
import { HANG_UP_AFTER_MS, joinTarget, recorded, transferredEnd } from "./transfer-effects.ts";
import { type CallEvent, type CallState, type Effect, finish, hangupStatus, ignore, type Step, step, type Transfer } from "./state.ts";

/** REFERs of a call that are over, whose NOTIFYs are none of the current one. */
const MAX_STALE = 16;

const GONE: TransferOutcome = { status: "failed", reason: "call-ended", message: "the call ended before the transfer was done" };

type Command = Extract<CallEvent, { type: "transfer" | "move" | "music" | "recording" }>;

export const isCommand = (event: CallEvent): event is Command =>
	event.type === "transfer" || event.type === "move" || event.type === "music" || event.type === "recording";

/** Of a call that is not answered yet, or not any more. */
export function refuseTransfer(state: CallState, command: CallCommand): Step {
	return refuse(state, command, state.phase === "ending" || state.phase === "over" ? "gone" : "not-answered");
}

/** Everything about transfers in an answered call; `rest` is what the call does otherwise. */
export function withTransfers(
	state: CallState,
	event: CallEvent,
	now: number,
	rest: (state: CallState, event: CallEvent, now: number) => Step,
): Step {
	switch (event.type) {
		case "transfer":
			return begin(state, event.command, now);
		case "refer-answered":
			return answered(state, event, now);
		case "refer-progress":
			return progressed(state, event, now);
		case "timer":
			if (event.name === "transfer") return late(state);
			if (event.name === "transferred") return hangUp(state, now);
			break;
		case "bye":
			if (state.transfer?.stage === "done" || state.joined === true)
				return finish(state, "over", transferredEnd(state), now, ...cleared(), hangupStatus());
			// Plivo and others hang up as soon as they have taken the REFER, and send no NOTIFY: it is in their hands, as it was meant to be.
			if (state.transfer?.stage === "pending" && state.transfer.accepted) return hungUpByPeer(state, state.transfer, now);
			break;
		default:
	}
	const other = bridged(state, event, now);
	if (other !== undefined) return other;
	return withReferral(state, event, now, (own) =>
		withPlace(own, event, (placed) => endedWithCall(placed.transfer, rest(placed, event, now))),
	);
}

/** What comes of the node's own call to the target. */
function bridged(state: CallState, event: CallEvent, now: number): Step | undefined {
	const { transfer, joined: isJoined } = state;
	// The other telephone has hung up.
	if (event.type === "room-closed" && isJoined === true && event.reason === "other-leg") return hangUp(state, now);
	if (transfer?.stage !== "dialling") return undefined;
	if (event.type === "target-answered") return joined(state, transfer, event.callId, now);
	return event.type === "target-failed" ? fail({ ...state, transfer }, targetOutcome(event.end), failureText(event.end)) : undefined;
}

/** RFC 3515 §2.4.2 */
function begin(state: CallState, command: TransferCommand, now: number): Step {
	const { transferId, transferTo, playDialtone, ringingTimeoutMs, headers } = command;
	const current = state.transfer;
	if (state.referral !== undefined) return refuse(state, command, "elsewhere");
	if (state.joined === true && (current?.stage !== "done" || current.target !== transferTo)) return refuse(state, command, "joined");
	if (current !== undefined && current.stage !== "late") {
		if (current.target !== transferTo) return refuse(state, command, "elsewhere");
		if (current.stage === "done") return step(state, {}, told([transferId], SUCCESS));
		return step(state, { transfer: { ...current, waiting: [...current.waiting, transferId] } });
	}
	const transfer: Transfer = {
		target: transferTo,
		waiting: [transferId],
		ringingTimeoutMs,
		refer: transferId,
		headers,
		deadline: now + ringingTimeoutMs,
		accepted: false,
		stage: "pending",
	};
	const effects: Effect[] = [
		recorded("transfer-requested", transferTo),
		{ do: "refer", command },
		{ do: "timer", name: "transfer", at: transfer.deadline },
	];
	if (playDialtone) effects.push({ do: "dialtone", on: true });
	return step(state, { transfer, staleRefers: stale(state) }, ...effects);
}

function refuse(state: CallState, { transferId }: CallCommand, refused: NonNullable<TransferOutcome["refused"]>): Step {
	return step(state, {}, told([transferId], { status: "failed", reason: "unspecified", refused }));
}

/** The final response to the REFER. */
function answered(state: CallState, event: Extract<CallEvent, { type: "refer-answered" }>, now: number): Step {
	const { transfer } = state;
	if (transfer?.refer !== event.refer || transfer.stage === "done" || transfer.stage === "dialling") return ignore(state);
	const known = { ...transfer, id: event.id ?? transfer.id };
	const { status, reason = "" } = event;
	if (status !== undefined && status < 300) return step(state, { transfer: { ...known, accepted: true } });
	// A NOTIFY that was faster than its response says more than the response's loss.
	if (status === undefined && transfer.accepted) return ignore(state);
	const failed = { ...state, transfer: known };
	if (status !== undefined) return referRefused(failed, status, reason, now);
	const message = event.cause === "ended" ? GONE.message : "the telephone side did not answer the REFER";
	return fail(failed, { ...GONE, reason: event.cause === "ended" ? "call-ended" : "unspecified", message: message ?? "" }, message ?? "");
}

/** The telephone side does not transfer: where the trunk says over which other one, the node calls the target itself. */
function referRefused(state: CallState & { transfer: Transfer }, status: number, reason: string, now: number): Step {
	const { transfer, bridgeTrunkId } = state;
	const why = `${status} ${reason}`.trim();
	// RFC 3261 §12.2.1.2: 481 and 408 say that there is no call any more. Who asked and was told that it is too late is not surprised later.
	const isOver = status === 481 || status === 408 || transfer.stage === "late";
	if (bridgeTrunkId === undefined || isOver) return fail(state, { ...rejected(status, reason), message: NO_BRIDGE }, why);
	return step(state, { transfer: { ...transfer, stage: "dialling" } }, recorded("refer-refused", why), {
		do: "dial-target",
		target: transfer.target,
		trunkId: bridgeTrunkId,
		inRoom: false,
		headers: transfer.headers,
		ringingTimeoutMs: Math.max(1, transfer.deadline - now),
	});
}

/** The target has answered the node's own call. */
function joined(state: CallState, transfer: Transfer, callId: string, now: number): Step {
	const done = { ...transfer, stage: "done", waiting: [] } as const;
	// In this order: the room sees the end of the participant's call, and the caller hears ringback until the target can be heard.
	return step(
		state,
		{ transfer: done, joined: true },
		hangupStatus(),
		...joinTarget(transfer.target, callId, now),
		...settled(transfer, SUCCESS),
	);
}

function targetOutcome(end: CallEnd): TransferOutcome {
	if (end.sipStatus !== undefined && end.by === "peer") return rejected(end.sipStatus, end.sipReason ?? "");
	const message = failureText(end);
	return { status: "failed", reason: end.reason === "no-answer" ? "ringing-timeout" : "rejected", message };
}

const failureText = ({ sipStatus, sipReason = "", message, reason, by }: CallEnd): string =>
	sipStatus !== undefined && by === "peer" ? `${sipStatus} ${sipReason}`.trim() : (message ?? reason);

/** A NOTIFY of the subscription that the REFER made (RFC 3515 §2.4.4). */
function progressed(state: CallState, event: Extract<CallEvent, { type: "refer-progress" }>, now: number): Step {
	const { transfer } = state;
	// RFC 6665 §4.1.3: 481 to a NOTIFY of a subscription that we have not. Only the number of another REFER of ours is taken for one: proxies that number
	// requests anew leave the id as it was.
	const isStale = event.id !== undefined && event.id !== transfer?.id && (state.staleRefers ?? []).includes(event.id);
	if (transfer === undefined || isStale || transfer.stage === "dialling")
		return step(state, {}, { do: "answer-notify", transaction: event.transaction, status: 481 });
	const noted = applyProgress({ ...state, transfer: { ...transfer, accepted: true } }, event, now);
	return { state: noted.state, effects: [{ do: "answer-notify", transaction: event.transaction, status: 200 }, ...noted.effects] };
}

function applyProgress(
	state: CallState & { transfer: Transfer },
	event: Extract<CallEvent, { type: "refer-progress" }>,
	now: number,
): Step {
	const { transfer } = state;
	if (transfer.stage === "done") return ignore(state);
	const { progress, terminated } = event;
	if (progress !== undefined && progress.status >= 200 && progress.status < 300) return succeed(state, transfer, now);
	if (progress !== undefined && progress.status >= 300)
		return fail(state, rejected(progress.status, progress.reason), `${progress.status} ${progress.reason}`.trim());
	// RFC 6665 §4.1.3: nothing more will come. LiveKit waits for its time-out here.
	if (terminated) return fail(state, UNTOLD, UNTOLD.message ?? "");
	return ignore(state);
}

function succeed(state: CallState, transfer: Transfer, now: number): Step {
	return step(
		state,
		{ transfer: { ...transfer, stage: "done", waiting: [] } },
		...settled(transfer, SUCCESS),
		recorded("transferred", transfer.target),
		{ do: "timer", name: "transferred", at: now + HANG_UP_AFTER_MS },
	);
}

/** The call goes on; who asked is told. */
function fail(state: CallState & { transfer: Transfer }, outcome: TransferOutcome, why: string): Step {
	const { transfer } = state;
	const over = { transfer: undefined, staleRefers: stale(state) };
	// Told before: it only was not known yet whether it would still come to something.
	if (transfer.stage === "late") return step(state, over);
	return step(state, over, ...settled(transfer, outcome), recorded("transfer-failed", why));
}

/** The ringing timeout. A REFER cannot be taken back (RFC 3515 has nothing for it): when the target still answers, the call is transferred after all. */
function late(state: CallState): Step {
	const { transfer } = state;
	const message = `nobody answered within ${transfer?.ringingTimeoutMs} ms`;
	if (transfer?.stage === "dialling") {
		const failed = fail({ ...state, transfer }, { status: "failed", reason: "ringing-timeout", message }, message);
		return { state: failed.state, effects: [{ do: "drop-target" }, ...failed.effects] };
	}
	if (transfer?.stage !== "pending") return ignore(state);
	return step(
		state,
		{ transfer: { ...transfer, stage: "late", waiting: [] } },
		...settled(transfer, { status: "failed", reason: "ringing-timeout", message }),
		recorded("transfer-failed", message),
	);
}

function hangUp(state: CallState, now: number): Step {
	return finish(state, "ending", transferredEnd(state), now, ...cleared(), hangupStatus(), { do: "bye", reason: "transferred" });
}

function hungUpByPeer(state: CallState, transfer: Transfer, now: number): Step {
	const message = "the telephone side took the transfer on and hung up";
	const outcome: TransferOutcome = { status: "successful", reason: "completed", message };
	const effects = [...settled(transfer, outcome), recorded("transferred", transfer.target), hangupStatus()];
	return finish({ ...state, transfer: { ...transfer, stage: "done", waiting: [] } }, "over", transferredEnd({}), now, ...effects);
}

/** A call that ends leaves nobody waiting. */
function endedWithCall(transfer: Transfer | undefined, { state, effects }: Step): Step {
	if (transfer === undefined || (state.phase !== "ending" && state.phase !== "over")) return { state, effects };
	const last =
		transfer.stage === "pending" || transfer.stage === "dialling"
			? [...settled(transfer, GONE), recorded("transfer-failed", GONE.message ?? "")]
			: cleared();
	return { state: { ...state, transfer: undefined }, effects: [...last, ...effects] };
}

const SUCCESS: TransferOutcome = { status: "successful", reason: "completed", sipStatus: { code: 200, reason: "OK" } };
const UNTOLD: TransferOutcome = {
	status: "failed",
	reason: "subscription-terminated",
	message: "the telephone side stopped telling how the transfer goes",
};
/** The trunk's setting would have helped; without it the refusal stands. */
const NO_BRIDGE =
	"the telephone side refused REFER; with settings.transfer.bridgeTrunkId on the trunk the node would call the target itself and join the two";

const rejected = (code: number, reason: string): TransferOutcome => ({ status: "failed", reason: "rejected", sipStatus: { code, reason } });

const told = (transferIds: readonly string[], outcome: TransferOutcome): Effect => ({ do: "transfer-outcome", transferIds, outcome });

const cleared = (): Effect[] => [
	{ do: "clear-timer", name: "transfer" },
	{ do: "clear-timer", name: "transferred" },
];

/** Who waits is told, and the telephone hears the room again. */
const settled = ({ waiting }: Transfer, outcome: TransferOutcome): Effect[] => [
	{ do: "clear-timer", name: "transfer" },
	{ do: "dialtone", on: false },
	...(waiting.length > 0 ? [told(waiting, outcome)] : []),
];

function stale({ transfer, staleRefers = [] }: CallState): readonly number[] {
	return transfer?.id === undefined ? staleRefers : [...staleRefers, transfer.id].slice(-MAX_STALE);
}
