import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
	type AdmissionRequest,
	admitCall,
	callAnswered,
	type CallLimits,
	callSettled,
	type CallUsage,
	NO_USAGE,
	refusalError,
} from "./admission.ts";

const NOON = 20_000 * 24 * 3600 * 1000 + 12 * 3600 * 1000;
const MIDNIGHT = NOON + 12 * 3600 * 1000;
const UNLIMITED: CallLimits = { callsPerSecond: null, concurrentCalls: null, ringingCalls: null, minutesPerDay: null };

/** Asks call by call: what was admitted or which limit refused. */
function project(limits: Partial<CallLimits>) {
	let usage: CallUsage = NO_USAGE;
	let count = 0;
	return {
		get usage() {
			return usage;
		},
		set(next: CallUsage | undefined) {
			if (next !== undefined) usage = next;
		},
		ask(now: number, over: Partial<AdmissionRequest> = {}): string {
			const request = {
				callId: `SCL_${count++}`,
				limits: { ...UNLIMITED, ...limits },
				now,
				leaseMs: 3_600_000,
				maxCallDurationMs: 3_600_000,
				...over,
			};
			const admission = admitCall(usage, request);
			if (admission.admitted) usage = admission.usage;
			return admission.admitted ? "admitted" : `${admission.refusal.limit} ${admission.refusal.retryAfterMs ?? ""}`.trim();
		},
	};
}

describe("calls per second", () => {
	test("a second's calls at once, then one after each interval", () => {
		const { ask } = project({ callsPerSecond: 4 });
		expect([0, 0, 0, 0, 0].map((offset) => ask(NOON + offset))).toEqual([...Array<string>(4).fill("admitted"), "callsPerSecond 250"]);
		expect(ask(NOON + 249)).toBe("callsPerSecond 1");
		expect(ask(NOON + 250)).toBe("admitted");
		expect(ask(NOON + 250)).toBe("callsPerSecond 250");
		expect([0, 0, 0, 0, 0].map(() => ask(NOON + 60_000)).filter((answer) => answer === "admitted")).toHaveLength(4);
	});
	test("0 is none", () => expect(project({ callsPerSecond: 0 }).ask(NOON)).toBe("callsPerSecond"));
	test("no window of a second lets in more than twice the rate, nor a long time more than the rate", () => {
		fc.assert(
			fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.integer({ min: 0, max: 120 }), { maxLength: 200 }), (rate, gaps) => {
				const { ask } = project({ callsPerSecond: rate });
				let now = NOON;
				const admitted: number[] = [];
				for (const gap of gaps) {
					now += gap;
					if (ask(now) === "admitted") admitted.push(now);
				}
				for (const start of admitted)
					expect(admitted.filter((at) => at >= start && at < start + 1000).length).toBeLessThanOrEqual(2 * rate);
				expect(admitted.length).toBeLessThanOrEqual(rate + ((now - NOON) / 1000) * rate + 1e-6);
			}),
		);
	});
});

describe("calls at a time", () => {
	test("up to the limit; an end or the end of a lease makes room", () => {
		const calls = project({ concurrentCalls: 2 });
		expect([calls.ask(NOON, { leaseMs: 1000 }), calls.ask(NOON), calls.ask(NOON)]).toEqual(["admitted", "admitted", "concurrentCalls"]);
		expect(calls.ask(NOON + 999)).toBe("concurrentCalls");
		expect(calls.ask(NOON + 1000)).toBe("admitted");
		calls.set(callSettled(calls.usage, "SCL_1", 0, NOON + 1000));
		expect([calls.ask(NOON + 1000), calls.ask(NOON + 1000)]).toEqual(["admitted", "concurrentCalls"]);
	});
	test("the same call counts once", () => {
		const calls = project({ concurrentCalls: 1, callsPerSecond: 1 });
		expect([1, 2, 3].map(() => calls.ask(NOON, { callId: "SCL_same" }))).toEqual(["admitted", "admitted", "admitted"]);
		expect(calls.usage.usedMs).toBe(60_000);
	});
	test("calls that ring are counted apart", () => {
		const calls = project({ ringingCalls: 1 });
		expect([calls.ask(NOON), calls.ask(NOON)]).toEqual(["admitted", "ringingCalls"]);
		calls.set(callAnswered(calls.usage, "SCL_0", NOON));
		expect(callAnswered(calls.usage, "SCL_0", NOON)).toBeUndefined();
		expect(calls.ask(NOON)).toBe("admitted");
		expect(Object.keys(calls.usage.calls)).toHaveLength(2);
	});
});

describe("minutes per day", () => {
	test("one is reserved per call, the end puts in what was used", () => {
		const calls = project({ minutesPerDay: 3 });
		expect([1, 2, 3, 4].map(() => calls.ask(NOON))).toEqual(["admitted", "admitted", "admitted", `minutesPerDay ${MIDNIGHT - NOON}`]);
		calls.set(callSettled(calls.usage, "SCL_0", 0, NOON));
		expect(calls.usage.usedMs).toBe(120_000);
		calls.set(callSettled(calls.usage, "SCL_1", 100_000, NOON));
		expect(calls.usage.usedMs).toBe(160_000);
		expect(calls.ask(NOON)).toMatch("minutesPerDay");
		expect(callSettled(calls.usage, "SCL_1", 100_000, NOON)).toBeUndefined();
	});
	test("a new day begins with none; a call from yesterday takes nothing back", () => {
		const calls = project({ minutesPerDay: 1 });
		calls.ask(NOON, { leaseMs: 24 * 3600 * 1000 });
		expect(calls.ask(MIDNIGHT - 1)).toBe("minutesPerDay 1");
		expect(calls.ask(MIDNIGHT)).toBe("admitted");
		calls.set(callSettled(calls.usage, "SCL_0", 30_000, MIDNIGHT + 1));
		expect(calls.usage.usedMs).toBe(90_000);
	});
});

test("a refusal names limit, value and how to change it", () => {
	expect(refusalError({ limit: "concurrentCalls", value: 100 }, "p_1")).toMatchObject({
		code: "resource_exhausted",
		message:
			"the project has 100 calls at a time, which is its limit (concurrentCalls = 100). An administrator changes concurrentCalls with PATCH /v1/projects/p_1",
		meta: { limit: "concurrentCalls", value: "100" },
	});
	expect(refusalError({ limit: "callsPerSecond", value: 1, retryAfterMs: 12.5 }, "p").meta).toEqual({
		limit: "callsPerSecond",
		value: "1",
		retry_after_ms: "13",
	});
});
