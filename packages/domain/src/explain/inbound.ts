import type { CallEnd, DecisionStep, DispatchRule, InboundTrunk } from "@trunkline/contracts";
import { matchDispatchRule, type DispatchDecision } from "../dispatch-rule/match.ts";
import { type InboundCallOrigin, matchInboundTrunk } from "../trunk/match.ts";

/** What a call is told that no trunk matched. */
export const NO_TRUNK = "no inbound trunk takes this call";

/*
 * What becomes of an inbound call, as a composition of pure steps. The media node runs them with real reads and real credentials between
 * them; `/v1/explain` runs the same ones for a would-be call, so that an explanation cannot differ from what happens.
 */

/** A final refusal: what the caller gets, and the end on the record, to which status and reason belong too. */
export interface InboundRefusal {
	/** SIP status ≥ 400 and its reason phrase */
	status: number;
	reason: string;
	end: CallEnd;
}

export interface TrunkDecision {
	steps: DecisionStep[];
	/** unset: the call passed none, which non-strict rules may still take */
	trunk?: InboundTrunk;
	refusal?: InboundRefusal;
}

export type RuleDecision = { steps: DecisionStep[] } & (
	| { rule: DispatchRule; refusal?: undefined; asksForPin?: undefined }
	/** `rule` is there when it would take the call with something that the caller did not bring */
	| { rule?: DispatchRule; refusal: InboundRefusal; asksForPin?: AsksForPin }
);

/** The caller is answered and asked for a PIN; whoever cannot be asked gets the refusal beside it. */
export interface AsksForPin {
	/** every PIN that would do has so many digits; unset: they differ */
	length?: number;
}

export interface RuleQuestion {
	from: string;
	to: string;
	trunk: InboundTrunk | undefined;
	/** what the caller entered when asked; unset = cannot be asked */
	pin?: string;
	strict: boolean;
}

/** How a caller without a user part in From is called, in matching, names and records. */
export const ANONYMOUS = "anonymous";

export function callerOf(user: string): string {
	return user === "" ? ANONYMOUS : user;
}

/** `trunks`: those that name the called number, and the wildcard ones. */
export function decideTrunk(trunks: readonly InboundTrunk[], call: InboundCallOrigin): TrunkDecision {
	const { trunk, problem, steps } = matchInboundTrunk(trunks, call);
	if (problem !== undefined)
		return { steps, refusal: refusal(500, "Ambiguous Trunk", { by: "node", reason: "no-trunk", message: problem }) };
	return trunk === undefined ? { steps } : { steps, trunk };
}

/** A trunk with a user name or a password asks for both; one of them alone must not leave it open. */
export function asksForCredentials(trunk: InboundTrunk | undefined): boolean {
	return trunk !== undefined && (trunk.authUsername !== "" || trunk.authPassword !== "");
}

/** `rules`: those that name the trunk, and those that name none. */
export function decideRule(rules: readonly DispatchRule[], { from, to, trunk, pin, strict }: RuleQuestion): RuleDecision {
	const question = { from, to, strict, ...(trunk === undefined ? {} : { trunkId: trunk.trunkId }) };
	const asked = matchDispatchRule(rules, question);
	const dispatch = asked.outcome === "pin-required" && pin !== undefined ? matchDispatchRule(rules, { ...question, pin }) : asked;
	const { steps } = dispatch;
	if (dispatch.outcome === "reject") return { steps, refusal: noRule(dispatch, trunk) };
	const { rule } = dispatch;
	if (dispatch.outcome === "pin-required") return { steps, rule, refusal: pinRequired(rule), asksForPin: pinLength(rules, question) };
	return { steps, rule };
}

function noRule(dispatch: Extract<DispatchDecision, { outcome: "reject" }>, trunk: InboundTrunk | undefined): InboundRefusal {
	const { message } = dispatch;
	if (dispatch.reason === "wrong-pin") return refusal(403, "Wrong PIN", { by: "node", reason: "wrong-pin", message });
	if (trunk === undefined) return refusal(404, "Does Not Match Any Trunk", { by: "node", reason: "no-trunk", message: NO_TRUNK });
	return refusal(404, "Does Not Match Any Dispatch Rule", { by: "node", reason: "no-rule", message });
}

function pinRequired(rule: DispatchRule): InboundRefusal {
	const message = `dispatch rule ${rule.ruleId} has a PIN: the call is answered, and the caller is asked for it`;
	return refusal(403, "PIN Required", { by: "node", reason: "wrong-pin", message });
}

/** Of the rules that would take the call with their PIN. */
function pinLength(rules: readonly DispatchRule[], question: Parameters<typeof matchDispatchRule>[1]): AsksForPin {
	const lengths = new Set<number>();
	for (const rule of rules) {
		const { pin } = rule.rule;
		if (pin !== "" && matchDispatchRule([rule], { ...question, pin }).outcome === "accept") lengths.add(pin.length);
	}
	const [length] = lengths;
	return length === undefined || lengths.size > 1 ? {} : { length };
}

const refusal = (status: number, reason: string, end: CallEnd): InboundRefusal => ({ status, reason, end });
