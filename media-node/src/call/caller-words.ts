import type { DispatchRule, InboundTrunk } from "@trunkline/contracts";
import { attributesFromHeaders, identityAttributes, isTrustedTrunk, wantsPrivacy } from "@trunkline/domain";
import type { HeaderList } from "./ports.ts";

const named = (headers: HeaderList) => headers.map(([name, value]) => ({ name, value }));

/** The rule as it is for this caller: one who asked for privacy (RFC 3325 §9.3) is shown to the room as one whose number the rule hides. */
export function ruleForCaller(rule: DispatchRule, headers: HeaderList): DispatchRule {
	return wantsPrivacy(named(headers)) ? { ...rule, hidePhoneNumber: true } : rule;
}

/** What the headers of an INVITE, and of later messages, say of the caller, as participant attributes. */
export function callerWords(
	headers: HeaderList,
	trunk: InboundTrunk | undefined,
	rule: DispatchRule,
): { attributes: Record<string, string>; attributesFrom(headers: HeaderList): Record<string, string> } {
	const mapping = {
		includeHeaders: trunk?.includeHeaders ?? "NO",
		headersToAttributes: trunk?.headersToAttributes ?? {},
		hidePhoneNumber: rule.hidePhoneNumber,
	} as const;
	const attributesFrom = (given: HeaderList) => attributesFromHeaders(named(given), mapping);
	const identity = identityAttributes(named(headers), { trusted: isTrustedTrunk(trunk), hidden: rule.hidePhoneNumber });
	return { attributes: { ...identity, ...attributesFrom(headers) }, attributesFrom };
}
