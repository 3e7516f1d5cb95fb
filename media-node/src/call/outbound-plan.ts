import type { CallRecord } from "@trunkline/contracts";
import { attributesFromHeaders, headersFromAttributes, outboundParticipantAttributes } from "@trunkline/domain";
import type { OutboundPlan } from "./outbound-call.ts";
import { allowHeaders } from "./transfer-state.ts";
import { sendableHeaders } from "./sendable-headers.ts";

interface PlanLog {
	warn(fields: Record<string, unknown>, message: string): void;
}

/** What dialling a claimed call needs; everything comes from its record. Throws when the record is of no outbound call. */
export function outboundPlan(record: CallRecord, log: PlanLog): OutboundPlan {
	const { request } = record;
	if (request === undefined) throw new Error(`call ${record.callId} has no dial request`);
	const attributes = outboundParticipantAttributes(record);
	const mapped = headersFromAttributes(attributes, request.attributesToHeaders).map(({ name, value }) => [name, value] as const);
	const { headers, refused } = sendableHeaders([...Object.entries(request.headers), ...mapped, ...allowHeaders(request.settings, true)]);
	if (refused.length > 0) log.warn({ callId: record.callId, refused }, "headers that cannot be sent were left out");
	return {
		request,
		attributes,
		headers,
		// RFC 3261 §8.1.1.4: globally unique and hard to guess; the call's id is both, and finds the call in a carrier's trace.
		sipCallId: record.callId,
		attributesFrom: (headers) =>
			attributesFromHeaders(
				headers.map(([name, value]) => ({ name, value })),
				request,
			),
	};
}
