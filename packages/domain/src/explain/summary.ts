import type { CallEnd, DecisionStep } from "@trunkline/contracts";
import { describeEnd } from "../call/sip-status.ts";
import { normalizeNumber } from "../number.ts";
import { callerOf, NO_TRUNK } from "./inbound.ts";

/** What a summary is made of; a call record has all of it. */
export interface SummarizedCall {
	/** user parts of From and To */
	from: string;
	to: string;
	/** the decision's steps */
	steps: readonly DecisionStep[];
	/** "" when it was refused */
	ruleId: string;
	roomName: string;
	participantIdentity: string;
	end?: CallEnd;
}

/** More candidates than this are counted, not told; the steps have them all. */
const TOLD = 5;

/**
 * The decision on an inbound call in one paragraph: who took it, or why nobody did, with each candidate's first failed test. A refused call and
 * the explanation of the same would-be call have the same text.
 */
export function summarizeDecision(call: SummarizedCall): string {
	const who = `The call from ${quote(callerOf(call.from))} to ${quote(call.to)}`;
	const trunk = selected(call.steps, "trunk");
	if (call.ruleId !== "") {
		const through = trunk === undefined ? "without a trunk" : `through trunk ${trunk.id}`;
		const room =
			call.roomName === "" ? "" : ` and joins room ${JSON.stringify(call.roomName)} as ${JSON.stringify(call.participantIdentity)}`;
		return `${who} came ${through}, is taken by dispatch rule ${call.ruleId}${room}.`;
	}
	const outcome = call.end === undefined ? `${who} was not taken.` : `${who} was not taken: ${describeEnd(call.end)}.${more(call.end)}`;
	return [outcome, ...trunkTests(call, trunk), ...ruleTests(call, selected(call.steps, "rule"))].join(" ");
}

function more({ message }: CallEnd): string {
	// What comes after says so of each trunk, or that there is none.
	return message === undefined || message === NO_TRUNK ? "" : ` ${capital(message)}.`;
}

function trunkTests({ steps, to, end }: SummarizedCall, winner: DecisionStep | undefined): string[] {
	if (winner !== undefined) return [`Trunk ${winner.id} matched.`];
	const told = tests(steps, "trunk");
	// A call may also end before it was looked up.
	if (told.length > 0 || end?.reason !== "no-trunk") return told;
	return [`No inbound trunk names the called number ${quote(to)}, and none takes every number.`];
}

function ruleTests({ steps, to, end }: SummarizedCall, winner: DecisionStep | undefined): string[] {
	if (winner !== undefined) return [`Dispatch rule ${winner.id} matched.`];
	const told = tests(steps, "rule");
	if (told.length > 0 || end?.reason !== "no-rule") return told;
	return [`No dispatch rule is for this trunk, or for every trunk, and for the called number ${quote(to)} or every number.`];
}

function tests(steps: readonly DecisionStep[], kind: DecisionStep["kind"]): string[] {
	const failed = steps.filter((step) => step.kind === kind);
	const told = failed.slice(0, TOLD).map((step) => `${kind === "trunk" ? "Trunk" : "Dispatch rule"} ${step.id}: ${reasonOf(step)}.`);
	return failed.length > TOLD ? [...told, `${failed.length - TOLD} more failed too.`] : told;
}

function reasonOf({ test, detail }: DecisionStep): string {
	if (detail !== undefined) return `${test ?? "test"}: ${detail}`;
	return test === "unique" ? "matches as well as another one" : (test ?? "matched");
}

function selected(steps: readonly DecisionStep[], kind: DecisionStep["kind"]): DecisionStep | undefined {
	return steps.find((step) => step.kind === kind && step.outcome === "selected");
}

function quote(number: string): string {
	return JSON.stringify(normalizeNumber(number));
}

function capital(text: string): string {
	return text.charAt(0).toUpperCase() + text.slice(1);
}
