import type { CallRecord, DialRequest, FraudPolicy, Project } from "@trunkline/contracts";
import { type AdmissionRequest, type Refusal, refusalError } from "../policy/admission.ts";
import type { CallStore } from "../ports.ts";
import { usedMs } from "./counted-calls.ts";
import type { CallLimitStore } from "./ports.ts";

export interface SlotDeps {
	calls: Pick<CallStore, "getCall">;
	limits: CallLimitStore;
	/** ms since the epoch */
	now(): number;
}

/** A call that is about to begin. */
export interface SlotRequest {
	projectId: string;
	callId: string;
	dial: Pick<DialRequest, "ringingTimeoutMs" | "maxCallDurationMs">;
}

/** Joining the room, the INVITE's last retransmissions and a slow clock, beside ringing and talking. */
const LEASE_MARGIN_MS = 120_000;
/** A call that has a slot and no record is one whose request is about to write it, or died before it did. */
const RECORD_WITHIN_MS = 30_000;
/** Calls that are looked up when a limit is reached: their nodes may have died without a word. */
const MAX_LOOKED_UP = 25;

export interface AdmissionOptions extends SlotDeps {
	/** undefined: a project of the deployment itself, of which nothing is counted */
	projectOf(projectId: string): Promise<Pick<Project, "policy"> | undefined>;
}

/**
 * For calls that a node begins by itself: counts one and gives its dial request as the project's policy allows it. Throws `resource_exhausted` for a limit. The
 * slot is given back by whoever writes the end of the call (`countedCalls`).
 */
export function admission({ projectOf, ...slots }: AdmissionOptions) {
	return async ({ projectId, callId, dial }: { projectId: string; callId: string; dial: DialRequest }): Promise<DialRequest> => {
		const policy = (await projectOf(projectId))?.policy;
		if (policy === undefined) return dial;
		const allowed = withinDuration(dial, policy);
		await takeSlot(slots, policy, { projectId, callId, dial: allowed });
		return allowed;
	};
}

/** No longer than the project's calls may last. */
export function withinDuration<T extends Pick<DialRequest, "maxCallDurationMs">>(dial: T, { maxCallDurationMs }: FraudPolicy): T {
	return { ...dial, maxCallDurationMs: Math.min(dial.maxCallDurationMs, maxCallDurationMs ?? dial.maxCallDurationMs) };
}

/** Counts the call against the project's limits, whoever begins it: the API, or a node by itself. Throws `resource_exhausted` for a limit. */
export async function takeSlot(deps: SlotDeps, policy: FraudPolicy, { projectId, callId, dial }: SlotRequest): Promise<void> {
	if (!isCounted(policy)) return;
	// A retry of a call that is over must take no slot: nobody would give it back.
	if ((await deps.calls.getCall(callId)) !== undefined) return;
	const request = (): AdmissionRequest => ({
		callId,
		limits: policy,
		now: deps.now(),
		leaseMs: dial.ringingTimeoutMs + dial.maxCallDurationMs + LEASE_MARGIN_MS,
		maxCallDurationMs: dial.maxCallDurationMs,
	});
	let refusal: Refusal | undefined = await deps.limits.admit(projectId, request());
	const mayBeStale = refusal?.limit === "concurrentCalls" || refusal?.limit === "ringingCalls";
	if (mayBeStale && (await freeSlots(deps, projectId))) refusal = await deps.limits.admit(projectId, request());
	if (refusal !== undefined) throw refusalError(refusal, projectId);
}

/** Gives the slot of a call back that is over, or never was; of one that goes on it is left to the node. */
export async function releaseIfOver({ calls, limits, now }: SlotDeps, projectId: string, callId: string): Promise<void> {
	const call = await calls.getCall(callId);
	if (call === undefined || isOver(call)) await limits.settle(projectId, callId, usedMs(call), now());
}

/** Looks the oldest calls up and takes back what is no longer theirs. False when all of them are as they were counted. */
async function freeSlots({ calls, limits, now: clock }: SlotDeps, projectId: string): Promise<boolean> {
	const oldest = (await limits.liveCalls(projectId)).slice(0, MAX_LOOKED_UP);
	const now = clock();
	const freed = await Promise.all(
		oldest.map(async ({ callId, since }) => {
			const call = await calls.getCall(callId);
			if (call === undefined ? now - since < RECORD_WITHIN_MS : !isOver(call) && call.state !== "active") return false;
			if (call?.state === "active") await limits.answered(projectId, callId, now);
			else await limits.settle(projectId, callId, usedMs(call), now);
			return true;
		}),
	);
	return freed.includes(true);
}

function isOver({ state }: CallRecord): boolean {
	return state === "ended" || state === "cancelled";
}

function isCounted({ callsPerSecond, concurrentCalls, ringingCalls, minutesPerDay }: FraudPolicy): boolean {
	return [callsPerSecond, concurrentCalls, ringingCalls, minutesPerDay].some((limit) => limit !== null);
}
