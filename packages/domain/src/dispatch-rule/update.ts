import type { DispatchRule, DispatchRuleSettings, DispatchTarget, MediaConfig, MediaEncryption } from "@trunkline/contracts";
import { applyListUpdate, applyMapDiff, type ListUpdate } from "../list-update.ts";
import { mediaUpdate } from "../media.ts";

/** `livekit.SIPDispatchRuleUpdate`: what is unset stays as it is. */
export interface DispatchRuleUpdate {
	trunkIds?: ListUpdate;
	/** whole, in the place of the old one */
	rule?: DispatchTarget;
	name?: string;
	metadata?: string;
	/** an empty value deletes its key */
	attributes?: Record<string, string>;
	mediaEncryption?: MediaEncryption;
	media?: MediaConfig;
}

/** The next version of the rule, not validated yet. `now` in ms since the epoch. Throws `invalid_argument` for a list update that is none. */
export function updatedDispatchRule(rule: DispatchRule, update: DispatchRuleUpdate, now: number): DispatchRule {
	return {
		...rule,
		trunkIds: applyListUpdate("trunk_ids", rule.trunkIds, update.trunkIds),
		...(update.rule === undefined ? {} : { rule: update.rule }),
		...(update.name === undefined ? {} : { name: update.name }),
		...(update.metadata === undefined ? {} : { metadata: update.metadata }),
		attributes: applyMapDiff(rule.attributes, update.attributes ?? {}),
		...mediaUpdate(rule, update),
		version: rule.version + 1,
		updatedAt: Math.max(now, rule.updatedAt),
	};
}

/** The next version of the rule, with these settings in the place of what it had; `undefined` = none. `now` in ms. */
export function ruleWithSettings(rule: DispatchRule, settings: DispatchRuleSettings | undefined, now: number): DispatchRule {
	const next: DispatchRule = { ...rule, version: rule.version + 1, updatedAt: Math.max(now, rule.updatedAt) };
	if (settings === undefined) delete next.settings;
	else next.settings = settings;
	return next;
}

/** `next` in the place of the whole rule; id and creation stay. */
export function replacedDispatchRule(rule: DispatchRule, next: DispatchRule, now: number): DispatchRule {
	const { ruleId, createdAt } = rule;
	// What LiveKit's protocol has no place for is not replaced by it.
	const settings = rule.settings === undefined ? {} : { settings: rule.settings };
	return { ...next, ...settings, ruleId, createdAt, version: rule.version + 1, updatedAt: Math.max(now, rule.updatedAt) };
}
