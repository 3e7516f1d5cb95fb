import {
	type CreateSIPDispatchRuleRequest,
	type DeleteSIPDispatchRuleRequest,
	type ListSIPDispatchRuleRequest,
	ListSIPDispatchRuleResponse,
	type SIPDispatchRuleInfo,
} from "@livekit/protocol";
import { type DispatchRule, newId } from "@trunkline/contracts";
import { DomainError, validateDispatchRule } from "@trunkline/domain";
import type { RpcContext } from "../deps.ts";
import { filterOf, pageOf, pageOfFound } from "../listing.ts";
import { dispatchRuleOf, protoDispatchRule, requestedRule } from "../proto/dispatch-rule.ts";

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

export async function deleteDispatchRule(
	{ sipDispatchRuleId }: DeleteSIPDispatchRuleRequest,
	{ deps, projectId }: RpcContext,
): Promise<SIPDispatchRuleInfo> {
	const rule = await deps.configStore.deleteRule(projectId, sipDispatchRuleId);
	if (rule === undefined) throw new DomainError("not_found", "requested sip dispatch rule does not exist");
	return protoDispatchRule(rule);
}

export async function listDispatchRules(request: ListSIPDispatchRuleRequest, context: RpcContext): Promise<ListSIPDispatchRuleResponse> {
	const rules = await findDispatchRules(request, context);
	return new ListSIPDispatchRuleResponse({ items: rules.map(protoDispatchRule) });
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
		const found = await Promise.all(ids.map((id) => configStore.getRule(projectId, id)));
		return pageOfFound(
			found.filter((rule) => rule !== undefined && byTrunk(rule)),
			(rule) => rule.ruleId,
			page,
		);
	}
	if (trunkIds.length === 0) return configStore.listRules(projectId, page);
	const found = await Promise.all(trunkIds.map((id) => configStore.rulesFor(projectId, id)));
	return pageOfFound(found.flat(), (rule) => rule.ruleId, page);
}
