import type { DispatchRule } from "@trunkline/contracts";
import { DomainError } from "../errors.ts";
import { normalizeNumber } from "../number.ts";

/**
 * What a dispatch rule claims for itself alone: PIN × trunk × caller × called number, "" where a list is empty. The store keeps each key for one
 * rule. Kind of rule and room are not part of it, as in LiveKit.
 */
export function ruleConflictKeys(rule: DispatchRule): string[] {
	const keys = new Set<string>();
	for (const trunkId of orAny(rule.trunkIds)) {
		for (const caller of orAny(rule.inboundNumbers)) {
			for (const called of orAny(rule.numbers)) {
				keys.add(JSON.stringify([rule.rule.pin, trunkId, normalizeNumber(caller), normalizeNumber(called)]));
			}
		}
	}
	return [...keys];
}

/** The error for a key that another rule holds; the text is LiveKit's. */
export function ruleConflictError(otherRuleId: string, otherName: string): DomainError {
	return new DomainError(
		"invalid_argument",
		`Dispatch rule for the same trunk, inbound number, number, and PIN combination already exists in dispatch rule ${JSON.stringify(otherRuleId)} ${JSON.stringify(otherName)}`,
	);
}

function orAny(list: readonly string[]): readonly string[] {
	return list.length === 0 ? [""] : list;
}
