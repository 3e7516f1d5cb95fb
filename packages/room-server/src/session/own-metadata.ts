import { RequestResponse_Reason, type UpdateParticipantMetadata } from "@livekit/protocol";
import { attributesTooLarge, limits } from "../limits.ts";
import type { Participant } from "../room/participant.ts";

/** Whether a participant may change its own name, metadata and attributes so; the message is LiveKit's. */
export function judgeMetadata(
	participant: Participant,
	request: UpdateParticipantMetadata,
): { reason: RequestResponse_Reason; message: string } {
	if (!participant.grants.canUpdateOwnMetadata)
		return { reason: RequestResponse_Reason.NOT_ALLOWED, message: "does not have permission to update own metadata" };
	const tooLarge =
		request.name.length > limits.nameLength ||
		request.metadata.length > limits.metadataBytes ||
		attributesTooLarge(participant.attributes, request.attributes);
	return tooLarge
		? { reason: RequestResponse_Reason.LIMIT_EXCEEDED, message: "name, metadata or attributes are too large" }
		: { reason: RequestResponse_Reason.OK, message: "" };
}
