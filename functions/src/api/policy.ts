import { DEFAULT_POLICY, type DialRequest, type FraudPolicy } from "@trunkline/contracts";
import {
	checkDestination,
	dialledUsers,
	DomainError,
	projectInForce,
	releaseIfOver,
	type SlotDeps,
	takeSlot,
	withinDuration,
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
		const allowed = withinDuration(dial, policy);
		if (deps.projects !== undefined) await takeSlot(slotsOf(deps, deps.projects), policy, { projectId, callId, dial: allowed });
		return allowed;
	} catch (error) {
		if (error instanceof DomainError && error.meta["limit"] !== undefined)
			deps.log.warn(
				{ callId, projectId, trunkId: dial.trunkId, to: pii(dial.callTo), ...error.meta, code: error.code },
				"call refused by the project's policy",
			);
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
		if (deps.projects !== undefined) await releaseIfOver(slotsOf(deps, deps.projects), projectId, callId);
		throw error;
	}
}

const slotsOf = ({ callStore, clock }: PolicyDeps, { callLimits }: ProjectDeps): SlotDeps => ({
	calls: callStore,
	limits: callLimits,
	now: clock,
});
