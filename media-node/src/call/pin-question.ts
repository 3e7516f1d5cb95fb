import type { DispatchRule, InboundTrunk } from "@trunkline/contracts";
import { type ConfigStore, decideRule, rulesIn } from "@trunkline/domain";
import type { InboundPlan, PinQuestion } from "./inbound-call.ts";
import type { PinCaller, PinLocks } from "./pin-locks.ts";
import type { Decision } from "./state.ts";

export interface PinAsked {
	configStore: ConfigStore;
	locks: PinLocks;
	strict: boolean;
	now(): number;
	/** where this is: rules that are pinned elsewhere open nothing here */
	region: string | undefined;
	projectId: string;
	trunk: InboundTrunk | undefined;
	from: string;
	to: string;
	/** network source of the INVITE */
	source: string;
	/** what becomes of the call with this rule */
	planFor(rule: DispatchRule): Promise<InboundPlan>;
}

/** Who may have to wait: a caller's number says who he is only where a trunk vouches for it. */
const callerOf = ({ projectId, trunk, from, source }: PinAsked): PinCaller => ({
	projectId,
	trunkId: trunk?.trunkId ?? "",
	caller: trunk === undefined ? source : from,
});

/** Undefined: the caller may be asked. */
export function lockedOut(asked: PinAsked): Decision | undefined {
	const until = asked.locks.lockedUntil(callerOf(asked), asked.now());
	if (until === undefined) return undefined;
	const end = { by: "node", reason: "wrong-pin", message: "too many wrong PINs from this caller, or on this trunk" } as const;
	const seconds = Math.ceil((until - asked.now()) / 1000);
	return { kind: "reject", status: 403, reason: "Too Many Wrong PINs", end, headers: [["Retry-After", String(seconds)]] };
}

/** Rules are read anew for each PIN: between the question and the answer somebody may have changed them. */
export function pinQuestion(asked: PinAsked): PinQuestion {
	const { configStore, locks, strict, projectId, trunk, from, to } = asked;
	const caller = callerOf(asked);
	return async (pin) => {
		// Others may have used up the trunk's tries meanwhile.
		if (locks.lockedUntil(caller, asked.now()) !== undefined) return { verdict: "locked" };
		const rules = rulesIn(asked.region ?? "", await configStore.rulesFor(projectId, trunk?.trunkId, to));
		const { rule, refusal, steps } = decideRule(rules, { from, to, trunk, pin, strict });
		if (rule === undefined || refusal !== undefined) {
			if (pin !== "") locks.failed(caller, asked.now());
			return { verdict: locks.lockedUntil(caller, asked.now()) === undefined ? "wrong" : "locked", steps };
		}
		if (pin !== "") locks.succeeded(caller);
		return { verdict: "accepted", steps, plan: await asked.planFor(rule) };
	};
}
