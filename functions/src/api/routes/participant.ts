import type { CreateSIPParticipantRequest, SIPParticipantInfo } from "@livekit/protocol";
import type { OutboundTrunk } from "@trunkline/contracts";
import { buildDialRequest, DomainError, type ParticipantRequest, validateParticipantRequest } from "@trunkline/domain";
import { callIdFor } from "../call-id.ts";
import type { RpcContext } from "../deps.ts";
import { MAX_RINGING_WHILE_WAITING_MS, placeCall } from "../place-call.ts";
import { participantRequestOf, protoParticipant } from "../proto/participant.ts";

export async function createParticipant(message: CreateSIPParticipantRequest, context: RpcContext): Promise<SIPParticipantInfo> {
	const { deps, projectId, requestId, signal } = context;
	const request = participantRequestOf(message);
	validateParticipantRequest(request);
	const region = regionFor(request, deps.regions);
	const trunk = await storedTrunk(request, context);
	const dial = buildDialRequest(request, trunk, {
		random: deps.random,
		...(request.waitUntilAnswered ? { maxRingingMs: MAX_RINGING_WHILE_WAITING_MS } : {}),
	});
	const callId = callIdFor(projectId, requestId, deps.random);
	return protoParticipant(await placeCall(deps, { callId, projectId, region, request: dial }, signal));
}

async function storedTrunk({ trunkId }: ParticipantRequest, { deps, projectId }: RpcContext): Promise<OutboundTrunk | undefined> {
	if (trunkId === "") return undefined;
	const trunk = await deps.configStore.getTrunk(projectId, trunkId);
	if (trunk?.kind !== "outbound") throw new DomainError("not_found", "requested sip trunk does not exist");
	return trunk;
}

/** A region that a request names is used or refused, never replaced by another. */
function regionFor({ destination }: ParticipantRequest, regions: readonly [string, ...string[]]): string {
	const wanted = destination?.region ?? "";
	if (wanted === "") return regions[0];
	if (!regions.includes(wanted)) {
		throw new DomainError(
			"invalid_argument",
			`destination region ${JSON.stringify(wanted)} is not served here, regions are: ${regions.join(", ")}`,
		);
	}
	return wanted;
}
