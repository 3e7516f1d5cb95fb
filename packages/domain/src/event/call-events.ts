import type { CallEvent, CallEventType, CallRecord, TimelineEntry, WebhookSettings } from "@trunkline/contracts";
import { callSummary } from "./call-summary.ts";

/** What a subscriber gets that names no events: all of them but digits, which may be PINs and card numbers. */
export const DEFAULT_EVENTS: readonly CallEventType[] = [
	"call.started",
	"call.ringing",
	"call.answered",
	"call.transferred",
	"call.recorded",
	"call.ended",
];

/** Has the project asked for the digits that callers press? Only then are they kept at all. */
export function wantsDigits({ webhooks }: WebhookSettings): boolean {
	return webhooks.some(({ events }) => events?.includes("call.dtmf") === true);
}

/**
 * The events of the timeline entries from position `from` to `to` (exclusive), in order. Every transition appends one entry to the record, so the
 * record is its own outbox: whatever was missed is derived again, with the same ids.
 */
export function callEvents(record: CallRecord, from: number, to = record.timeline.length): CallEvent[] {
	const events: CallEvent[] = [];
	for (let index = from; index < to; index++) {
		const entry = record.timeline[index];
		if (entry === undefined) continue;
		for (const type of eventTypes(record, index)) events.push(eventOf(record, entry, index, type));
	}
	return events;
}

function eventTypes({ direction, timeline }: CallRecord, index: number): CallEventType[] {
	const entry = timeline[index];
	if (entry === undefined) return [];
	// Whatever the record began with, the call has started; a refused one ends in the same breath.
	const types: CallEventType[] = index === 0 ? ["call.started"] : [];
	const type = typeOf(entry, direction);
	// An inbound call that is already in a room may ring, or be told to have been answered, more than once.
	const again = type !== undefined && ONCE.has(type) && timeline.slice(0, index).some((earlier) => typeOf(earlier, direction) === type);
	if (type !== undefined && !again) types.push(type);
	return types;
}

const ONCE: ReadonlySet<CallEventType> = new Set(["call.ringing", "call.answered", "call.ended"]);

function typeOf({ event }: TimelineEntry, direction: CallRecord["direction"]): CallEventType | undefined {
	switch (event) {
		case "ringing":
			return "call.ringing";
		case "joined-room":
			// The caller hears ringing from here on; an outbound call is not dialled yet.
			return direction === "inbound" ? "call.ringing" : undefined;
		case "answered":
			return "call.answered";
		case "dtmf":
			return "call.dtmf";
		case "transferred":
			return "call.transferred";
		case "recorded":
			return "call.recorded";
		case "ended":
		case "cancelled":
			return "call.ended";
		default:
			return undefined;
	}
}

function eventOf(record: CallRecord, entry: TimelineEntry, index: number, event: CallEventType): CallEvent {
	const summary = callSummary(record);
	const told = TELLS.has(event) ? entry.detail : undefined;
	return {
		event,
		id: `EV_${record.callId.replace(/^SCL_/, "")}_${index}_${event.slice("call.".length)}`,
		createdAt: String(Math.floor(entry.at / 1000)),
		...(record.roomName === "" ? {} : { room: { name: record.roomName } }),
		...(record.participantIdentity === "" ? {} : { participant: { identity: record.participantIdentity, sid: record.participantId } }),
		projectId: record.projectId,
		at: entry.at,
		sequence: index,
		call: event === "call.ended" ? summary : asOf(summary, event, entry.at),
		...(told === undefined ? {} : { detail: told }),
	};
}

/** whose detail is the subscriber's */
const TELLS: ReadonlySet<CallEventType> = new Set(["call.dtmf", "call.transferred", "call.recorded"]);

const STATE_AT: Partial<Record<CallEventType, CallRecord["state"]>> = {
	"call.ringing": "ringing",
	"call.answered": "active",
	"call.dtmf": "active",
	"call.transferred": "active",
	"call.recorded": "active",
};

/** A late delivery must not tell the end of a call before its end: what had not happened at `at` is left out. */
function asOf(call: CallEvent["call"], event: CallEventType, at: number): CallEvent["call"] {
	const { answeredAt } = call;
	const then = { ...call, state: STATE_AT[event] ?? (call.direction === "inbound" ? "received" : "queued") };
	delete then.end;
	delete then.endedAt;
	if (answeredAt !== undefined && answeredAt > at) delete then.answeredAt;
	return then;
}
