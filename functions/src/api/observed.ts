import { randomUUID } from "node:crypto";
import { API_ERROR_CODES, type API_OPERATIONS, correlated, correlation, noMetrics } from "@trunkline/observability";
import type { Context, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import type { ApiDeps } from "./deps.ts";
import { SIP_METHODS } from "./sip-service.ts";

type Operation = (typeof API_OPERATIONS)[number];
type ErrorCode = (typeof API_ERROR_CODES)[number];

/**
 * Around every request: an id that all its lines have and that the answer tells (`x-request-id`), one line when it is answered, and the
 * measurements. The line says which route it was and never the path, which may have anything in it.
 */
export function observed({ clock, log, metrics = noMetrics, flushMetrics }: ApiDeps): MiddlewareHandler {
	return (context, next) =>
		correlated({ requestId: requestIdOf(context), ...callOf(context) }, async () => {
			const began = clock();
			try {
				await next();
			} finally {
				const { requestId } = correlation();
				if (requestId !== undefined) context.header("x-request-id", requestId);
				const { status } = context.res;
				const operation = operationOf(context);
				const latencyMs = clock() - began;
				metrics.record("ApiRequests", 1, { operation });
				metrics.record("ApiLatency", latencyMs, { operation });
				if (status >= 400) metrics.record("ApiErrors", 1, { code: codeOf(status) });
				log.info({ operation, route: routeOf(context), status, latencyMs }, "request answered");
				flushMetrics?.();
			}
		});
}

/** Lambda's own id, which its platform lines have too. */
function requestIdOf(context: Context): string {
	const { lambdaContext } = (context.env ?? {}) as { lambdaContext?: { awsRequestId?: string } };
	return lambdaContext?.awsRequestId ?? randomUUID();
}

/** Of what is asked about one call: its lines are found with the call's own. An id alone, as the rest of a path may have anything in it. */
function callOf({ req }: Context): { callId?: string } {
	const [, callId] = /^\/v1\/calls\/(SCL_[0-9A-Za-z]{1,64})(?:\/|$)/.exec(req.path) ?? [];
	return callId === undefined ? {} : { callId };
}

const TWIRP_METHOD = /^\/twirp\/livekit\.SIP\/(\w+)$/;
const MOVE = /^\/twirp\/livekit\.RoomService\/MoveParticipant$/;
/** What a node is asked to do to a live call, and is waited for. */
const COMMANDS = new Set(["hold", "recording", "noise-suppression", "hangup", "dtmf"]);

/** By what a request makes wait: dial and transfer wait for people, rooms for LiveKit's server. */
function operationOf(context: Context): Operation {
	const { path } = context.req;
	const method = TWIRP_METHOD.exec(path)?.[1];
	if (method === "CreateSIPParticipant") return "dial";
	if (method === "TransferSIPParticipant" || MOVE.test(path)) return "transfer";
	if (method !== undefined && SIP_METHODS.has(method)) return "configuration";
	if (path.startsWith("/twirp/livekit.") && !path.startsWith("/twirp/livekit.SIP/")) return "rooms";
	const [, version, resource = "", , action = ""] = path.split("/");
	if (version !== "v1") return "other";
	if (resource === "calls" && context.req.method === "POST" && action === "") return "dial";
	if (resource === "calls") return COMMANDS.has(action) ? "transfer" : "calls";
	return ["trunks", "dispatch-rules", "regions", "projects", "webhooks", "providers"].includes(resource) ? "configuration" : "other";
}

/** The pattern that took the request, with the method of a Twirp call that there is. */
function routeOf(context: Context): string {
	const pattern = matchedRoutes(context).find(({ path }) => !path.endsWith("*"))?.path ?? "none";
	const method = TWIRP_METHOD.exec(context.req.path)?.[1] ?? "";
	return SIP_METHODS.has(method) ? pattern.replace(":method", method) : pattern;
}

function codeOf(status: number): ErrorCode {
	return API_ERROR_CODES.find((code) => code === String(status)) ?? "other";
}
