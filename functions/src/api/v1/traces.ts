import { type CallRecord, callIdSchema, type CallTrace, ladderSchema } from "@trunkline/contracts";
import { callDetails, type CallStore, DomainError, isLive } from "@trunkline/domain";
import { ladderOf, writePcapng } from "@trunkline/trace";
import * as z from "zod";
import type { V1Deps } from "./deps.ts";
import { route } from "./route.ts";

/** A node writes a trace about a second after the last message, and writes it again when the store refused. */
const WRITTEN_WITHIN_MS = 5_000;

const callParams = z.object({ id: callIdSchema });

export const getTrace = route({
	method: "get",
	path: "/v1/calls/{id}/trace",
	operationId: "getCallTrace",
	summary: "The SIP messages and events of a call as a ladder, while it goes on and after it; secrets are masked",
	grants: ["sipAdmin"],
	params: callParams,
	response: ladderSchema,
	run: async ({ deps, v1, projectId, params }) => {
		const { call, traces } = await traced(deps.callStore, v1, projectId, params.id);
		if (traces.length > 0) return ladderOf(callDetails(call), traces, isLive(call.state));
		// Whoever looks at a call that has just begun asks again and again: that there is nothing yet is no error.
		const mayCome = isLive(call.state) || deps.clock() - (call.endedAt ?? 0) < WRITTEN_WITHIN_MS;
		if (!mayCome && !hasNoMessages(call)) throw new DomainError("not_found", noTrace(call), { field: "id" });
		return ladderOf(callDetails(call), [], mayCome);
	},
});

export const getTracePcapng = route({
	method: "get",
	path: "/v1/calls/{id}/trace.pcapng",
	operationId: "getCallTracePcapng",
	summary: "The SIP messages of a call as a file for Wireshark; secrets are masked, TLS is decrypted",
	grants: ["sipAdmin"],
	params: callParams,
	response: z.instanceof(Uint8Array),
	contentType: "application/x-pcapng",
	run: async ({ deps, v1, projectId, params }) => {
		const { call, traces } = await traced(deps.callStore, v1, projectId, params.id);
		if (traces.length === 0) throw new DomainError("not_found", noTrace(call), { field: "id" });
		const { summary } = ladderOf(callDetails(call), traces, isLive(call.state));
		return writePcapng(traces, `${call.callId}: ${summary}`);
	},
});

/** The call with its own messages and those of the call that it was joined to. Another project's call is as absent as none. */
async function traced(store: CallStore, v1: V1Deps, projectId: string, callId: string): Promise<{ call: CallRecord; traces: CallTrace[] }> {
	const call = await store.getCall(callId);
	if (call?.projectId !== projectId) throw new DomainError("not_found", `there is no call ${JSON.stringify(callId)}`, { field: "id" });
	const kept = v1.traces?.(call.region);
	if (kept === undefined)
		throw new DomainError("failed_precondition", `no traces are kept in region ${call.region}: set TRACES_BUCKET there`);
	const ids = [callId, ...(call.bridgedWith === undefined ? [] : [call.bridgedWith])];
	const traces = await Promise.all(ids.map((id) => kept.getTrace(projectId, id)));
	return { call, traces: traces.filter((trace) => trace !== undefined) };
}

/** It ended before anybody was asked. */
const hasNoMessages = ({ direction, sipCallId, state }: CallRecord): boolean =>
	direction === "outbound" && sipCallId === "" && !isLive(state);

function noTrace(call: CallRecord): string {
	const { callId } = call;
	return hasNoMessages(call)
		? `call ${callId} has no trace: no SIP message was sent for it`
		: `call ${callId} has no trace, or none any more: it is written within seconds of the call and kept as long as TRACES_RETENTION says`;
}
