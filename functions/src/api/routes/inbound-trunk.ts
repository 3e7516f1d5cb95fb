import {
	type CreateSIPInboundTrunkRequest,
	GetSIPInboundTrunkResponse,
	type GetSIPInboundTrunkRequest,
	type ListSIPInboundTrunkRequest,
	ListSIPInboundTrunkResponse,
	type SIPInboundTrunkInfo,
	type UpdateSIPInboundTrunkRequest,
} from "@livekit/protocol";
import { type InboundTrunk, newId } from "@trunkline/contracts";
import { DomainError, includesNumber, replacedTrunk, updatedInboundTrunk, validateInboundTrunk } from "@trunkline/domain";
import { changing } from "../changing.ts";
import type { RpcContext } from "../deps.ts";
import { filterOf, pageOf, pageOfFound } from "../listing.ts";
import { inboundTrunkOf, protoInboundTrunk } from "../proto/trunk.ts";
import { inboundTrunkUpdateOf } from "../proto/update.ts";
import { checkTrunkUpdate, trunkNotFound } from "../trunk-errors.ts";

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

export async function updateInboundTrunk(request: UpdateSIPInboundTrunkRequest, context: RpcContext): Promise<SIPInboundTrunkInfo> {
	const { deps, projectId } = context;
	checkTrunkUpdate(request);
	const change = changeOf(request, deps.clock());
	const trunk = await changing(deps, {
		read: () => storedTrunk(request.sipTrunkId, context),
		change: (stored) => {
			const next = change(stored);
			validateInboundTrunk(next);
			return next;
		},
		store: (previous, next) => deps.configStore.updateTrunk(projectId, previous, next),
	});
	return protoInboundTrunk(trunk);
}

export async function getInboundTrunk({ sipTrunkId }: GetSIPInboundTrunkRequest, context: RpcContext): Promise<GetSIPInboundTrunkResponse> {
	return new GetSIPInboundTrunkResponse({ trunk: protoInboundTrunk(await storedTrunk(sipTrunkId, context)) });
}

export async function listInboundTrunks(request: ListSIPInboundTrunkRequest, context: RpcContext): Promise<ListSIPInboundTrunkResponse> {
	const trunks = await findInboundTrunks(request, context);
	return new ListSIPInboundTrunkResponse({ items: trunks.map(protoInboundTrunk) });
}

function changeOf({ sipTrunkId, action }: UpdateSIPInboundTrunkRequest, now: number): (trunk: InboundTrunk) => InboundTrunk {
	switch (action.case) {
		case "replace": {
			const next = inboundTrunkOf(action.value, sipTrunkId, now);
			return (trunk) => replacedTrunk(trunk, next, now);
		}
		case "update": {
			const update = inboundTrunkUpdateOf(action.value);
			return (trunk) => updatedInboundTrunk(trunk, update, now);
		}
		case undefined:
			throw new DomainError("invalid_argument", "missing or unsupported update action");
	}
}

async function storedTrunk(trunkId: string, { deps, projectId }: RpcContext): Promise<InboundTrunk> {
	const trunk = await deps.configStore.getTrunk(projectId, trunkId);
	if (trunk?.kind !== "inbound") throw trunkNotFound();
	return trunk;
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
		const found = await configStore.inboundTrunksById(projectId, ids);
		return pageOfFound(found.filter(byNumber), (trunk) => trunk.trunkId, page);
	}
	if (numbers.length === 0) return configStore.listInboundTrunks(projectId, page);
	const found = await Promise.all(numbers.map((number) => configStore.inboundTrunksFor(projectId, number)));
	return pageOfFound(found.flat(), (trunk) => trunk.trunkId, page);
}
