import type { CallRecord } from "@trunkline/contracts";

/** Attributes of the participant of an outbound call when it joins; what the API caller gave stays below what the system says. */
export function outboundParticipantAttributes(call: CallRecord): Record<string, string> {
	const { request } = call;
	if (request === undefined) throw new Error(`call ${call.callId} has no dial request`);
	return {
		...request.participantAttributes,
		"sip.callID": call.callId,
		"sip.trunkID": request.trunkId,
		...(request.hidePhoneNumber
			? {}
			: { "sip.phoneNumber": request.callTo, "sip.trunkPhoneNumber": request.from, "sip.hostname": request.address }),
		"sip.callStatus": "dialing",
	};
}
