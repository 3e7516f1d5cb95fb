export interface Rate {
	/** requests a second in the long run */
	perSecond: number;
	/** requests at once after a pause */
	burst: number;
}

/** LiveKit's own API has a limit of this order; a single customer's dialler stays far below. */
export const DEFAULT_RATE: Rate = { perSecond: 100, burst: 200 };

/** Keys that are remembered; when there are more, those that have paused the longest are forgotten, which only lets them burst again. */
const MAX_KEYS = 10_000;

/**
 * A token bucket for each key. It counts what this process answers: on Lambda each instance has its own, so it holds a client that runs wild, and is
 * no quota.
 */
export class RateLimiter {
	readonly #rate: Rate;
	readonly #buckets = new Map<string, { tokens: number; at: number }>();

	constructor(rate: Rate) {
		this.#rate = rate;
	}

	/** undefined = go on; else what to tell the client. */
	refusal(key: string, now: number): { message: string; headers: Record<string, string> } | undefined {
		const waitMs = this.take(key, now);
		if (waitMs === 0) return undefined;
		// RFC 9110 §10.2.3: whole seconds.
		const seconds = Math.ceil(waitMs / 1000);
		const { perSecond, burst } = this.#rate;
		return {
			message: `too many requests with this API key: ${perSecond} a second are allowed, ${burst} at once; go on after ${seconds} s`,
			headers: { "retry-after": String(seconds) },
		};
	}

	/** 0 = go on, else ms until the next request of this key passes. */
	take(key: string, now: number): number {
		const { perSecond, burst } = this.#rate;
		const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
		const tokens = Math.min(burst, bucket.tokens + (Math.max(0, now - bucket.at) * perSecond) / 1000);
		const passes = tokens >= 1;
		this.#buckets.delete(key);
		this.#buckets.set(key, { tokens: passes ? tokens - 1 : tokens, at: now });
		for (const [oldest] of this.#buckets) {
			if (this.#buckets.size <= MAX_KEYS) break;
			this.#buckets.delete(oldest);
		}
		return passes ? 0 : Math.ceil(((1 - tokens) * 1000) / perSecond);
	}
}
