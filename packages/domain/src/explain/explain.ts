import type { DispatchRule, Explanation, InboundTrunk, RandomBytes } from "@trunkline/contracts";
import { attributesFromHeaders, type SipHeader } from "../participant/headers.ts";
import { participantForInbound, roomForCall } from "../participant/inbound.ts";
import { trunkNumberOf } from "../provider/numbers.ts";
import { providerOfSource } from "../provider/view.ts";
import { asksForCredentials, callerOf, decideRule, decideTrunk } from "./inbound.ts";
import { explainedElsewhere } from "../region/explain.ts";
import { type ArrivalRegion, decideRuleIn } from "../region/inbound.ts";
import { summarizeDecision } from "./summary.ts";

export interface WouldBeCall {
	from: string;
	to: string;
	/** IP address without port */
	source: string;
	headers: readonly SipHeader[];
	pin?: string;
}

/** What is stored that a call can meet; each read is bounded, whatever is stored. */
export interface ExplainSources {
	trunksFor(calledNumber: string): Promise<InboundTrunk[]>;
	rulesFor(trunkId: string | undefined, calledNumber: string): Promise<DispatchRule[]>;
	strict: boolean;
	random: RandomBytes;
	/** where the INVITE arrives; unset: nothing is said of regions */
	here?: ArrivalRegion;
}

/** What would become of a call that came now, by the steps that the media node takes. No secret is in it. */
export async function explainInbound(call: WouldBeCall, sources: ExplainSources): Promise<Explanation> {
	const from = callerOf(call.from);
	const called = call.to;
	const { trunk, ...byTrunk } = decideTrunk(await sources.trunksFor(called), { from, to: called, sourceAddress: call.source });
	const to = trunkNumberOf(trunk, called);
	const steps = [...byTrunk.steps];
	const base = {
		asksForCredentials: asksForCredentials(trunk),
		asksForPin: false,
		steps,
		...(trunk === undefined ? {} : { trunk: { id: trunk.trunkId, name: trunk.name } }),
		...suggestion(trunk, call.source),
	};
	const told = { from, to, steps, ruleId: "", roomName: "", participantIdentity: "" };
	if (byTrunk.refusal !== undefined) return { ...base, ...refused(told, byTrunk.refusal) };
	const byTrunkAway = sources.here && explainedElsewhere(sources.here, { trunk });
	if (byTrunkAway?.refusal !== undefined) return { ...base, ...byTrunkAway.told, ...refused(told, byTrunkAway.refusal) };

	const question = { from, to, trunk, strict: sources.strict, ...(call.pin === undefined ? {} : { pin: call.pin }) };
	const rules = await sources.rulesFor(trunk?.trunkId, to);
	const byRule = sources.here === undefined ? decideRule(rules, question) : decideRuleIn(sources.here, rules, question).byRule;
	steps.push(...byRule.steps);
	const { rule } = byRule;
	const byRuleAway = sources.here && explainedElsewhere(sources.here, { trunk, ...(rule === undefined ? {} : { rule }) });
	const ruled = {
		...base,
		...byRuleAway?.told,
		asksForPin: rule !== undefined && rule.rule.pin !== "",
		...(rule === undefined ? {} : { rule: { id: rule.ruleId, name: rule.name } }),
	};
	if (byRuleAway?.refusal !== undefined) return { ...ruled, ...refused(told, byRuleAway.refusal) };
	if (byRule.refusal !== undefined) return { ...ruled, ...refused(told, byRule.refusal) };
	const place = placeOf(byRule.rule, trunk, { ...call, from, to }, sources.random);
	return {
		...ruled,
		...place,
		outcome: "accepted",
		sip: { status: 200, reason: "OK" },
		summary: summarizeDecision({
			...told,
			ruleId: byRule.rule.ruleId,
			roomName: place.room.name,
			participantIdentity: place.participant.identity,
		}),
	};
}

function suggestion(trunk: InboundTrunk | undefined, source: string): Pick<Explanation, "suggestedProvider"> {
	const provider = trunk?.settings?.provider === undefined ? providerOfSource(source) : undefined;
	return provider === undefined ? {} : { suggestedProvider: provider };
}

function refused(
	told: Parameters<typeof summarizeDecision>[0],
	{ status, reason, end }: NonNullable<ReturnType<typeof decideRule>["refusal"]>,
): Pick<Explanation, "outcome" | "sip" | "endReason" | "summary"> {
	// As the node writes it on the record of a refused call.
	const recorded = { sipStatus: status, sipReason: reason, ...end };
	return { outcome: "refused", sip: { status, reason }, endReason: end.reason, summary: summarizeDecision({ ...told, end: recorded }) };
}

/** Attributes that a call has and a would-be call has not. */
const OF_A_REAL_CALL = new Set(["sip.callID", "sip.callIDFull", "sip.callTag", "sip.hostname"]);

function placeOf(
	rule: DispatchRule,
	trunk: InboundTrunk | undefined,
	{ from, to, headers }: WouldBeCall,
	random: RandomBytes,
): { room: NonNullable<Explanation["room"]>; participant: NonNullable<Explanation["participant"]> } {
	const facts = { callId: "", sipCallId: "", remoteTag: "", fromHost: "", from, to, trunkId: trunk?.trunkId ?? "" };
	const { attributes, ...participant } = participantForInbound(rule, facts, "ringing");
	const mapped = attributesFromHeaders(headers, {
		includeHeaders: trunk?.includeHeaders ?? "NO",
		headersToAttributes: trunk?.headersToAttributes ?? {},
		hidePhoneNumber: rule.hidePhoneNumber,
	});
	const known = Object.entries(attributes).filter(([name]) => !OF_A_REAL_CALL.has(name));
	return {
		room: { name: roomForCall(rule, { from, to, random }), isRandom: isRandom(rule) },
		participant: { ...participant, attributes: { ...Object.fromEntries(known), ...mapped } },
	};
}

function isRandom({ rule }: DispatchRule): boolean {
	return (rule.type === "individual" && !rule.noRandomness) || (rule.type === "callee" && rule.randomize);
}
