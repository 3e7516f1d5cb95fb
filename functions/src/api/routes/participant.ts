import type { CreateSIPParticipantRequest, SIPParticipantInfo } from "@livekit/protocol";
import type { OutboundTrunk } from "@trunkline/contracts";
import { buildDialRequest, DomainError, type ParticipantRequest, validateParticipantRequest } from "@trunkline/domain";
import { idFor } from "../call-id.ts";
import type { RpcContext } from "../deps.ts";
import { MAX_RINGING_WHILE_WAITING_MS, placeCall } from "../place-call.ts";
import { withinPolicy } from "../policy.ts";
import { participantRequestOf, protoParticipant } from "../proto/participant.ts";
import { storedOutboundTrunk } from "./outbound-trunk.ts";

export async function createParticipant(message: CreateSIPParticipantRequest, context: RpcContext): Promise<SIPParticipantInfo> {
	const { deps, projectId, idempotency, signal } = context;
	const request = participantRequestOf(message);
	validateParticipantRequest(request);
	const region = regionFor(request, deps.regions);
	const trunk = await storedTrunk(request, context);
	const dial = buildDialRequest(request, trunk, {
		random: deps.random,
		...(request.waitUntilAnswered ? { maxRingingMs: MAX_RINGING_WHILE_WAITING_MS } : {}),
	});
	const callId = idFor("SCL_", projectId, idempotency, deps.random);
	const call = await withinPolicy(deps, { projectId, callId, dial }, (allowed) =>
		placeCall(deps, { callId, projectId, region, request: allowed }, signal),
	);
	return protoParticipant(call);
}

async function storedTrunk({ trunkId }: ParticipantRequest, context: RpcContext): Promise<OutboundTrunk | undefined> {
	return trunkId === "" ? undefined : storedOutboundTrunk(trunkId, context);
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
