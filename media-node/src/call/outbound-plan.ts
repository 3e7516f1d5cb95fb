import type { CallRecord } from "@trunkline/contracts";
import { attributesFromHeaders, headersFromAttributes, outboundParticipantAttributes } from "@trunkline/domain";
import type { OutboundPlan } from "./outbound-call.ts";

/** What dialling a claimed call needs; everything comes from its record. */
export function outboundPlan(record: CallRecord): OutboundPlan {
	const { request } = record;
	if (request === undefined) throw new Error(`call ${record.callId} has no dial request`);
	const attributes = outboundParticipantAttributes(record);
	const mapped = headersFromAttributes(attributes, request.attributesToHeaders).map(({ name, value }) => [name, value] as const);
	return {
		request,
		attributes,
		headers: [...Object.entries(request.headers), ...mapped],
		// RFC 3261 §8.1.1.4: globally unique and hard to guess; the call's id is both, and finds the call in a carrier's trace.
		sipCallId: record.callId,
		attributesFrom: (headers) =>
			attributesFromHeaders(
				headers.map(([name, value]) => ({ name, value })),
				request,
			),
	};
}
