import type { TrunkSettings } from "@trunkline/contracts";

export interface TrunkRefusal {
	/** in words, with the limit */
	message: string;
	retryAfterSeconds: number;
}

interface TrunkUse {
	readonly calls: Set<string>;
	/** when the allowance of calls per second is whole again, ms (GCRA) */
	wholeAt: number;
}

/** How long a caller is asked to wait for somebody else's call to end. */
const RETRY_WHEN_FULL_SECONDS = 5;

/**
 * `settings.limits` of each trunk on this node, both directions together: calls at a time, and new calls a second (a second's worth at once after a
 * pause). Exact: a slot is taken or refused in one step. Only trunks with limits and calls are kept.
 */
export class TrunkLimits {
	readonly #use = new Map<string, TrunkUse>();
	readonly #trunkOf = new Map<string, string>();

	/** undefined: the call has a slot, which `release` gives back. The same call has one slot however often it asks. */
	admit(trunkId: string, callId: string, limits: TrunkSettings["limits"], now: number): TrunkRefusal | undefined {
		if (limits === undefined || this.#trunkOf.has(callId)) return undefined;
		this.#forgetIdle(now);
		const use = this.#use.get(trunkId) ?? { calls: new Set<string>(), wholeAt: 0 };
		const { concurrentCalls, callsPerSecond } = limits;
		if (concurrentCalls !== undefined && use.calls.size >= concurrentCalls)
			return { message: `the trunk has its ${concurrentCalls} calls at a time`, retryAfterSeconds: RETRY_WHEN_FULL_SECONDS };
		if (callsPerSecond !== undefined) {
			const interval = 1000 / callsPerSecond;
			const excessMs = use.wholeAt - now - Math.max(0, 1000 - interval);
			// Sums of fractions: a thousandth of a millisecond is nobody's call.
			if (excessMs > 0.001)
				return { message: `the trunk has its ${callsPerSecond} new calls a second`, retryAfterSeconds: Math.ceil(excessMs / 1000) };
			use.wholeAt = Math.max(use.wholeAt, now) + interval;
		}
		use.calls.add(callId);
		this.#use.set(trunkId, use);
		this.#trunkOf.set(callId, trunkId);
		return undefined;
	}

	/** The call is over. */
	release(callId: string): void {
		const trunkId = this.#trunkOf.get(callId);
		if (trunkId === undefined) return;
		this.#trunkOf.delete(callId);
		this.#use.get(trunkId)?.calls.delete(callId);
	}

	/** trunks that something is kept of */
	get size(): number {
		return this.#use.size;
	}

	#forgetIdle(now: number): void {
		for (const [trunkId, { calls, wholeAt }] of this.#use) if (calls.size === 0 && wholeAt <= now) this.#use.delete(trunkId);
	}
}
