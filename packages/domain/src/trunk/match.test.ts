import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { inboundTrunk } from "../samples.ts";
import { trunkConflictError, trunkConflictKeys } from "./conflicts.ts";
import { matchInboundTrunk } from "./match.ts";

const call = { from: "+15551111", to: "+15552222", sourceAddress: "203.0.113.9" };
const other = { numbers: ["+1999"], allowedNumbers: ["+1999"], allowedAddresses: ["198.51.100.0/24"] };
const same = { numbers: ["1 555-2222"], allowedNumbers: ["(1555) 1111"], allowedAddresses: ["203.0.113.0/24"] };

describe("matchInboundTrunk", () => {
	// Every filter can be absent, passed or failed: a trunk matches when none fails.
	const states = ["absent", "passed", "failed"] as const;
	const table = states.flatMap((numbers) =>
		states.flatMap((allowedNumbers) => states.map((allowedAddresses) => ({ numbers, allowedNumbers, allowedAddresses }))),
	);
	test.each(table)("$numbers numbers, $allowedNumbers allowed_numbers, $allowedAddresses allowed_addresses", (row) => {
		const list = (field: keyof typeof row) => (row[field] === "absent" ? [] : row[field] === "passed" ? same[field] : other[field]);
		const trunk = inboundTrunk({
			numbers: list("numbers"),
			allowedNumbers: list("allowedNumbers"),
			allowedAddresses: list("allowedAddresses"),
		});
		const failed = (["numbers", "allowedNumbers", "allowedAddresses"] as const).find((field) => row[field] === "failed");
		const match = matchInboundTrunk([trunk], call);
		expect(match.trunk).toBe(failed === undefined ? trunk : undefined);
		const testNames = { numbers: "numbers", allowedNumbers: "allowed_numbers", allowedAddresses: "allowed_addresses" };
		expect(match.steps).toHaveLength(1);
		expect(match.steps[0]).toMatchObject(failed === undefined ? { outcome: "selected" } : { outcome: "rejected", test: testNames[failed] });
	});

	test("no trunks: no trunk, no problem", () => expect(matchInboundTrunk([], call)).toEqual({ steps: [] }));

	test("the trace has the exact strings compared", () => {
		const { steps } = matchInboundTrunk(
			[inboundTrunk({ numbers: ["1-999"] }), inboundTrunk({ trunkId: "ST_b", allowedAddresses: ["10.1.0.0/8", "host"] })],
			call,
		);
		expect(steps).toEqual([
			{
				kind: "trunk",
				id: "ST_b",
				outcome: "rejected",
				test: "allowed_addresses",
				detail: 'source "203.0.113.9" is not in [10.0.0.0/8, "host" (not an address)]',
			},
			{ kind: "trunk", id: "ST_in", outcome: "rejected", test: "numbers", detail: 'called "+15552222" is not in ["+1999"]' },
		]);
	});

	test.each(["sip.example.com", "*", "1.2.3.4;", "sip://203.0.113.9"])(
		"an address entry that cannot be read (%s) matches nobody",
		(entry) => {
			expect(matchInboundTrunk([inboundTrunk({ allowedAddresses: [entry] })], call).trunk).toBeUndefined();
		},
	);

	test.each(["", "garbage", "203.0.113.9:5060"])("a source that cannot be read (%j) passes no address filter", (sourceAddress) => {
		expect(
			matchInboundTrunk([inboundTrunk({ allowedAddresses: ["0.0.0.0/0", "::/0"] })], { ...call, sourceAddress }).trunk,
		).toBeUndefined();
	});

	test("an IPv4-mapped source is its IPv4 address", () => {
		expect(
			matchInboundTrunk([inboundTrunk({ allowedAddresses: ["203.0.113.0/24"] })], { ...call, sourceAddress: "::ffff:203.0.113.9" }).trunk
				?.trunkId,
		).toBe("ST_in");
	});

	test.each([
		["number beats wildcard", { numbers: same.numbers }, { allowedNumbers: same.allowedNumbers, allowedAddresses: same.allowedAddresses }],
		[
			"caller beats any caller",
			{ numbers: same.numbers, allowedNumbers: same.allowedNumbers },
			{ numbers: same.numbers, allowedAddresses: ["203.0.113.9"] },
		],
		["longer prefix beats shorter", { allowedAddresses: ["203.0.113.0/24", "1.2.3.4"] }, { allowedAddresses: ["203.0.0.0/8"] }],
		[
			"the longest of a trunk's prefixes counts",
			{ allowedAddresses: ["203.0.113.0/24", "203.0.0.0/8"] },
			{ allowedAddresses: ["203.0.0.0/16"] },
		],
		["a network beats any source", { allowedAddresses: ["0.0.0.0/0"] }, {}],
	])("%s, in either order", (_, winner, loser) => {
		const [a, b] = [inboundTrunk({ ...winner, trunkId: "ST_w" }), inboundTrunk({ ...loser, trunkId: "ST_l" })];
		for (const trunks of [
			[a, b],
			[b, a],
		]) {
			expect(matchInboundTrunk(trunks, call)).toMatchObject({
				trunk: { trunkId: "ST_w" },
				steps: [{ outcome: "selected" }, { id: "ST_l", outcome: "candidate" }],
			});
		}
	});

	test("a full tie is a problem, with LiveKit's words", () => {
		const tie = (over: object) =>
			matchInboundTrunk([inboundTrunk({ ...over, trunkId: "ST_a" }), inboundTrunk({ ...over, trunkId: "ST_b" })], call);
		expect(tie({ numbers: ["15552222"] })).toMatchObject({
			problem: 'Multiple SIP Trunks matched for "+15552222"',
			steps: [{ outcome: "candidate" }, { outcome: "candidate" }],
		});
		expect(tie({}).problem).toBe('Multiple default SIP Trunks matched for "+15552222"');
		expect(tie({}).trunk).toBeUndefined();
	});

	test("trunks whose keys differ never tie when each lists at most one network", () => {
		const list = <T>(values: T[]) => fc.subarray(values, { maxLength: 2 });
		const trunkArb = fc.record({
			numbers: list(["+1", "1", "+2"]),
			allowedNumbers: list(["+8", "8", "+9"]),
			allowedAddresses: fc.subarray(["10.0.0.0/8", "10.9.0.0/8", "10.1.0.0/16", "10.1.1.1"], { maxLength: 1 }),
		});
		fc.assert(
			fc.property(fc.array(trunkArb, { maxLength: 8 }), (all) => {
				const claimed = new Set<string>();
				const stored = all
					.map((over, index) => inboundTrunk({ ...over, trunkId: `ST_${index}` }))
					.filter((trunk) => {
						const keys = trunkConflictKeys(trunk);
						if (keys.some((key) => claimed.has(key))) return false;
						for (const key of keys) claimed.add(key);
						return true;
					});
				expect(matchInboundTrunk(stored, { from: "+8", to: "+1", sourceAddress: "10.1.1.1" }).problem).toBeUndefined();
			}),
		);
	});
});

describe("trunkConflictKeys", () => {
	const conflict = (a: object, b: object) => {
		const keys = new Set(trunkConflictKeys(inboundTrunk(a)));
		return trunkConflictKeys(inboundTrunk(b)).some((key) => keys.has(key));
	};
	test.each<[string, object, object, boolean]>([
		["two wildcards", {}, {}, true],
		["same number, written differently", { numbers: ["+1 555"] }, { numbers: ["1555", "2"] }, true],
		["different numbers", { numbers: ["1555"] }, { numbers: ["1556"] }, false],
		["same number, one open, one for a caller", { numbers: ["1555"] }, { numbers: ["1555"], allowedNumbers: ["1"] }, false],
		[
			"same number, a caller in common",
			{ numbers: ["1555"], allowedNumbers: ["1", "2"] },
			{ numbers: ["1555"], allowedNumbers: ["+2", "3"] },
			true,
		],
		["same number, other callers", { numbers: ["1555"], allowedNumbers: ["1"] }, { numbers: ["1555"], allowedNumbers: ["3"] }, false],
		["wildcards of two carriers' networks", { allowedAddresses: ["10.0.0.0/8"] }, { allowedAddresses: ["11.0.0.0/8"] }, false],
		[
			"the same network, written differently",
			{ allowedAddresses: ["10.0.0.0/8", "1.1.1.1"] },
			{ allowedAddresses: ["1.1.1.1/32", "10.2.0.0/8"] },
			true,
		],
		["the separator inside a name", { numbers: ['a","b'] }, { numbers: ["a"], allowedNumbers: ["b"] }, false],
	])("%s", (_, a, b, expected) => expect(conflict(a, b)).toBe(expected));

	test("the product of numbers and callers", () => {
		expect(trunkConflictKeys(inboundTrunk({ numbers: ["1", "+1", "2"], allowedNumbers: ["8", "9"] }))).toHaveLength(4);
	});

	test("the error names the other trunk in LiveKit's words", () => {
		const [open] = trunkConflictKeys(inboundTrunk({ numbers: ["1555"] }));
		const [restricted] = trunkConflictKeys(inboundTrunk({ numbers: ["1555"], allowedNumbers: ["8"] }));
		expect(trunkConflictError(open ?? "", "ST_x")).toMatchObject({
			code: "invalid_argument",
			message: 'Conflicting inbound SIP Trunks: "<new>" and "ST_x", using the same number(s) ["+1555"] without AllowedNumbers set',
		});
		expect(trunkConflictError(restricted ?? "", "ST_x").message).toContain('using the same number(s) ["+1555"] and AllowedNumber "+8"');
	});
});
