import {
	type CreateSIPInboundTrunkRequest,
	GetSIPInboundTrunkResponse,
	type GetSIPInboundTrunkRequest,
	type ListSIPInboundTrunkRequest,
	ListSIPInboundTrunkResponse,
	type SIPInboundTrunkInfo,
} from "@livekit/protocol";
import { type InboundTrunk, newId } from "@trunkline/contracts";
import { DomainError, includesNumber, validateInboundTrunk } from "@trunkline/domain";
import type { RpcContext } from "../deps.ts";
import { filterOf, pageOf, pageOfFound } from "../listing.ts";
import { inboundTrunkOf, protoInboundTrunk } from "../proto/trunk.ts";

export async function createInboundTrunk(
	{ trunk: info }: CreateSIPInboundTrunkRequest,
	{ deps, projectId }: RpcContext,
): Promise<SIPInboundTrunkInfo> {
	if (info === undefined) throw new DomainError("invalid_argument", "missing trunk");
	if (info.sipTrunkId !== "") throw new DomainError("invalid_argument", "trunk id must not be set");
	const trunk = inboundTrunkOf(info, newId("ST_", deps.random), deps.clock());
	validateInboundTrunk(trunk);
	await deps.configStore.createTrunk(projectId, trunk);
	return protoInboundTrunk(trunk);
}

export async function getInboundTrunk(
	{ sipTrunkId }: GetSIPInboundTrunkRequest,
	{ deps, projectId }: RpcContext,
): Promise<GetSIPInboundTrunkResponse> {
	const trunk = await deps.configStore.getTrunk(projectId, sipTrunkId);
	if (trunk?.kind !== "inbound") throw new DomainError("not_found", "requested sip trunk does not exist");
	return new GetSIPInboundTrunkResponse({ trunk: protoInboundTrunk(trunk) });
}

export async function listInboundTrunks(request: ListSIPInboundTrunkRequest, context: RpcContext): Promise<ListSIPInboundTrunkResponse> {
	const trunks = await findInboundTrunks(request, context);
	return new ListSIPInboundTrunkResponse({ items: trunks.map(protoInboundTrunk) });
}

async function findInboundTrunks(
	request: ListSIPInboundTrunkRequest,
	{ deps: { configStore }, projectId }: RpcContext,
): Promise<InboundTrunk[]> {
	const page = pageOf(request.page);
	const ids = filterOf("trunk_ids", request.trunkIds);
	const numbers = filterOf("numbers", request.numbers);
	const byNumber = (trunk: InboundTrunk) =>
		numbers.length === 0 || trunk.numbers.length === 0 || trunk.numbers.some((number) => includesNumber(numbers, number));
	if (ids.length > 0) {
		const found = await Promise.all(ids.map((id) => configStore.getTrunk(projectId, id)));
		const inbound = found.map((trunk) => (trunk?.kind === "inbound" && byNumber(trunk) ? trunk : undefined));
		return pageOfFound(inbound, (trunk) => trunk.trunkId, page);
	}
	if (numbers.length === 0) return configStore.listInboundTrunks(projectId, page);
	const found = await Promise.all(numbers.map((number) => configStore.inboundTrunksFor(projectId, number)));
	return pageOfFound(found.flat(), (trunk) => trunk.trunkId, page);
}
