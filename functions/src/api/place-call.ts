import type { CallEnd, CallRecord, DialRequest } from "@trunkline/contracts";
import { claimDeadline, DomainError, errorForCallEnd, queuedCall } from "@trunkline/domain";
import { correlation, pii } from "@trunkline/observability";
import { isOutOfTime } from "./deadline.ts";
import type { ApiDeps } from "./deps.ts";

/** LiveKit's deadlines of CreateSIPParticipant, without and with wait_until_answered. */
const JOIN_WITHIN_MS = 30_000;
const ANSWER_WITHIN_MS = 80_000;
/** Beside the ringing: claim, joining the room, DTMF. */
const WAIT_MARGIN_MS = 10_000;
/** An answer must come while the API can still tell of it, or there is a call that its caller knows nothing of. */
export const MAX_RINGING_WHILE_WAITING_MS = ANSWER_WITHIN_MS - WAIT_MARGIN_MS;

const FIRST_POLL_MS = 10;
const SLOWEST_POLL_MS = 100;

type PlacingDeps = Pick<ApiDeps, "callStore" | "dialQueue" | "clock" | "sleep" | "log" | "metrics">;

export interface NewCall {
	callId: string;
	projectId: string;
	region: string;
	request: DialRequest;
}

/**
 * Queues a call and waits until its participant is in the room or, with `waitUntilAnswered`, until the call is answered. Asked twice for the same
 * call id it waits for the one call. Throws the API error when the call ends before, and `unavailable` when no node takes it, after making
 * sure that no node can take it later. `signal`: the client went away, and the call goes on; or the process has no time
 * left (`deadline.ts`), which is the end of the wait as its own deadline is.
 */
export async function placeCall(deps: PlacingDeps, call: NewCall, signal?: AbortSignal): Promise<CallRecord> {
	const { requestId } = correlation();
	const record = queuedCall({ ...call, now: deps.clock(), ...(requestId === undefined ? {} : { requestId }) });
	const created = await deps.callStore.createCall(record);
	const current = created ? record : await firstAttempt(deps, record);
	// A first attempt may have died between record and queue. Two messages for one call are one call: only one node can claim it.
	if (current.state === "queued") await enqueue(deps, current);
	deps.log.info({ callId: call.callId, to: pii(record.to), room: pii(record.roomName), retry: !created }, "outbound call queued");
	return waitForCall(deps, current, call.request, signal);
}

async function firstAttempt({ callStore }: PlacingDeps, record: CallRecord): Promise<CallRecord> {
	const first = await callStore.getCall(record.callId);
	if (first === undefined) throw new DomainError("aborted", "the call of an earlier request with this id is gone, send a new request");
	const same = (["to", "trunkId", "roomName", "participantIdentity"] as const).every((field) => first[field] === record[field]);
	if (!same) throw new DomainError("already_exists", "the request id was used for another call");
	return first;
}

async function enqueue(deps: PlacingDeps, { callId, projectId, region, requestId }: CallRecord): Promise<void> {
	try {
		const message = { version: 1, type: "dial", projectId, callId, region, enqueuedAt: deps.clock() } as const;
		await deps.dialQueue(region).send({ ...message, ...(requestId === undefined ? {} : { requestId }) });
	} catch (error) {
		deps.log.error({ callId, err: error }, "dial queue refused a call");
		await cancel(deps, callId, ["queued"], { by: "api", reason: "not-claimed", message: "the dial queue could not be reached" });
		throw new DomainError("unavailable", "the call could not be queued", {}, { cause: error });
	}
}

async function waitForCall(deps: PlacingDeps, { callId }: CallRecord, request: DialRequest, signal?: AbortSignal): Promise<CallRecord> {
	const waitMs = request.waitUntilAnswered ? Math.min(ANSWER_WITHIN_MS, request.ringingTimeoutMs + WAIT_MARGIN_MS) : JOIN_WITHIN_MS;
	const deadline = deps.clock() + waitMs;
	for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(SLOWEST_POLL_MS, pollMs * 1.5)) {
		const call = await deps.callStore.getCall(callId);
		if (call === undefined) throw new Error("a call record disappeared while the API waited for it");
		if (isReached(call, request.waitUntilAnswered)) return call;
		if (call.state === "ended" || call.state === "cancelled") throw failure(call);
		const now = deps.clock();
		if (call.state === "queued" && now >= claimDeadline(call)) {
			const cancelled = await cancel(deps, callId, ["queued"], { by: "api", reason: "not-claimed" });
			if (cancelled !== undefined) {
				deps.metrics?.record("CallsNotClaimed", 1);
				deps.log.warn({ callId }, "no media node took a call in time");
				throw failure(cancelled);
			}
		}
		if (now >= deadline || isOutOfTime(signal)) await giveUp(deps, call, request);
		// While the call is queued its cancellation is this loop's job, client or no client.
		if (signal?.aborted === true && call.state !== "queued") throw new DomainError("canceled", "the client went away; the call goes on");
		await deps.sleep(pollMs, call.state === "queued" ? undefined : signal);
	}
}

/** A participant that was in the room was there, even if the call ended since; the same holds for an answer. */
function isReached(call: CallRecord, waitUntilAnswered: boolean): boolean {
	if (!waitUntilAnswered) return call.participantId !== "";
	return call.state === "active" || (call.state === "ended" && call.answeredAt !== undefined);
}

function failure(call: CallRecord): DomainError {
	const end: CallEnd = call.end ?? { by: "api", reason: "cancelled" };
	// The participant joins before the INVITE is sent, so without one nothing was dialled.
	const error = errorForCallEnd(end, call.participantId !== "");
	if (end.reason !== "not-claimed") return error;
	// The last nodes of the region may have died a moment ago, and nothing falls over to another.
	return new DomainError(error.code, `${error.message} in ${call.region}`, { ...error.meta, region: call.region });
}

/** Past the deadline: a call that is not dialled yet is stopped; one that rings goes on until its own ringing timeout. */
async function giveUp(deps: PlacingDeps, call: CallRecord, request: DialRequest): Promise<never> {
	const message = request.waitUntilAnswered ? "the call was not answered in time" : "the participant did not join the room in time";
	await cancel(deps, call.callId, ["queued", "claimed", "joining"], { by: "api", reason: "cancelled", message });
	deps.log.warn({ callId: call.callId, state: call.state }, "gave up waiting for a call");
	throw new DomainError("deadline_exceeded", message, { sip_call_id: call.callId });
}

/** Nothing, when a node was faster. */
async function cancel(
	deps: PlacingDeps,
	callId: string,
	from: readonly CallRecord["state"][],
	end: CallEnd,
): Promise<CallRecord | undefined> {
	const at = deps.clock();
	return deps.callStore.transitionCall(callId, {
		from,
		to: "cancelled",
		at,
		event: "cancelled",
		detail: end.reason,
		patch: { endedAt: at, end },
	});
}
