import {
	type CreateSIPDispatchRuleRequest,
	type DeleteSIPDispatchRuleRequest,
	type ListSIPDispatchRuleRequest,
	ListSIPDispatchRuleResponse,
	type SIPDispatchRuleInfo,
	type UpdateSIPDispatchRuleRequest,
} from "@livekit/protocol";
import { type DispatchRule, newId } from "@trunkline/contracts";
import { DomainError, replacedDispatchRule, updatedDispatchRule, validateDispatchRule } from "@trunkline/domain";
import { changing } from "../changing.ts";
import type { RpcContext } from "../deps.ts";
import { filterOf, pageOf, pageOfFound } from "../listing.ts";
import { dispatchRuleOf, protoDispatchRule, requestedRule } from "../proto/dispatch-rule.ts";
import { dispatchRuleUpdateOf } from "../proto/update.ts";

export async function createDispatchRule(
	request: CreateSIPDispatchRuleRequest,
	{ deps, projectId }: RpcContext,
): Promise<SIPDispatchRuleInfo> {
	const info = requestedRule(request);
	if (info.sipDispatchRuleId !== "") throw new DomainError("invalid_argument", "rule id must not be set");
	const rule = dispatchRuleOf(info, newId("SDR_", deps.random), deps.clock());
	validateDispatchRule(rule);
	await deps.configStore.createRule(projectId, rule);
	return protoDispatchRule(rule);
}

export async function updateDispatchRule(
	request: UpdateSIPDispatchRuleRequest,
	{ deps, projectId }: RpcContext,
): Promise<SIPDispatchRuleInfo> {
	const { sipDispatchRuleId } = request;
	if (sipDispatchRuleId === "") throw new DomainError("invalid_argument", "rule id must be set");
	const change = changeOf(request, deps.clock());
	const rule = await changing(deps, {
		read: async () => (await deps.configStore.getRule(projectId, sipDispatchRuleId)) ?? notFound(),
		change: (stored) => {
			const next = change(stored);
			validateDispatchRule(next);
			return next;
		},
		store: (previous, next) => deps.configStore.updateRule(projectId, previous, next),
	});
	return protoDispatchRule(rule);
}

export async function deleteDispatchRule(
	{ sipDispatchRuleId }: DeleteSIPDispatchRuleRequest,
	{ deps, projectId }: RpcContext,
): Promise<SIPDispatchRuleInfo> {
	return protoDispatchRule((await deps.configStore.deleteRule(projectId, sipDispatchRuleId)) ?? notFound());
}

export async function listDispatchRules(request: ListSIPDispatchRuleRequest, context: RpcContext): Promise<ListSIPDispatchRuleResponse> {
	const rules = await findDispatchRules(request, context);
	return new ListSIPDispatchRuleResponse({ items: rules.map(protoDispatchRule) });
}

function changeOf({ sipDispatchRuleId, action }: UpdateSIPDispatchRuleRequest, now: number): (rule: DispatchRule) => DispatchRule {
	switch (action.case) {
		case "replace": {
			if (action.value.sipDispatchRuleId !== "" && action.value.sipDispatchRuleId !== sipDispatchRuleId)
				throw new DomainError("invalid_argument", "rule id in the info must be empty or match the id in the update");
			const next = dispatchRuleOf(action.value, sipDispatchRuleId, now);
			return (rule) => replacedDispatchRule(rule, next, now);
		}
		case "update": {
			const update = dispatchRuleUpdateOf(action.value);
			return (rule) => updatedDispatchRule(rule, update, now);
		}
		case undefined:
			throw new DomainError("invalid_argument", "missing or unsupported update action");
	}
}

function notFound(): never {
	throw new DomainError("not_found", "requested sip dispatch rule does not exist");
}

async function findDispatchRules(
	request: ListSIPDispatchRuleRequest,
	{ deps: { configStore }, projectId }: RpcContext,
): Promise<DispatchRule[]> {
	const page = pageOf(request.page);
	const ids = filterOf("dispatch_rule_ids", request.dispatchRuleIds);
	const trunkIds = filterOf("trunk_ids", request.trunkIds);
	if (ids.length > 0) {
		const byTrunk = (rule: DispatchRule) =>
			trunkIds.length === 0 || rule.trunkIds.length === 0 || rule.trunkIds.some((id) => trunkIds.includes(id));
		const found = await configStore.rulesById(projectId, ids);
		return pageOfFound(found.filter(byTrunk), (rule) => rule.ruleId, page);
	}
	if (trunkIds.length === 0) return configStore.listRules(projectId, page);
	const found = await Promise.all(trunkIds.map((id) => configStore.rulesFor(projectId, id)));
	return pageOfFound(found.flat(), (rule) => rule.ruleId, page);
}
