import * as z from "zod";

/** "+" alone stands for every country; "+44" for one; longer ones for ranges within it. */
const prefixSchema = z.string().regex(/^\+\d{0,15}$/, 'must be "+" and up to 15 digits, such as "+44"; "+" alone stands for every country');
const prefixesSchema = z.array(prefixSchema).max(1000);
/** `null` = no limit */
const limit = (max: number) => z.number().int().min(0).max(max).nullable();

/** Concurrent calls are kept in one item of the store: this many still fit. */
export const MAX_CONCURRENT_CALLS = 2000;

/**
 * What a project may spend by calling out: the limits that keep a stolen key from becoming a telephone bill. Numbers are E.164; of all prefixes that a
 * number begins with, the longest decides.
 */
export const policySchema = z.strictObject({
	/**
	 * Numbers that may be called. Ranges on the built-in list of premium and high-risk ranges stay blocked unless a prefix here is at least as long as the
	 * range: `["+", "+1876"]` is every country, and Jamaica too. An empty list = no telephone number at all.
	 */
	allowedPrefixes: prefixesSchema,
	/** Numbers that may not be called, beside the built-in list. */
	blockedPrefixes: prefixesSchema,
	/** Calls started per second, the same number at once after a pause. */
	callsPerSecond: limit(1000),
	/** Calls at a time, from the request to the hang-up. */
	concurrentCalls: limit(MAX_CONCURRENT_CALLS),
	/** Calls at a time that nobody has answered yet. */
	ringingCalls: limit(MAX_CONCURRENT_CALLS),
	/** Minutes of all calls that end on one day (UTC), from their answer; a minute is reserved when a call begins. */
	minutesPerDay: limit(10_000_000),
	/** Longest call, ringing included; a request that asks for more gets this. */
	maxCallDurationMs: limit(24 * 3600 * 1000),
});
export type FraudPolicy = z.infer<typeof policySchema>;

export type PolicyLimit = "callsPerSecond" | "concurrentCalls" | "ringingCalls" | "minutesPerDay";

/** What a project gets that says nothing: no first user meets it, and a night of fraud costs little. */
export const DEFAULT_POLICY: FraudPolicy = {
	allowedPrefixes: ["+"],
	blockedPrefixes: [],
	callsPerSecond: 10,
	concurrentCalls: 100,
	ringingCalls: 50,
	minutesPerDay: 10_000,
	maxCallDurationMs: 4 * 3600 * 1000,
};
