import { type DeleteSIPTrunkRequest, type ListSIPTrunkRequest, ListSIPTrunkResponse, SIPTrunkInfo } from "@livekit/protocol";
import { DomainError } from "@trunkline/domain";
import type { RpcContext } from "../deps.ts";
import { pageOf, pageOfFound } from "../listing.ts";
import { protoLegacyTrunk } from "../proto/trunk.ts";

/** Rules that are named in the header of an answer; a header has to end somewhere. */
const MAX_NAMED_RULES = 100;

/** Deprecated: trunks of both kinds in the form they had when there was one kind. */
export async function listTrunks(request: ListSIPTrunkRequest, { deps, projectId }: RpcContext): Promise<ListSIPTrunkResponse> {
	const page = pageOf(request.page);
	const found = await Promise.all([
		deps.configStore.listInboundTrunks(projectId, page),
		deps.configStore.listOutboundTrunks(projectId, page),
	]);
	const trunks = pageOfFound(found.flat(), (trunk) => trunk.trunkId, page);
	return new ListSIPTrunkResponse({ items: trunks.map(protoLegacyTrunk) });
}

/**
 * Of either kind. An unknown id is not an error, as in LiveKit: the answer then has nothing but the id. Rules that name the trunk stay, as in LiveKit;
 * a rule that names no other trunk takes no call any more, so the answer says which they are in `x-trunkline-rules`.
 */
export async function deleteTrunk({ sipTrunkId }: DeleteSIPTrunkRequest, context: RpcContext): Promise<SIPTrunkInfo> {
	const { deps, projectId, answerHeaders } = context;
	if (sipTrunkId === "") throw new DomainError("invalid_argument", "trunk id must be set");
	const trunk = await deps.configStore.deleteTrunk(projectId, sipTrunkId);
	if (trunk === undefined) return new SIPTrunkInfo({ sipTrunkId });
	if (trunk.kind === "inbound") {
		const rules = await deps.configStore.rulesNaming(projectId, sipTrunkId);
		const ruleIds = rules.map((rule) => rule.ruleId).sort();
		if (ruleIds.length > 0) {
			answerHeaders.set("x-trunkline-rules", ruleIds.slice(0, MAX_NAMED_RULES).join(", "));
			deps.log.warn({ projectId, trunkId: sipTrunkId, rules: ruleIds }, "a trunk was deleted that dispatch rules name");
		}
	}
	return protoLegacyTrunk(trunk);
}
