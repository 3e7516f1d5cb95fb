import { type CallRecord, DEFAULT_POLICY, type DialRequest, type FraudPolicy } from "@trunkline/contracts";
import {
	type AdmissionRequest,
	checkDestination,
	dialledUsers,
	DomainError,
	projectInForce,
	type Refusal,
	refusalError,
	usedMs,
} from "@trunkline/domain";
import { pii } from "@trunkline/observability";
import type { ApiDeps, ProjectDeps } from "./deps.ts";

interface Call {
	projectId: string;
	callId: string;
	dial: DialRequest;
}

type PolicyDeps = Pick<ApiDeps, "projects" | "callStore" | "clock" | "log">;

/** Of a project that the deployment itself brings: where calls go is checked, nothing is counted. */
const BUILT_IN_POLICY: FraudPolicy = {
	...DEFAULT_POLICY,
	callsPerSecond: null,
	concurrentCalls: null,
	ringingCalls: null,
	minutesPerDay: null,
	maxCallDurationMs: null,
};

/** Joining the room, the INVITE's last retransmissions and a slow clock, beside ringing and talking. */
const LEASE_MARGIN_MS = 120_000;
/** A call that has a slot and no record is one whose request is about to write it, or died before it did. */
const RECORD_WITHIN_MS = 30_000;
/** Calls that are looked up when a limit is reached: their nodes may have died without a word. */
const MAX_LOOKED_UP = 25;

/** Throws `unauthenticated` for a project that is gone. */
async function policyOf({ projects }: Pick<ApiDeps, "projects">, projectId: string): Promise<FraudPolicy> {
	if (projects === undefined) return BUILT_IN_POLICY;
	return (await projectInForce(projects.cache, projects.builtIn, projectId))?.policy ?? BUILT_IN_POLICY;
}

/** For the target of a REFER: throws `permission_denied` when the project may not call it. */
export async function checkTransferTarget(deps: PolicyDeps, projectId: string, target: string): Promise<void> {
	checkDestination(await policyOf(deps, projectId), target, projectId);
}

/**
 * The dial request as the project's policy allows it, and a slot for the call. Throws `permission_denied` for a destination and `resource_exhausted` for
 * a limit. `callId` the same as of an earlier attempt: it is let through, as that one has its slot, or had it.
 */
async function admitCall(deps: PolicyDeps, projectId: string, callId: string, dial: DialRequest): Promise<DialRequest> {
	const policy = await policyOf(deps, projectId);
	try {
		for (const user of dialledUsers(dial)) checkDestination(policy, user, projectId);
		const maxCallDurationMs = Math.min(dial.maxCallDurationMs, policy.maxCallDurationMs ?? dial.maxCallDurationMs);
		const allowed = { ...dial, maxCallDurationMs };
		if (deps.projects !== undefined && isCounted(policy)) await takeSlot(deps, deps.projects, policy, { projectId, callId, dial: allowed });
		return allowed;
	} catch (error) {
		if (error instanceof DomainError && error.meta["limit"] !== undefined)
			deps.log.warn({ projectId, to: pii(dial.callTo), ...error.meta, code: error.code }, "call refused by the project's policy");
		throw error;
	}
}

/** Places the call as the policy allows it; a call that came to nothing gives its slot back. */
export async function withinPolicy<T>(
	deps: PolicyDeps,
	{ projectId, callId, dial }: Call,
	place: (allowed: DialRequest) => Promise<T>,
): Promise<T> {
	const allowed = await admitCall(deps, projectId, callId, dial);
	try {
		return await place(allowed);
	} catch (error) {
		await releaseIfOver(deps, projectId, callId);
		throw error;
	}
}

/** Gives the slot of a call back that is over; of one that goes on it is left to the node. */
async function releaseIfOver(deps: PolicyDeps, projectId: string, callId: string): Promise<void> {
	if (deps.projects === undefined) return;
	const call = await deps.callStore.getCall(callId);
	if (call === undefined || isOver(call)) await deps.projects.callLimits.settle(projectId, callId, usedMs(call), deps.clock());
}

async function takeSlot(deps: PolicyDeps, projects: ProjectDeps, policy: FraudPolicy, { projectId, callId, dial }: Call): Promise<void> {
	// A retry of a call that is over must take no slot: nobody would give it back.
	if ((await deps.callStore.getCall(callId)) !== undefined) return;
	const request = (): AdmissionRequest => ({
		callId,
		limits: policy,
		now: deps.clock(),
		leaseMs: dial.ringingTimeoutMs + dial.maxCallDurationMs + LEASE_MARGIN_MS,
		maxCallDurationMs: dial.maxCallDurationMs,
	});
	let refusal: Refusal | undefined = await projects.callLimits.admit(projectId, request());
	const mayBeStale = refusal?.limit === "concurrentCalls" || refusal?.limit === "ringingCalls";
	if (mayBeStale && (await freeSlots(deps, projects, projectId))) refusal = await projects.callLimits.admit(projectId, request());
	if (refusal !== undefined) throw refusalError(refusal, projectId);
}

/** Looks the oldest calls up and takes back what is no longer theirs. False when all of them are as they were counted. */
async function freeSlots(deps: PolicyDeps, { callLimits }: ProjectDeps, projectId: string): Promise<boolean> {
	const oldest = (await callLimits.liveCalls(projectId)).slice(0, MAX_LOOKED_UP);
	const now = deps.clock();
	const freed = await Promise.all(
		oldest.map(async ({ callId, since }) => {
			const call = await deps.callStore.getCall(callId);
			if (call === undefined ? now - since < RECORD_WITHIN_MS : !isOver(call) && call.state !== "active") return false;
			if (call?.state === "active") await callLimits.answered(projectId, callId, now);
			else await callLimits.settle(projectId, callId, usedMs(call), now);
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
