import type { DispatchRule, DispatchTarget } from "@trunkline/contracts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { direct, dispatchRule } from "../samples.ts";
import { ruleConflictError, ruleConflictKeys } from "./conflicts.ts";
import { matchDispatchRule } from "./match.ts";

const question = { trunkId: "ST_1", from: "+15551111", to: "+15552222", strict: false };
const individual = (roomPrefix: string, pin = ""): DispatchTarget => ({ type: "individual", roomPrefix, pin, noRandomness: false });
const callee = (roomPrefix: string, pin = ""): DispatchTarget => ({ type: "callee", roomPrefix, pin, randomize: false });

describe("filters", () => {
	const states = ["absent", "passed", "failed"] as const;
	const table = states.flatMap((trunkIds) =>
		states.flatMap((inboundNumbers) => states.map((numbers) => ({ trunkIds, inboundNumbers, numbers }))),
	);
	const passed = { trunkIds: ["ST_0", "ST_1"], inboundNumbers: ["1 555 1111"], numbers: ["1-555-2222"] };
	const failed = { trunkIds: ["ST_2"], inboundNumbers: ["1999"], numbers: ["1999"] };
	test.each(table)("$trunkIds trunk_ids, $inboundNumbers inbound_numbers, $numbers numbers", (row) => {
		const list = (field: keyof typeof row) => (row[field] === "absent" ? [] : row[field] === "passed" ? passed[field] : failed[field]);
		const rule = dispatchRule({ trunkIds: list("trunkIds"), inboundNumbers: list("inboundNumbers"), numbers: list("numbers") });
		const first = (["trunkIds", "inboundNumbers", "numbers"] as const).find((field) => row[field] === "failed");
		const name = first && { trunkIds: "trunk_ids", inboundNumbers: "inbound_numbers", numbers: "numbers" }[first];
		expect(matchDispatchRule([rule], question)).toMatchObject(
			first === undefined
				? { outcome: "accept", rule: { ruleId: rule.ruleId } }
				: { outcome: "reject", reason: "no-rule", message: "No SIP Dispatch Rules defined", steps: [{ outcome: "rejected", test: name }] },
		);
	});

	test("the trace has the exact strings compared", () => {
		expect(matchDispatchRule([dispatchRule({ numbers: ["1999"] })], question).steps).toEqual([
			{ kind: "rule", id: "SDR_a", outcome: "rejected", test: "numbers", detail: 'called "+15552222" is not in ["+1999"]' },
		]);
	});
});

describe("a call that passed no trunk", () => {
	const noTrunk = { from: question.from, to: question.to };
	test.each([
		["rule for a trunk", ["ST_1"], false, "reject"],
		["rule for a trunk", ["ST_1"], true, "reject"],
		["rule for any trunk", [], false, "accept"],
		["rule for any trunk", [], true, "reject"],
	])("%s %j, strict %s: %s", (_name, trunkIds, strict, outcome) => {
		for (const trunkId of [undefined, ""]) {
			expect(
				matchDispatchRule([dispatchRule({ trunkIds })], { ...noTrunk, ...(trunkId === undefined ? {} : { trunkId }), strict }).outcome,
			).toBe(outcome);
		}
	});
	test("strict changes nothing for a call that passed a trunk", () => {
		expect(matchDispatchRule([dispatchRule()], { ...question, strict: true }).outcome).toBe("accept");
	});
});

describe("PIN", () => {
	const open = dispatchRule({ ruleId: "SDR_open", rule: direct("open") });
	const locked = dispatchRule({ ruleId: "SDR_locked", rule: direct("locked", "1234") });
	test.each<[string, DispatchRule[], string | undefined, object]>([
		["not asked, locked only", [locked], undefined, { outcome: "pin-required", rule: { ruleId: "SDR_locked" } }],
		["not asked, both: the locked rule is better", [open, locked], undefined, { outcome: "pin-required" }],
		["not asked, open only", [open], undefined, { outcome: "accept", rule: { ruleId: "SDR_open" } }],
		["right", [open, locked], "1234", { outcome: "accept", rule: { ruleId: "SDR_locked" } }],
		["wrong: no fallback to the open rule", [open, locked], "9999", { outcome: "reject", reason: "wrong-pin" }],
		["none entered, both", [open, locked], "", { outcome: "accept", rule: { ruleId: "SDR_open" } }],
		["none entered, locked only", [locked], "", { outcome: "reject", reason: "no-rule" }],
	])("%s", (_, rules, pin, expected) => {
		expect(matchDispatchRule(rules, { ...question, ...(pin === undefined ? {} : { pin }) })).toMatchObject(expected);
	});
	test("never in the trace", () => {
		expect(JSON.stringify(matchDispatchRule([locked], { ...question, pin: "9999" }).steps)).not.toMatch(/1234|9999/);
	});
});

describe("priority", () => {
	// Best first; each rule beats all below it.
	const order: [string, Partial<DispatchRule>][] = [
		[
			"trunk, both numbers, direct+pin",
			{ trunkIds: ["ST_1"], inboundNumbers: ["15551111"], numbers: ["15552222"], rule: direct("r", "1") },
		],
		[
			"trunk, both numbers, individual+pin",
			{ trunkIds: ["ST_1"], inboundNumbers: ["15551111"], numbers: ["15552222"], rule: individual("r", "1") },
		],
		[
			"trunk, both numbers, callee+pin",
			{ trunkIds: ["ST_1"], inboundNumbers: ["15551111"], numbers: ["15552222"], rule: callee("r", "1") },
		],
		["trunk, both numbers, direct", { trunkIds: ["ST_1"], inboundNumbers: ["15551111"], numbers: ["15552222"] }],
		["trunk, both numbers, individual", { trunkIds: ["ST_1"], inboundNumbers: ["15551111"], numbers: ["15552222"], rule: individual("r") }],
		["trunk, both numbers, callee", { trunkIds: ["ST_1"], inboundNumbers: ["15551111"], numbers: ["15552222"], rule: callee("r") }],
		["trunk, called number, direct+pin", { trunkIds: ["ST_1"], numbers: ["15552222"], rule: direct("r", "1") }],
		["trunk, called number, direct", { trunkIds: ["ST_1"], numbers: ["15552222"] }],
		["trunk, no number, direct+pin", { trunkIds: ["ST_1"], rule: direct("r", "1") }],
		["trunk, no number, direct, room a", { trunkIds: ["ST_1"], rule: direct("a") }],
		["trunk, no number, direct, room b", { trunkIds: ["ST_1"], rule: direct("b") }],
		["trunk, no number, individual", { trunkIds: ["ST_1"], rule: individual("a") }],
		["any trunk, both numbers, direct+pin", { inboundNumbers: ["15551111"], numbers: ["15552222"], rule: direct("r", "1") }],
		["any trunk, no number, callee", { rule: callee("a") }],
	];
	// Ids in the opposite order, so that no rule wins by its id.
	const rules = order.map(([name, over], index) => dispatchRule({ ...over, name, ruleId: `SDR_${50 - index}` }));

	test("each rule beats each one below it", () => {
		for (const [index, better] of rules.entries()) {
			for (const worse of rules.slice(index + 1)) {
				expect(matchDispatchRule([worse, better], question)).toMatchObject({ rule: { name: better.name } });
			}
		}
	});

	test("is a total order, whatever order the rules are stored in", () => {
		fc.assert(
			fc.property(fc.shuffledSubarray(rules, { minLength: 1 }), (subset) => {
				const best = rules.find((rule) => subset.includes(rule));
				const decision = matchDispatchRule(subset, question);
				if (decision.outcome === "reject") throw new Error("rejected");
				expect(decision.rule.name).toBe(best?.name);
				expect(decision.steps).toHaveLength(subset.length);
				expect(decision.steps.filter((step) => step.outcome === "selected")).toHaveLength(1);
			}),
		);
	});
	test("naming the caller counts as much as naming the called number", () => {
		const byCaller = dispatchRule({ ruleId: "SDR_c", inboundNumbers: ["15551111"], rule: direct("a") });
		const byCalled = dispatchRule({ ruleId: "SDR_d", numbers: ["15552222"], rule: direct("b") });
		expect(matchDispatchRule([byCalled, byCaller], question)).toMatchObject({ rule: { ruleId: "SDR_c" } });
	});
	test("the id has the last word", () => {
		expect(matchDispatchRule([dispatchRule({ ruleId: "SDR_z" }), dispatchRule({ ruleId: "SDR_b" })], question)).toMatchObject({
			rule: { ruleId: "SDR_b" },
		});
	});
});

describe("ruleConflictKeys", () => {
	const conflict = (a: Partial<DispatchRule>, b: Partial<DispatchRule>) => {
		const keys = new Set(ruleConflictKeys(dispatchRule(a)));
		return ruleConflictKeys(dispatchRule(b)).some((key) => keys.has(key));
	};
	test.each<[string, Partial<DispatchRule>, Partial<DispatchRule>, boolean]>([
		["two rules without filters", {}, { rule: individual("x") }, true],
		["other PIN", {}, { rule: direct("lobby", "1") }, false],
		["same PIN, other room", { rule: direct("a", "1") }, { rule: direct("b", "1") }, true],
		["a trunk in common", { trunkIds: ["ST_1", "ST_2"] }, { trunkIds: ["ST_2"] }, true],
		["a trunk and any trunk", { trunkIds: ["ST_1"] }, {}, false],
		["same called number, written differently", { numbers: ["+1 555"] }, { numbers: ["1555"] }, true],
		["called number against caller number", { numbers: ["1555"] }, { inboundNumbers: ["1555"] }, false],
	])("%s", (_, a, b, expected) => expect(conflict(a, b)).toBe(expected));
	test("the product of trunks, callers and called numbers", () => {
		expect(ruleConflictKeys(dispatchRule({ trunkIds: ["a", "b"], inboundNumbers: ["1", "2", "+2"], numbers: ["3", "4"] }))).toHaveLength(8);
	});
	test("the error names the other rule in LiveKit's words", () => {
		expect(ruleConflictError("SDR_x", "night")).toMatchObject({
			code: "invalid_argument",
			message:
				'Dispatch rule for the same trunk, inbound number, number, and PIN combination already exists in dispatch rule "SDR_x" "night"',
		});
	});
});
