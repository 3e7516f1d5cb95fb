import {
	callDetailsSchema,
	callIdSchema,
	callPageSchema,
	type CallRecord,
	hangUpResultSchema,
	holdRequestSchema,
	holdResultSchema,
	listCallsQuerySchema,
	type ListCallsQuery,
	noiseSuppressionSchema,
	randomBase58,
	recordingRequestSchema,
	recordingResultSchema,
	V1_LIMITS,
} from "@trunkline/contracts";
import {
	callDetails,
	type CallCursor,
	type CallSearch,
	type CallStore,
	callSummary,
	DomainError,
	errorForPlacement,
	LIVE_STATES,
} from "@trunkline/domain";
import * as z from "zod";
import { idFor } from "../call-id.ts";
import { hangUp } from "./hang-up.ts";
import { route } from "./route.ts";

const callParams = z.object({ id: callIdSchema });

export const listCalls = route({
	method: "get",
	path: "/v1/calls",
	operationId: "listCalls",
	summary: "Calls, newest first",
	grants: ["sipAdmin"],
	query: listCallsQuerySchema,
	response: callPageSchema,
	run: async ({ deps, projectId, query }) => {
		const { calls, next } = await deps.callStore.findCalls(projectId, searchOf(query));
		return { calls: calls.map(callSummary), ...(next === undefined ? {} : { nextCursor: writeCursor(next) }) };
	},
});

export const getCall = route({
	method: "get",
	path: "/v1/calls/{id}",
	operationId: "getCall",
	summary: "One call with its timeline, the decision on it and its end in words",
	grants: ["sipAdmin"],
	params: callParams,
	response: callDetailsSchema,
	run: async ({ deps, projectId, params }) => callDetails(await callOf(deps.callStore, projectId, params.id)),
});

export const hangUpCall = route({
	method: "post",
	path: "/v1/calls/{id}/hangup",
	operationId: "hangUpCall",
	summary: "End a call, whether it is queued, ringing or active",
	grants: ["sipAdmin", "sipCall"],
	params: callParams,
	response: hangUpResultSchema,
	run: async ({ deps, v1, projectId, params }) => {
		const { outcome, call } = await hangUp({ ...deps, ...v1 }, await callOf(deps.callStore, projectId, params.id));
		return { outcome, call: callDetails(call) };
	},
});

export const holdCall = route({
	method: "post",
	path: "/v1/calls/{id}/hold",
	operationId: "holdCall",
	summary: "Let the caller of an answered call wait with music, or come back; while he waits nobody in the room hears him",
	grants: ["sipAdmin", "sipCall"],
	params: callParams,
	body: holdRequestSchema,
	response: holdResultSchema,
	run: async ({ deps, projectId, params, body, idempotency }) => {
		const call = await callOf(deps.callStore, projectId, params.id);
		if (deps.command === undefined) throw new DomainError("unimplemented", "this deployment does not hold calls");
		if (call.state !== "active")
			throw new DomainError("failed_precondition", `the call is ${call.state}: only an answered call can be held`);
		const transferId = idFor("STR_", projectId, idempotency, deps.random);
		const outcome = await deps.command(call, { transferId, on: body.on, music: body.music ?? "tune" });
		if (outcome.status === "failed") throw errorForPlacement(outcome);
		return { on: body.on };
	},
});

export const recordCall = route({
	method: "post",
	path: "/v1/calls/{id}/recording",
	operationId: "recordCall",
	summary: "Begin to record both directions of an answered call, or stop it",
	grants: ["sipAdmin", "sipCall"],
	params: callParams,
	body: recordingRequestSchema,
	response: recordingResultSchema,
	run: async ({ deps, projectId, params, body: { action, notice } }) => {
		const call = await callOf(deps.callStore, projectId, params.id);
		if (deps.command === undefined) throw new DomainError("unimplemented", "this deployment does not record calls");
		if (call.state !== "active")
			throw new DomainError("failed_precondition", `the call is ${call.state}: only an answered call can be recorded`);
		const transferId = `STR_${randomBase58(12, deps.random)}`;
		const outcome = await deps.command(call, { transferId, recording: action, ...(notice === undefined ? {} : { notice }) });
		if (outcome.status === "failed") throw errorForPlacement(outcome);
		return { action };
	},
});

export const suppressNoise = route({
	method: "put",
	path: "/v1/calls/{id}/noise-suppression",
	operationId: "suppressNoise",
	summary: "Take noise out of an answered call from now on, or no more, in either direction",
	grants: ["sipAdmin", "sipCall"],
	params: callParams,
	body: noiseSuppressionSchema,
	response: noiseSuppressionSchema,
	run: async ({ deps, projectId, params, body: noiseSuppression }) => {
		const call = await callOf(deps.callStore, projectId, params.id);
		if (deps.command === undefined) throw new DomainError("unimplemented", "this deployment does not change calls");
		if (call.state !== "active")
			throw new DomainError("failed_precondition", `the call is ${call.state}: noise is taken out of an answered call`);
		const transferId = `STR_${randomBase58(12, deps.random)}`;
		const outcome = await deps.command(call, { transferId, noiseSuppression });
		if (outcome.status === "failed") throw errorForPlacement(outcome);
		return noiseSuppression;
	},
});

/** Another project's call is as absent as none. */
async function callOf(store: CallStore, projectId: string, callId: string): Promise<CallRecord> {
	const call = await store.getCall(callId);
	if (call?.projectId !== projectId) throw new DomainError("not_found", `there is no call ${JSON.stringify(callId)}`, { field: "id" });
	return call;
}

function searchOf({ since, until, room, trunk, state, direction, limit, cursor }: ListCallsQuery): CallSearch {
	return {
		limit: limit ?? V1_LIMITS.defaultPageSize,
		...(since === undefined ? {} : { since }),
		...(until === undefined ? {} : { until }),
		...(room === undefined ? {} : { roomName: room }),
		...(trunk === undefined ? {} : { trunkId: trunk }),
		...(direction === undefined ? {} : { direction }),
		...(state === undefined ? {} : { states: state === "live" ? LIVE_STATES : [state] }),
		...(cursor === undefined ? {} : { after: readCursor(cursor) }),
	};
}

/** A place in time alone: it holds whatever happens to the call there, and tells nothing of other projects. */
function writeCursor({ createdAt, callId }: CallCursor): string {
	return Buffer.from(`${createdAt}.${callId}`).toString("base64url");
}

function readCursor(text: string): CallCursor {
	const [, createdAt, callId] = /^(\d{1,15})\.(SCL_[0-9A-Za-z]{1,60})$/.exec(Buffer.from(text, "base64url").toString()) ?? [];
	if (createdAt === undefined || callId === undefined)
		throw new DomainError("invalid_argument", "cursor: is not the nextCursor of a page", { field: "cursor" });
	return { createdAt: Number(createdAt), callId };
}
