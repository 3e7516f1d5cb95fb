import { type CreateSIPParticipantRequest, type SIPNamedDest, SIPParticipantInfo, type SIPRequestDest } from "@livekit/protocol";
import type { CallRecord } from "@trunkline/contracts";
import { DomainError, type ParticipantRequest, type UriChoice } from "@trunkline/domain";
import { durationMs, encryptionOf, includeHeadersOf, mediaOf, transportOf } from "./common.ts";

/** Throws `invalid_argument` for destinations without URI, and for a To header: it contradicts sip_call_to, which is required. */
export function participantRequestOf(request: CreateSIPParticipantRequest): ParticipantRequest {
	if (request.sipToHeader !== undefined)
		throw new DomainError(
			"invalid_argument",
			"sip_to_header cannot be combined with sip_call_to, which is required; use to_user_override to change the user in To",
		);
	const { trunk, destination, sipRequestUri, sipFromHeader } = request;
	const ringingTimeoutMs = durationMs(request.ringingTimeout);
	const maxCallDurationMs = durationMs(request.maxCallDuration);
	return {
		trunkId: request.sipTrunkId,
		...(trunk === undefined ? {} : { inlineTrunk: { ...plain(trunk), transport: transportOf(trunk.transport) } }),
		callTo: request.sipCallTo,
		number: request.sipNumber,
		toUserOverride: request.toUserOverride,
		...(sipRequestUri === undefined ? {} : { requestUri: uriOf("sip_request_uri", sipRequestUri) }),
		...(sipFromHeader === undefined
			? {}
			: { fromHeader: { uri: uriOf("sip_from_header", sipFromHeader), displayName: sipFromHeader.displayName } }),
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

function uriOf(field: string, { uri }: SIPRequestDest | SIPNamedDest): UriChoice {
	switch (uri.case) {
		case "raw":
			return { raw: uri.value };
		case "values": {
			const { user, host, ip, port, transport } = uri.value;
			return { parts: { user, host, ip, port, transport: transportOf(transport) } };
		}
		case undefined:
			throw new DomainError("invalid_argument", `${field} has no URI: set raw or values`);
	}
}

function plain(trunk: NonNullable<CreateSIPParticipantRequest["trunk"]>) {
	const { hostname, destinationCountry, authUsername, authPassword, headersToAttributes, attributesToHeaders, fromHost } = trunk;
	return { hostname, destinationCountry, authUsername, authPassword, headersToAttributes, attributesToHeaders, fromHost };
}
