import {
	type CreateSIPOutboundTrunkRequest,
	type DeleteSIPTrunkRequest,
	type GetSIPOutboundTrunkRequest,
	GetSIPOutboundTrunkResponse,
	type ListSIPOutboundTrunkRequest,
	ListSIPOutboundTrunkResponse,
	type SIPOutboundTrunkInfo,
	SIPTrunkInfo,
} from "@livekit/protocol";
import { newId, type OutboundTrunk } from "@trunkline/contracts";
import { DomainError, includesNumber, validateOutboundTrunk } from "@trunkline/domain";
import type { RpcContext } from "../deps.ts";
import { filterOf, pageOf, pageOfFound, pageOfWanted } from "../listing.ts";
import { outboundTrunkOf, protoLegacyTrunk, protoOutboundTrunk } from "../proto/trunk.ts";

export async function createOutboundTrunk(
	{ trunk: info }: CreateSIPOutboundTrunkRequest,
	{ deps, projectId }: RpcContext,
): Promise<SIPOutboundTrunkInfo> {
	if (info === undefined) throw new DomainError("invalid_argument", "missing trunk");
	if (info.sipTrunkId !== "") throw new DomainError("invalid_argument", "trunk id must not be set");
	const trunk = outboundTrunkOf(info, newId("ST_", deps.random), deps.clock());
	validateOutboundTrunk(trunk);
	await deps.configStore.createTrunk(projectId, trunk);
	return protoOutboundTrunk(trunk);
}

export async function getOutboundTrunk(
	{ sipTrunkId }: GetSIPOutboundTrunkRequest,
	{ deps, projectId }: RpcContext,
): Promise<GetSIPOutboundTrunkResponse> {
	const trunk = await deps.configStore.getTrunk(projectId, sipTrunkId);
	if (trunk?.kind !== "outbound") throw new DomainError("not_found", "requested sip trunk does not exist");
	return new GetSIPOutboundTrunkResponse({ trunk: protoOutboundTrunk(trunk) });
}

export async function listOutboundTrunks(request: ListSIPOutboundTrunkRequest, context: RpcContext): Promise<ListSIPOutboundTrunkResponse> {
	const trunks = await findOutboundTrunks(request, context);
	return new ListSIPOutboundTrunkResponse({ items: trunks.map(protoOutboundTrunk) });
}

/** Of either kind. An unknown id is not an error, as in LiveKit: the answer then has nothing but the id. */
export async function deleteTrunk({ sipTrunkId }: DeleteSIPTrunkRequest, { deps, projectId }: RpcContext): Promise<SIPTrunkInfo> {
	if (sipTrunkId === "") throw new DomainError("invalid_argument", "trunk id must be set");
	const trunk = await deps.configStore.deleteTrunk(projectId, sipTrunkId);
	return trunk === undefined ? new SIPTrunkInfo({ sipTrunkId }) : protoLegacyTrunk(trunk);
}

async function findOutboundTrunks(
	request: ListSIPOutboundTrunkRequest,
	{ deps: { configStore }, projectId }: RpcContext,
): Promise<OutboundTrunk[]> {
	const page = pageOf(request.page);
	const ids = filterOf("trunk_ids", request.trunkIds);
	const numbers = filterOf("numbers", request.numbers);
	const byNumber = (trunk: OutboundTrunk) => trunk.numbers.some((number) => number === "*" || includesNumber(numbers, number));
	const wanted = (trunk: OutboundTrunk) => numbers.length === 0 || byNumber(trunk);
	if (ids.length > 0) {
		const found = await Promise.all(ids.map((id) => configStore.getTrunk(projectId, id)));
		const outbound = found.map((trunk) => (trunk?.kind === "outbound" && wanted(trunk) ? trunk : undefined));
		return pageOfFound(outbound, (trunk) => trunk.trunkId, page);
	}
	const list = (at: typeof page) => configStore.listOutboundTrunks(projectId, at);
	return numbers.length === 0 ? list(page) : pageOfWanted(list, (trunk) => trunk.trunkId, wanted, page);
}
