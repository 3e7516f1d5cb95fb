import type { FraudPolicy, PolicyLimit } from "@trunkline/contracts";
import { DomainError } from "../errors.ts";
import { howToChange } from "./destination.ts";

/** What counts against a project's limits; one small record, changed by one conditional write at a time. */
export interface CallUsage {
	/** ms since the epoch: when the allowance of calls per second is whole again (the "theoretical arrival time" of ATM's GCRA) */
	wholeAt: number;
	/** day (UTC) that `usedMs` belongs to, days since the epoch */
	day: number;
	/** call time of that day, reserved time of calls that last included */
	usedMs: number;
	calls: Record<string, CallSlot>;
}

export interface CallSlot {
	since: number;
	/** the slot is free from then on, whatever became of the call */
	leaseUntil: number;
	reservedMs: number;
	answered: boolean;
}

export type CallLimits = Pick<FraudPolicy, PolicyLimit>;

export interface AdmissionRequest {
	callId: string;
	limits: CallLimits;
	/** ms since the epoch */
	now: number;
	/** the call holds its slot no longer than this without a word */
	leaseMs: number;
	/** longest call, ms */
	maxCallDurationMs: number;
}

export interface Refusal {
	limit: PolicyLimit;
	value: number;
	/** ms until it is worth another try, where that is known */
	retryAfterMs?: number;
}

export type Admission = { admitted: true; usage: CallUsage } | { admitted: false; refusal: Refusal };

export const NO_USAGE: CallUsage = { wholeAt: 0, day: 0, usedMs: 0, calls: {} };

/** Counted when the call starts, so that many calls at once cannot all see the same minutes; the end of the call corrects it. */
const RESERVED_MS = 60_000;
const DAY_MS = 24 * 3600 * 1000;

/**
 * Lets a call start or says which limit is in the way. A call that was let in before is let in again and counts once. Pure: whoever stores the usage writes the
 * new one on condition that the old one is still there.
 */
export function admitCall(before: CallUsage, request: AdmissionRequest): Admission {
	const usage = current(before, request.now);
	const { callId, limits, now } = request;
	if (usage.calls[callId] !== undefined) return { admitted: true, usage };
	const reservedMs = Math.min(RESERVED_MS, request.maxCallDurationMs);
	const refusal = refusalOf(usage, limits, now, reservedMs);
	if (refusal !== undefined) return { admitted: false, refusal };
	const slot: CallSlot = { since: now, leaseUntil: now + request.leaseMs, reservedMs, answered: false };
	return {
		admitted: true,
		usage: {
			wholeAt: limits.callsPerSecond === null ? 0 : Math.max(usage.wholeAt, now) + 1000 / limits.callsPerSecond,
			day: usage.day,
			usedMs: usage.usedMs + reservedMs,
			calls: { ...usage.calls, [callId]: slot },
		},
	};
}

/** The call is answered: it rings no longer. `undefined` when there is nothing to change. */
export function callAnswered(before: CallUsage, callId: string, now: number): CallUsage | undefined {
	const slot = before.calls[callId];
	if (slot === undefined || slot.answered) return undefined;
	const usage = current(before, now);
	return { ...usage, calls: { ...usage.calls, [callId]: { ...slot, answered: true } } };
}

/** The call is over after `usedMs` (0 when nobody answered). `undefined` when it has no slot (any more). */
export function callSettled(before: CallUsage, callId: string, usedMs: number, now: number): CallUsage | undefined {
	const slot = before.calls[callId];
	if (slot === undefined) return undefined;
	const usage = current(before, now);
	const calls = Object.fromEntries(Object.entries(usage.calls).filter(([id]) => id !== callId));
	// What was reserved yesterday is not in today's sum.
	const reserved = dayOf(slot.since) === usage.day ? slot.reservedMs : 0;
	return { ...usage, usedMs: Math.max(0, usage.usedMs - reserved + Math.max(0, usedMs)), calls };
}

/** `resource_exhausted` with the limit, its value and how to change it. */
export function refusalError({ limit, value, retryAfterMs }: Refusal, projectId: string): DomainError {
	const texts: Record<PolicyLimit, string> = {
		callsPerSecond: `the project starts more than ${value} calls per second`,
		concurrentCalls: `the project has ${value} calls at a time, which is its limit`,
		ringingCalls: `the project has ${value} calls that nobody answered yet, which is its limit`,
		minutesPerDay: `the project has used its ${value} minutes of today (UTC)`,
	};
	const retry: Record<string, string> = retryAfterMs === undefined ? {} : { retry_after_ms: String(Math.ceil(retryAfterMs)) };
	return new DomainError("resource_exhausted", `${texts[limit]} (${limit} = ${value}). ${howToChange(projectId, limit)}`, {
		limit,
		value: String(value),
		...retry,
	});
}

/** Without slots whose lease is over, and with today's sum. */
function current(usage: CallUsage, now: number): CallUsage {
	const day = dayOf(now);
	const calls = Object.fromEntries(Object.entries(usage.calls).filter(([, slot]) => slot.leaseUntil > now));
	return { wholeAt: usage.wholeAt, day, usedMs: day === usage.day ? usage.usedMs : 0, calls };
}

function refusalOf(usage: CallUsage, limits: CallLimits, now: number, reservedMs: number): Refusal | undefined {
	const slots = Object.values(usage.calls);
	const { callsPerSecond, concurrentCalls, ringingCalls, minutesPerDay } = limits;
	if (concurrentCalls !== null && slots.length >= concurrentCalls) return { limit: "concurrentCalls", value: concurrentCalls };
	if (ringingCalls !== null && slots.filter((slot) => !slot.answered).length >= ringingCalls)
		return { limit: "ringingCalls", value: ringingCalls };
	if (minutesPerDay !== null && usage.usedMs + reservedMs > minutesPerDay * 60_000) {
		return { limit: "minutesPerDay", value: minutesPerDay, retryAfterMs: (usage.day + 1) * DAY_MS - now };
	}
	return tooFast(usage, callsPerSecond, now);
}

/** A bucket of one second's calls: full after a second without any. */
function tooFast(usage: CallUsage, callsPerSecond: number | null, now: number): Refusal | undefined {
	if (callsPerSecond === null) return undefined;
	if (callsPerSecond === 0) return { limit: "callsPerSecond", value: 0 };
	const interval = 1000 / callsPerSecond;
	// Sums of fractions: a thousandth of a millisecond is nobody's call.
	const excess = usage.wholeAt - now - (1000 - interval);
	return excess > 0.001 ? { limit: "callsPerSecond", value: callsPerSecond, retryAfterMs: excess } : undefined;
}

const dayOf = (now: number): number => Math.floor(now / DAY_MS);
