import type { CreateSIPParticipantRequest, SIPParticipantInfo } from "@livekit/protocol";
import type { CallRecord, OutboundTrunk } from "@trunkline/contracts";
import { buildDialRequest, inRegion, type ParticipantRequest, validateParticipantRequest } from "@trunkline/domain";
import { correlate } from "@trunkline/observability";
import { idFor } from "../call-id.ts";
import type { RpcContext } from "../deps.ts";
import { MAX_RINGING_WHILE_WAITING_MS, placeCall } from "../place-call.ts";
import { withinPolicy } from "../policy.ts";
import { participantRequestOf, protoParticipant } from "../proto/participant.ts";
import { checkCapacity, dialRegion } from "../regions/dial-region.ts";
import { storedOutboundTrunk } from "./outbound-trunk.ts";

export async function createParticipant(message: CreateSIPParticipantRequest, context: RpcContext): Promise<SIPParticipantInfo> {
	return protoParticipant(await placeParticipant(message, context));
}

/** What placing a call needs of who asks for it. */
type Asked = Pick<RpcContext, "deps" | "projectId" | "idempotency" | "signal">;

/** `regions`: the only ones that the call may be placed from, as far as the request says. */
export async function placeParticipant(
	message: CreateSIPParticipantRequest,
	context: Asked,
	regions?: readonly string[],
): Promise<CallRecord> {
	const { deps, projectId, idempotency, signal } = context;
	const request = participantRequestOf(message);
	validateParticipantRequest(request);
	const trunk = await storedTrunk(request, context);
	const choice = dialRegion(deps, request, trunk, regions);
	const { region, pin } = choice;
	const dial = {
		...buildDialRequest(request, trunk, {
			random: deps.random,
			...(request.waitUntilAnswered ? { maxRingingMs: MAX_RINGING_WHILE_WAITING_MS } : {}),
		}),
		...(pin === undefined ? {} : { regions: pin }),
	};
	const callId = inRegion(idFor("SCL_", projectId, idempotency, deps.random), region);
	correlate({ callId, trunkId: dial.trunkId, region });
	await checkCapacity(deps, choice, callId);
	return withinPolicy(deps, { projectId, callId, dial }, (allowed) =>
		placeCall(deps, { callId, projectId, region, request: allowed }, signal),
	);
}

async function storedTrunk(
	{ trunkId }: ParticipantRequest,
	context: Pick<RpcContext, "deps" | "projectId">,
): Promise<OutboundTrunk | undefined> {
	return trunkId === "" ? undefined : storedOutboundTrunk(trunkId, context);
}
