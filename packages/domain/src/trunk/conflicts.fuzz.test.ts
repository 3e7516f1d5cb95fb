import type { InboundTrunk } from "@trunkline/contracts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normalizeNumber } from "../number.ts";
import { inboundTrunk } from "../samples.ts";
import { trunkConflictKeys } from "./conflicts.ts";
import { matchInboundTrunk } from "./match.ts";

// A world so small that two trunks often meet in it, in all the ways to write its things.
const NUMBERS = ["+15550100", "1 (555) 0100", "+15550101", "desk"];
const CALLERS = ["+15550123", "1-555-0123", "anna"];
const NETWORKS = ["10.0.0.0/8", "10.9.9.9/8", "10.1.0.0/16", "::ffff:10.1.0.0/112", "10.1.2.3", "192.0.2.0/24", "2001:db8::/32"];
const some = (values: readonly string[]) => fc.subarray([...values], { maxLength: 3 });
const trunk = (trunkId: string): fc.Arbitrary<InboundTrunk> =>
	fc
		.record({ numbers: some(NUMBERS), allowedNumbers: some(CALLERS), allowedAddresses: some(NETWORKS) })
		.map((lists) => inboundTrunk({ trunkId, ...lists }));

/** One call for each part of the world that the trunks can tell apart. */
const CALLS = ["+15550100", "+15550101", "desk", "somebody else"].flatMap((to) =>
	["+15550123", "anna", "a stranger"].flatMap((from) =>
		["10.2.0.1", "10.1.0.1", "10.1.2.3", "192.0.2.1", "2001:db8::1", "203.0.113.1"].map((sourceAddress) => ({ to, from, sourceAddress })),
	),
);

describe("inbound trunks", () => {
	test("conflict exactly when some call would match both equally", () => {
		let conflicts = 0;
		fc.assert(
			fc.property(trunk("ST_a"), trunk("ST_b"), (a, b) => {
				const claimed = new Set(trunkConflictKeys(a));
				const conflict = trunkConflictKeys(b).some((key) => claimed.has(key));
				if (conflict) conflicts++;
				expect(CALLS.some((call) => matchInboundTrunk([a, b], call).problem !== undefined)).toBe(conflict);
			}),
			{ numRuns: 1000 },
		);
		// the world is small enough for both to happen
		expect(conflicts).toBeGreaterThan(10);
	});

	test("that do not conflict are never ambiguous, however many there are", () => {
		fc.assert(
			fc.property(fc.array(trunk(""), { maxLength: 12 }), (candidates) => {
				const claimed = new Set<string>();
				const stored = candidates.flatMap((candidate, i) => {
					const keys = trunkConflictKeys(candidate);
					if (keys.some((key) => claimed.has(key))) return [];
					for (const key of keys) claimed.add(key);
					return [{ ...candidate, trunkId: `ST_${i}` }];
				});
				for (const call of CALLS) expect(matchInboundTrunk(stored, call).problem).toBeUndefined();
			}),
		);
	});

	const text = fc.oneof(fc.string(), fc.constantFrom(...NUMBERS, ...CALLERS, ...NETWORKS, "10.1.2.3"));
	const anyTrunk = (trunkId: string): fc.Arbitrary<InboundTrunk> =>
		fc
			.record({
				numbers: fc.array(text, { maxLength: 3 }),
				allowedNumbers: fc.array(text, { maxLength: 3 }),
				allowedAddresses: fc.array(text, { maxLength: 3 }),
			})
			.map((lists) => inboundTrunk({ trunkId, ...lists }));
	const anyTrunks = fc
		.integer({ min: 0, max: 6 })
		.chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => anyTrunk(`ST_${i}`))));

	test("are matched to every call, whatever is in both, and to the same end in every order", () => {
		fc.assert(
			fc.property(
				anyTrunks,
				fc.record({ from: text, to: text, sourceAddress: text }),
				fc.infiniteStream(fc.nat()),
				(trunks, call, order) => {
					const result = matchInboundTrunk(trunks, call);
					const shuffled = trunks.map((one) => [order.next().value, one] as const).sort(([a], [b]) => Number(a) - Number(b));
					expect(
						matchInboundTrunk(
							shuffled.map(([, one]) => one),
							call,
						),
					).toEqual(result);
					// every trunk is accounted for, once
					expect(result.steps.map(({ id }) => id).toSorted()).toEqual(trunks.map(({ trunkId }) => trunkId).toSorted());
					if (result.trunk && result.trunk.numbers.length > 0)
						expect(result.trunk.numbers.map(normalizeNumber)).toContain(normalizeNumber(call.to));
				},
			),
			{ numRuns: 500 },
		);
	});
});
