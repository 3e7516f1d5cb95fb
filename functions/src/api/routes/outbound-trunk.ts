import {
	type CreateSIPOutboundTrunkRequest,
	type GetSIPOutboundTrunkRequest,
	GetSIPOutboundTrunkResponse,
	type ListSIPOutboundTrunkRequest,
	ListSIPOutboundTrunkResponse,
	type SIPOutboundTrunkInfo,
	type UpdateSIPOutboundTrunkRequest,
} from "@livekit/protocol";
import { newId, type OutboundTrunk } from "@trunkline/contracts";
import { DomainError, includesNumber, replacedTrunk, updatedOutboundTrunk, validateOutboundTrunk } from "@trunkline/domain";
import { changing } from "../changing.ts";
import type { RpcContext } from "../deps.ts";
import { filterOf, pageOf, pageOfFound } from "../listing.ts";
import { outboundTrunkOf, protoOutboundTrunk } from "../proto/trunk.ts";
import { outboundTrunkUpdateOf } from "../proto/update.ts";
import { checkTrunkUpdate, trunkNotFound } from "../trunk-errors.ts";

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

export async function updateOutboundTrunk(request: UpdateSIPOutboundTrunkRequest, context: RpcContext): Promise<SIPOutboundTrunkInfo> {
	const { deps, projectId } = context;
	checkTrunkUpdate(request);
	const change = changeOf(request, deps.clock());
	const trunk = await changing(deps, {
		read: () => storedOutboundTrunk(request.sipTrunkId, context),
		change: (stored) => {
			const next = change(stored);
			validateOutboundTrunk(next);
			return next;
		},
		store: (previous, next) => deps.configStore.updateTrunk(projectId, previous, next),
	});
	return protoOutboundTrunk(trunk);
}

export async function getOutboundTrunk(
	{ sipTrunkId }: GetSIPOutboundTrunkRequest,
	context: RpcContext,
): Promise<GetSIPOutboundTrunkResponse> {
	return new GetSIPOutboundTrunkResponse({ trunk: protoOutboundTrunk(await storedOutboundTrunk(sipTrunkId, context)) });
}

/** Throws `not_found` for no trunk, and for an inbound one. */
export async function storedOutboundTrunk(
	trunkId: string,
	{ deps, projectId }: Pick<RpcContext, "deps" | "projectId">,
): Promise<OutboundTrunk> {
	const trunk = await deps.configStore.getTrunk(projectId, trunkId);
	if (trunk?.kind !== "outbound") throw trunkNotFound();
	return trunk;
}

export async function listOutboundTrunks(request: ListSIPOutboundTrunkRequest, context: RpcContext): Promise<ListSIPOutboundTrunkResponse> {
	const trunks = await findOutboundTrunks(request, context);
	return new ListSIPOutboundTrunkResponse({ items: trunks.map(protoOutboundTrunk) });
}

function changeOf({ sipTrunkId, action }: UpdateSIPOutboundTrunkRequest, now: number): (trunk: OutboundTrunk) => OutboundTrunk {
	switch (action.case) {
		case "replace": {
			const next = outboundTrunkOf(action.value, sipTrunkId, now);
			return (trunk) => replacedTrunk(trunk, next, now);
		}
		case "update": {
			const update = outboundTrunkUpdateOf(action.value);
			return (trunk) => updatedOutboundTrunk(trunk, update, now);
		}
		case undefined:
			throw new DomainError("invalid_argument", "missing or unsupported update action");
	}
}

async function findOutboundTrunks(
	request: ListSIPOutboundTrunkRequest,
	{ deps: { configStore }, projectId }: RpcContext,
): Promise<OutboundTrunk[]> {
	const page = pageOf(request.page);
	const ids = filterOf("trunk_ids", request.trunkIds);
	const numbers = filterOf("numbers", request.numbers);
	const byNumber = (trunk: OutboundTrunk) => trunk.numbers.some((number) => number === "*" || includesNumber(numbers, number));
	if (ids.length > 0) {
		const found = await configStore.outboundTrunksById(projectId, ids);
		return pageOfFound(numbers.length === 0 ? found : found.filter(byNumber), (trunk) => trunk.trunkId, page);
	}
	if (numbers.length === 0) return configStore.listOutboundTrunks(projectId, page);
	const found = await Promise.all(numbers.map((number) => configStore.outboundTrunksFor(projectId, number)));
	return pageOfFound(found.flat(), (trunk) => trunk.trunkId, page);
}
