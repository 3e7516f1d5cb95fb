import type { CallDetails, CallRecord, CallSummary } from "@trunkline/contracts";
import { describeEnd } from "../call/sip-status.ts";
import { explainEnd } from "../explain-end/explain-end.ts";
import { summarizeDecision } from "../explain/summary.ts";

/** A call as others may see it: no credentials, no headers, no dial request. */
export function callSummary(record: CallRecord): CallSummary {
	const { end } = record;
	return {
		id: record.callId,
		direction: record.direction,
		state: record.state,
		region: record.region,
		trunkId: record.trunkId,
		ruleId: record.ruleId,
		roomName: record.roomName,
		participant: { identity: record.participantIdentity, id: record.participantId },
		from: record.from,
		to: record.to,
		sipCallId: record.sipCallId,
		...(record.media === undefined ? {} : { media: record.media }),
		...(record.bridgedWith === undefined ? {} : { bridgedWith: record.bridgedWith }),
		...(record.recording === undefined ? {} : { recording: record.recording }),
		createdAt: record.createdAt,
		...(record.answeredAt === undefined ? {} : { answeredAt: record.answeredAt }),
		...(record.endedAt === undefined ? {} : { endedAt: record.endedAt }),
		...(end === undefined ? {} : { end: { ...end, text: describeEnd(end) } }),
	};
}

/** With its timeline and, for an inbound call, how trunk and rule were found. */
export function callDetails(record: CallRecord): CallDetails {
	const { decision: steps } = record;
	const explanation = explainEnd(record);
	return {
		...callSummary(record),
		timeline: record.timeline,
		...(explanation === undefined ? {} : { explanation }),
		...(steps === undefined ? {} : { decision: { summary: summarizeDecision({ ...record, steps }), steps } }),
	};
}
