import { setTimeout as delay } from "node:timers/promises";
import type { CallDetails, CallPage, EndExplanation, Ladder } from "@trunkline/contracts";
import type { Context } from "./context.ts";
import { CliError, EXIT } from "./errors.ts";
import { clean, when } from "./output.ts";
import type { Server } from "./server.ts";

/** `last` stands for the newest call. */
export async function callIdOf(server: Server, given: string): Promise<string> {
	if (given === "") throw new CliError("which call? its id, or last", EXIT.usage);
	if (given !== "last") return given;
	const { calls } = await server.get<CallPage>("/v1/calls?limit=1");
	const [latest] = calls;
	if (latest === undefined) throw new CliError("there was no call yet");
	return latest.id;
}

export const pathOf = (callId: string): string => `/v1/calls/${encodeURIComponent(callId)}`;

const TRACE_WITHIN_MS = 10_000;
const TRACE_EVERY_MS = 250;

/** A call's ladder; that of a call that has just begun, or just ended, is written moments later and waited for. */
export async function ladderOf({ server, output }: Context, id: string): Promise<Ladder> {
	const deadline = Date.now() + TRACE_WITHIN_MS;
	const done = output.progress("waiting for the trace, which is written moments after the messages");
	try {
		for (;;) {
			const ladder = await server().get<Ladder>(`${pathOf(id)}/trace`);
			if (!ladder.live || ladder.entries.some(({ kind }) => kind === "message") || Date.now() > deadline) return ladder;
			await delay(TRACE_EVERY_MS);
		}
	} finally {
		done();
	}
}

/** The explanation as all commands show it. */
export function explained({ what, why, whatToDo }: EndExplanation): string {
	return [what, `Why: ${why}`, `What to do: ${whatToDo}`].map(clean).join("\n");
}

export function describeCall(call: CallDetails): string {
	const { media } = call;
	const quality = media?.quality;
	const facts: [string, string | undefined][] = [
		["call", call.id],
		["state", call.state],
		["from", call.from],
		["to", call.to],
		["trunk", call.trunkId],
		["rule", call.ruleId],
		["room", call.roomName],
		["participant", call.participant.identity],
		["region", call.region],
		["began", when(call.createdAt)],
		["answered", call.answeredAt === undefined ? undefined : when(call.answeredAt)],
		["ended", call.endedAt === undefined ? undefined : when(call.endedAt)],
		["audio", media === undefined ? undefined : `${media.codec}${media.srtp === undefined ? "" : `, ${media.srtp}`}`],
		["MOS", quality === undefined ? undefined : `${quality.uplink.mos ?? "?"} from the telephone, ${quality.downlink.mos ?? "?"} to it`],
	];
	const lines = facts.flatMap(([name, value]) => (value === undefined || value === "" ? [] : [`${name.padEnd(12)}${clean(value)}`]));
	const timeline = call.timeline.map(
		({ at, event, detail }) =>
			`  +${((at - call.createdAt) / 1000).toFixed(3)}  ${clean(event)}${detail === undefined ? "" : `: ${clean(detail)}`}`,
	);
	const end = call.explanation === undefined ? [] : ["", explained(call.explanation)];
	return [...lines, "", ...timeline, ...end].join("\n");
}
