import type { DispatchRule } from "@trunkline/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dispatchRule } from "../samples.ts";
import { ruleConflictKeys } from "./conflicts.ts";
import { type DispatchQuestion, matchDispatchRule } from "./match.ts";

const TRUNKS = ["ST_a", "ST_b"];
const CALLERS = ["+15550123", "1-555-0123", "anna"];
const CALLED = ["+15550100", "1 (555) 0100", "desk"];
const PINS = ["", "", "1", "2"];
const some = (values: readonly string[]) => fc.subarray([...values], { maxLength: 2 });
const rule = (ruleId: string): fc.Arbitrary<DispatchRule> =>
	fc
		.record({
			trunkIds: some(TRUNKS),
			inboundNumbers: some(CALLERS),
			numbers: some(CALLED),
			pin: fc.constantFrom(...PINS),
			type: fc.constantFrom("direct", "individual", "callee"),
			room: fc.constantFrom("a", "b"),
		})
		.map(({ pin, type, room, ...lists }) => {
			const target =
				type === "direct"
					? ({ type, roomName: room, pin } as const)
					: type === "individual"
						? ({ type, roomPrefix: room, pin, noRandomness: false } as const)
						: ({ type, roomPrefix: room, pin, randomize: false } as const);
			return dispatchRule({ ruleId, rule: target, ...lists });
		});

/** One call for each part of the world that the rules can tell apart, with the PIN entered. */
const QUESTIONS: DispatchQuestion[] = ["ST_a", "ST_b", "ST_other"].flatMap((trunkId) =>
	["+15550123", "anna", "a stranger"].flatMap((from) =>
		["+15550100", "desk", "somebody"].flatMap((to) => ["", "1", "2"].map((pin) => ({ trunkId, from, to, pin, strict: true }))),
	),
);

/** As specific in all that LiveKit's conflict check looks at; kind and room only break the tie. */
const equallySpecific = (a: DispatchRule, b: DispatchRule): boolean =>
	([a.trunkIds, a.inboundNumbers, a.numbers] as const).every(
		(list, i) => list.length > 0 === ([b.trunkIds, b.inboundNumbers, b.numbers][i]?.length ?? 0) > 0,
	);

describe("dispatch rules", () => {
	test("conflict exactly when some call would match both equally", () => {
		let conflicts = 0;
		fc.assert(
			fc.property(rule("SDR_a"), rule("SDR_b"), (a, b) => {
				const claimed = new Set(ruleConflictKeys(a));
				const conflict = ruleConflictKeys(b).some((key) => claimed.has(key));
				if (conflict) conflicts++;
				const bothMatch = QUESTIONS.some((question) =>
					matchDispatchRule([a, b], question).steps.every(({ outcome }) => outcome !== "rejected"),
				);
				expect(bothMatch && equallySpecific(a, b)).toBe(conflict);
			}),
			{ numRuns: 2000 },
		);
		expect(conflicts).toBeGreaterThan(20);
	});

	const text = fc.oneof(fc.string(), fc.constantFrom(...TRUNKS, ...CALLERS, ...CALLED));
	const question = fc.record(
		{ from: text, to: text, strict: fc.boolean(), trunkId: text, pin: fc.constantFrom("", "1", "2") },
		{ requiredKeys: ["from", "to", "strict"] },
	);
	const rules = fc.integer({ min: 0, max: 6 }).chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => rule(`SDR_${i}`))));

	test("are matched to every call, and to the same end in every order", () => {
		fc.assert(
			fc.property(rules, question, fc.infiniteStream(fc.nat()), (stored, asked, order) => {
				const result = matchDispatchRule(stored, asked);
				const shuffled = stored.map((one) => [order.next().value, one] as const).sort(([a], [b]) => Number(a) - Number(b));
				const again = matchDispatchRule(
					shuffled.map(([, one]) => one),
					asked,
				);
				const end = (decision: typeof result) => ({ ...decision, steps: decision.steps.toSorted((a, b) => (a.id < b.id ? -1 : 1)) });
				expect(end(again)).toEqual(end(result));
				expect(result.steps.map(({ id }) => id).toSorted()).toEqual(stored.map(({ ruleId }) => ruleId).toSorted());
			}),
			{ numRuns: 500 },
		);
	});

	test("of a trunk beat those of none, whatever else they name", () => {
		fc.assert(
			fc.property(rules, (stored) => {
				for (const asked of QUESTIONS) {
					const decision = matchDispatchRule(stored, asked);
					if (decision.outcome === "reject" || decision.rule.trunkIds.length > 0) continue;
					const others = decision.steps.filter(({ outcome }) => outcome === "candidate").map(({ id }) => id);
					expect(stored.filter(({ ruleId, trunkIds }) => others.includes(ruleId) && trunkIds.length > 0)).toEqual([]);
				}
			}),
		);
	});
});
