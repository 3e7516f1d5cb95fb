import type { CallDetails, CallTrace, Ladder, LadderMessage, TraceMessage } from "@trunkline/contracts";
import { maskNumber } from "./mask.ts";
import { readMessage } from "./read.ts";

const US = "trunkline";

/**
 * The call as a ladder. `traces`: its own and, when it was joined to another call, that one's; either may be missing. Entries of the call's timeline
 * stand between the messages.
 */
export function ladderOf(call: CallDetails, traces: readonly CallTrace[], live: boolean): Ladder {
	const messages = traces.flatMap((trace) => trace.messages.map((message) => ({ callId: trace.callId, message })));
	messages.sort((a, b) => a.message.at - b.message.at);
	const startedAt = Math.floor(Math.min(call.createdAt, messages[0]?.message.at ?? call.createdAt));
	const participants: Ladder["participants"] = [{ id: US, name: "Trunkline", kind: "trunkline" }];
	const seen = new Set<string>();
	const arrows = messages.map(({ callId, message }): LadderMessage => {
		const peer = peerOf(message, participants);
		const key = `${message.direction} ${peer} ${message.text}`;
		const retransmission = seen.has(key);
		seen.add(key);
		return arrowOf(message, { callId, peer, retransmission, startedAt });
	});
	const notes = call.timeline.map(({ at, event, detail }) => ({
		kind: "event" as const,
		at,
		offsetMs: round(at - startedAt),
		label: event,
		...(detail === undefined ? {} : { detail }),
	}));
	const numbersMasked = traces.some((trace) => trace.numbersMasked);
	return {
		callId: call.id,
		summary: summaryOf(call, arrows.length, numbersMasked),
		live,
		startedAt,
		participants,
		entries: [...arrows, ...notes].sort((a, b) => a.at - b.at),
		dropped: traces.reduce((sum, trace) => sum + trace.dropped, 0),
		numbersMasked,
	};
}

/** The id of the column; a new address is a new column. */
function peerOf({ remote }: TraceMessage, participants: Ladder["participants"]): string {
	const name = remote.host.includes(":") ? `[${remote.host}]:${remote.port}` : `${remote.host}:${remote.port}`;
	if (!participants.some(({ id }) => id === name)) participants.push({ id: name, name, kind: "peer" });
	return name;
}

function arrowOf(
	message: TraceMessage,
	{ callId, peer, retransmission, startedAt }: { callId: string; peer: string; retransmission: boolean; startedAt: number },
): LadderMessage {
	const { at, direction, transport, text, bytes } = message;
	const { method, status, reason, hasSdp, header } = readMessage(text);
	const name = status === undefined ? method || "unreadable" : `${status} ${reason}`.trim();
	const of = status === undefined || method === "INVITE" || method === "" ? "" : ` to ${method}`;
	const to = method === "REFER" && status === undefined ? ` → ${header("refer-to") || header("r")}` : "";
	return {
		kind: "message",
		at,
		offsetMs: round(at - startedAt),
		callId,
		from: direction === "received" ? peer : US,
		to: direction === "received" ? US : peer,
		transport,
		label: `${name}${of}${to}${hasSdp ? " (SDP)" : ""}`,
		method,
		...(status === undefined ? {} : { status }),
		retransmission,
		bytes,
		truncated: text.length < bytes,
		text,
	};
}

function summaryOf(call: CallDetails, messages: number, numbersMasked: boolean): string {
	const shown = numbersMasked ? maskNumber : (number: string) => number;
	const end = call.end === undefined ? `the call is ${call.state}` : call.end.text;
	return `${call.direction} call from ${shown(call.from)} to ${shown(call.to)}: ${end}; ${messages} SIP ${messages === 1 ? "message" : "messages"}`;
}

const round = (ms: number): number => Math.round(ms * 1000) / 1000;
