import type { DecisionStep, DispatchRule } from "@trunkline/contracts";
import { includesNumber, normalizeNumber } from "../number.ts";

export interface DispatchQuestion {
	/** the matched trunk; unset when the call passed none */
	trunkId?: string;
	/** caller: user part of From */
	from: string;
	/** called: user part of To */
	to: string;
	/** digits that the caller has entered; "" = entered nothing and pressed `#`; unset = not asked yet */
	pin?: string;
	/**
	 * In strict mode a rule without trunks does not accept a call that passed no trunk. Without it, it does, as in LiveKit: such a call passed no
	 * address, caller or password check at all.
	 */
	strict: boolean;
}

export type DispatchDecision =
	| { outcome: "accept"; rule: DispatchRule; steps: DecisionStep[] }
	/** the best rule has a PIN: ask for it, then match again with `pin` */
	| { outcome: "pin-required"; rule: DispatchRule; steps: DecisionStep[] }
	/** "wrong-pin": rules would match with another PIN */
	| { outcome: "reject"; reason: "no-rule" | "wrong-pin"; message: string; steps: DecisionStep[] };

/**
 * The dispatch rule for an inbound call. Rules that name the call's trunk beat rules that name none; inside a tier the lowest score wins: a PIN
 * beats none, then direct beats individual beats callee, and a rule that names the caller or the called number beats one that does not; the last
 * word has the room name, then the id.
 */
export function matchDispatchRule(rules: readonly DispatchRule[], question: DispatchQuestion): DispatchDecision {
	const steps: DecisionStep[] = [];
	const matching: DispatchRule[] = [];
	let wrongPin = false;
	for (const rule of rules) {
		const failed = firstFailedTest(rule, question);
		if (failed === undefined) matching.push(rule);
		else {
			wrongPin ||= failed.test === "pin";
			steps.push({ kind: "rule", id: rule.ruleId, outcome: "rejected", ...failed });
		}
	}
	const [best, ...others] = matching.sort(compareRules);
	if (best === undefined) return rejection(wrongPin && question.pin !== undefined && question.pin !== "", steps);
	steps.push({ kind: "rule", id: best.ruleId, outcome: "selected" });
	for (const rule of others)
		steps.push({ kind: "rule", id: rule.ruleId, outcome: "candidate", test: "priority", detail: whyLower(best, rule) });
	const ask = best.rule.pin !== "" && question.pin === undefined;
	return { outcome: ask ? "pin-required" : "accept", rule: best, steps };
}

function rejection(wrongPin: boolean, steps: DecisionStep[]): DispatchDecision {
	if (wrongPin) return { outcome: "reject", reason: "wrong-pin", message: "the PIN belongs to no dispatch rule", steps };
	return { outcome: "reject", reason: "no-rule", message: "No SIP Dispatch Rules defined", steps };
}

function firstFailedTest(
	rule: DispatchRule,
	{ trunkId, from, to, pin, strict }: DispatchQuestion,
): { test: string; detail: string } | undefined {
	const passedTrunk = trunkId !== undefined && trunkId !== "";
	if (rule.trunkIds.length > 0 && (!passedTrunk || !rule.trunkIds.includes(trunkId))) {
		const trunk = passedTrunk ? `trunk ${JSON.stringify(trunkId)} is` : "the call passed no trunk; the rule is for those";
		return { test: "trunk_ids", detail: `${trunk}${passedTrunk ? " not" : ""} in ${JSON.stringify(rule.trunkIds)}` };
	}
	if (rule.trunkIds.length === 0 && !passedTrunk && strict) {
		return { test: "strict", detail: "the call passed no trunk, and strict mode lets no rule accept such calls" };
	}
	if (rule.inboundNumbers.length > 0 && !includesNumber(rule.inboundNumbers, from)) {
		return { test: "inbound_numbers", detail: `caller ${quote(from)} is not in ${quoteAll(rule.inboundNumbers)}` };
	}
	if (rule.numbers.length > 0 && !includesNumber(rule.numbers, to)) {
		return { test: "numbers", detail: `called ${quote(to)} is not in ${quoteAll(rule.numbers)}` };
	}
	// The PIN itself is a secret and stays out of the trace.
	if (pin === "" && rule.rule.pin !== "") return { test: "pin", detail: "the rule has a PIN, the caller entered none" };
	if (pin !== undefined && pin !== rule.rule.pin) return { test: "pin", detail: "the PIN entered is not the rule's" };
	return undefined;
}

function compareRules(a: DispatchRule, b: DispatchRule): number {
	return tier(a) - tier(b) || score(a) - score(b) || compareText(roomText(a), roomText(b)) || compareText(a.ruleId, b.ruleId);
}

function tier(rule: DispatchRule): 0 | 1 {
	return rule.trunkIds.length > 0 ? 0 : 1;
}

const KIND_SCORE = { direct: 0, individual: 1, callee: 2 } as const;

/** Lower is better. */
function score(rule: DispatchRule): number {
	const open = rule.rule.pin === "" ? 100 : 0;
	return KIND_SCORE[rule.rule.type] + open + (rule.inboundNumbers.length === 0 ? 1000 : 0) + (rule.numbers.length === 0 ? 1000 : 0);
}

function roomText(rule: DispatchRule): string {
	return rule.rule.type === "direct" ? rule.rule.roomName : rule.rule.roomPrefix;
}

function whyLower(best: DispatchRule, rule: DispatchRule): string {
	if (tier(best) !== tier(rule)) return `${best.ruleId} names the trunk, this rule names none`;
	if (score(best) !== score(rule)) return `score ${score(rule)}, ${best.ruleId} has ${score(best)} (lower wins)`;
	return `same score ${score(rule)}; ${best.ruleId} comes first by room name, then id`;
}

function quote(number: string): string {
	return JSON.stringify(normalizeNumber(number));
}

function quoteAll(numbers: readonly string[]): string {
	return `[${numbers.map(quote).join(", ")}]`;
}

function compareText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
