import { type CreateSIPParticipantRequest, SIPParticipantInfo } from "@livekit/protocol";
import type { CallRecord } from "@trunkline/contracts";
import { DomainError, type ParticipantRequest } from "@trunkline/domain";
import { durationMs, encryptionOf, includeHeadersOf, mediaOf, transportOf } from "./common.ts";

/** Throws `unimplemented` for the fields that would change where the call goes and that no node reads yet. */
export function participantRequestOf(request: CreateSIPParticipantRequest): ParticipantRequest {
	for (const [field, value] of [
		["sip_request_uri", request.sipRequestUri],
		["sip_to_header", request.sipToHeader],
		["sip_from_header", request.sipFromHeader],
	] as const) {
		if (value !== undefined)
			throw new DomainError("unimplemented", `${field} is not supported; use sip_call_to, to_user_override, sip_number and from_host`);
	}
	const { trunk, destination } = request;
	const ringingTimeoutMs = durationMs(request.ringingTimeout);
	const maxCallDurationMs = durationMs(request.maxCallDuration);
	return {
		trunkId: request.sipTrunkId,
		...(trunk === undefined ? {} : { inlineTrunk: { ...plain(trunk), transport: transportOf(trunk.transport) } }),
		callTo: request.sipCallTo,
		number: request.sipNumber,
		toUserOverride: request.toUserOverride,
		...(request.displayName === undefined ? {} : { displayName: request.displayName }),
		roomName: request.roomName,
		participantIdentity: request.participantIdentity,
		participantName: request.participantName,
		participantMetadata: request.participantMetadata,
		participantAttributes: request.participantAttributes,
		dtmf: request.dtmf,
		playDialtone: request.playDialtone || request.playRingtone,
		hidePhoneNumber: request.hidePhoneNumber,
		headers: request.headers,
		includeHeaders: includeHeadersOf(request.includeHeaders),
		...(ringingTimeoutMs === undefined ? {} : { ringingTimeoutMs }),
		...(maxCallDurationMs === undefined ? {} : { maxCallDurationMs }),
		krispEnabled: request.krispEnabled,
		mediaEncryption: encryptionOf(request.mediaEncryption),
		...mediaOf(request.media),
		waitUntilAnswered: request.waitUntilAnswered,
		...(destination === undefined
			? {}
			: { destination: { city: destination.city, country: destination.country, region: destination.region } }),
	};
}

export function protoParticipant(call: CallRecord): SIPParticipantInfo {
	const { participantId, participantIdentity, roomName, callId } = call;
	return new SIPParticipantInfo({ participantId, participantIdentity, roomName, sipCallId: callId });
}

function plain(trunk: NonNullable<CreateSIPParticipantRequest["trunk"]>) {
	const { hostname, destinationCountry, authUsername, authPassword, headersToAttributes, attributesToHeaders, fromHost } = trunk;
	return { hostname, destinationCountry, authUsername, authPassword, headersToAttributes, attributesToHeaders, fromHost };
}
