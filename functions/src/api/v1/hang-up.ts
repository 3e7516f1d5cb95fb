import { type CallEnd, type CallRecord, type CallState, randomBase58 } from "@trunkline/contracts";
import { isLive } from "@trunkline/domain";
import type { ApiDeps } from "../deps.ts";
import type { V1Deps } from "./deps.ts";

type HangUpDeps = Pick<ApiDeps, "callStore" | "clock" | "sleep" | "random" | "log"> & Pick<V1Deps, "commandQueue">;

/** A BYE that nobody answers takes longer; then the record says so, not this answer. */
const WAIT_MS = 5_000;
const POLL_MS = 50;
/** States in which the record alone decides: a node that has claimed the call asks it once more before it dials. */
const NOT_DIALLED: readonly CallState[] = ["queued", "claimed", "joining"];

const END: CallEnd = { by: "api", reason: "cancelled", message: "the call was hung up by the API before it was dialled" };

/**
 * Ends a call of whatever state. Before it is dialled one conditional write does, so that no node can dial it later; after that its node is told, on the
 * node's own queue, and the answer waits a little for the end. Asked twice it does no more than once. Throws `unavailable` when the node cannot be told.
 */
export async function hangUp(
	deps: HangUpDeps,
	call: CallRecord,
): Promise<{ outcome: "ended" | "already-ended" | "requested"; call: CallRecord }> {
	if (!isLive(call.state)) return { outcome: "already-ended", call };
	if (NOT_DIALLED.includes(call.state)) {
		const cancelled = await cancel(deps, call.callId);
		if (cancelled !== undefined) return { outcome: "ended", call: cancelled };
	}
	// A node was faster, or it is past that: the record says who has the call now.
	const current = (await deps.callStore.getCall(call.callId)) ?? call;
	if (!isLive(current.state)) return { outcome: "already-ended", call: current };
	await tell(deps, current);
	return waitForEnd(deps, current);
}

async function cancel({ callStore, clock }: HangUpDeps, callId: string): Promise<CallRecord | undefined> {
	const at = clock();
	const patch = { endedAt: at, end: END };
	return callStore.transitionCall(callId, { from: NOT_DIALLED, to: "cancelled", at, event: "cancelled", detail: END.reason, patch });
}

async function tell({ commandQueue, clock, random, log }: HangUpDeps, { callId, projectId, owner, region }: CallRecord): Promise<void> {
	if (owner === undefined) throw new Error("a call that was dialled or received has no owner");
	const commandId = randomBase58(20, random);
	await commandQueue(owner, region).send({ version: 1, type: "hangup", commandId, projectId, callId, nodeId: owner, sentAt: clock() });
	log.info({ callId, commandId, node: owner }, "hang-up sent to the call's node");
}

async function waitForEnd(
	{ callStore, clock, sleep }: HangUpDeps,
	call: CallRecord,
): Promise<{ outcome: "ended" | "requested"; call: CallRecord }> {
	const deadline = clock() + WAIT_MS;
	for (;;) {
		const current = (await callStore.getCall(call.callId)) ?? call;
		if (!isLive(current.state)) return { outcome: "ended", call: current };
		if (clock() >= deadline) return { outcome: "requested", call: current };
		await sleep(POLL_MS);
	}
}
