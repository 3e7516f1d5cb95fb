import type { DispatchRule, InboundTrunk } from "@trunkline/contracts";
import { decideRule, type RuleDecision, type RuleQuestion } from "../explain/inbound.ts";
import { type TurnedAway, turnedAway } from "./elsewhere.ts";
import { mayBeIn, type RegionPin } from "./pins.ts";
import { inboundPin } from "./view.ts";

/** The region that an INVITE came to. */
export interface ArrivalRegion {
	region: string;
	/** SIP address of another region, host or host:port; undefined = not known here */
	sipAddress(region: string): string | undefined;
}

export interface Elsewhere {
	pin: RegionPin;
	answer: TurnedAway;
}

/** By its trunk, and its rule once that is known, the call must not be here; undefined = it may. */
export function elsewhere(here: ArrivalRegion, trunk: InboundTrunk | undefined, rule?: DispatchRule): Elsewhere | undefined {
	const pin = inboundPin(trunk, rule);
	const sipAddress = (region: string): string | undefined => here.sipAddress(region);
	const answer = turnedAway({ region: here.region, sipAddress, settings: trunk?.settings, pin });
	return pin === undefined || answer === undefined ? undefined : { pin, answer };
}

/** Rules whose calls may be in this region. */
export function rulesIn(region: string, rules: readonly DispatchRule[]): readonly DispatchRule[] {
	return rules.filter(({ settings }) => mayBeIn(region, settings?.regions));
}

/**
 * `decideRule`, and where the call may be. The best rule decides: that it is pinned elsewhere is no reason to take another one. A caller is asked for a PIN
 * where some rule with a PIN may take him here; PINs of rules that are pinned elsewhere do not open anything here.
 */
export function decideRuleIn(
	here: ArrivalRegion,
	rules: readonly DispatchRule[],
	question: RuleQuestion,
): { byRule: RuleDecision; elsewhere?: Elsewhere } {
	const byRule = decideRule(rules, question);
	const away = byRule.rule === undefined ? undefined : elsewhere(here, question.trunk, byRule.rule);
	if (away === undefined) return { byRule };
	const local = byRule.asksForPin === undefined ? undefined : decideRule(rulesIn(here.region, rules), question);
	return local?.asksForPin === undefined ? { byRule, elsewhere: away } : { byRule: local };
}
