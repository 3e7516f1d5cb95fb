import type { CallRecord, EndExplanation } from "@trunkline/contracts";
import { describeEnd } from "../call/sip-status.ts";
import { summarizeDecision } from "../explain/summary.ts";
import { type Cause, causeOf } from "./cause.ts";
import { ADVICE, type Facts } from "./words.ts";

/** Causes after which there is nothing to mend. */
const FINE: ReadonlySet<Cause> = new Set([
	"hung-up",
	"transferred",
	"cancelled",
	"caller-gave-up",
	"busy",
	"declined",
	"participant-removed",
	"room-closed",
]);

/**
 * The end of a call in words: what happened, why, and what to do. The API, the console and the command line show this text and no other. Undefined while
 * the call goes on, and of an end that only a newer version knows.
 */
export function explainEnd(record: CallRecord): EndExplanation | undefined {
	const { end } = record;
	if (end === undefined) return undefined;
	const cause = causeOf(record);
	if (cause === undefined) return undefined;
	const { why, todo } = ADVICE[cause](factsOf(record));
	return {
		cause,
		failed: !FINE.has(cause),
		what: whatHappened(record),
		why: sentence(why.trim()) || sentence(describeEnd(end)),
		whatToDo: sentence(todo.trim()),
	};
}

function whatHappened(record: CallRecord): string {
	const { direction, from, to, end, answeredAt, endedAt, createdAt } = record;
	const what = `The ${direction} call from ${quoted(from)} to ${quoted(to)}`;
	const text = end === undefined ? "" : describeEnd(end);
	if (answeredAt !== undefined) return `${what} was answered and ended after ${seconds((endedAt ?? answeredAt) - answeredAt)}: ${text}.`;
	return `${what} was not answered, and ended after ${seconds((endedAt ?? createdAt) - createdAt)}: ${text}.`;
}

function factsOf(record: CallRecord): Facts {
	const { end, request, decision = [], region, trunkId, roomName, from, to, media, timeline } = record;
	return {
		message: sentence(end?.message),
		status: end?.sipStatus,
		decision: record.direction === "inbound" ? summarizeDecision({ ...record, steps: decision }) : "",
		steps: decision,
		address: request?.address ?? "the trunk's address",
		transport: request?.transport ?? "AUTO",
		trunk: trunkId === "" ? "the trunk" : `trunk ${trunkId}`,
		room: roomName,
		region,
		from,
		to,
		media,
		timeline,
	};
}

const quoted = (text: string): string => JSON.stringify(text === "" ? "anonymous" : text);

const seconds = (ms: number): string => (ms < 10_000 ? `${Math.round(Math.max(0, ms) / 100) / 10} s` : `${Math.round(ms / 1000)} s`);

/** With a capital and a full stop; "" for nothing. */
function sentence(text: string | undefined): string {
	if (text === undefined || text === "") return "";
	const whole = (text.charAt(0).toUpperCase() + text.slice(1)).replace(/ {2,}/g, " ");
	return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
