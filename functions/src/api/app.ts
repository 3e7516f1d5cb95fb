import { Hono } from "hono";
import { DomainError } from "@trunkline/domain";
import { authenticate } from "./auth.ts";
import { bodyOf, bodyWithin } from "./body.ts";
import { idempotencyOf } from "./call-id.ts";
import type { ApiDeps } from "./deps.ts";
import { errorResponse, responseForError } from "./errors.ts";
import type { Grants } from "./grants.ts";
import { observed } from "./observed.ts";
import { MOVE_PATH, moveParticipant } from "./routes/move.ts";
import { REMOVED_METHODS, SIP_METHODS } from "./sip-service.ts";
import { type Encoding, encodingOf } from "./twirp.ts";
import { projectRoutes } from "./v1/projects.ts";
import { DEFAULT_RATE, RateLimiter } from "./v1/rate-limit.ts";
import { registerV1 } from "./v1/register.ts";

/** Far above any trunk or rule within its limits. */
const MAX_BODY_BYTES = 512 * 1024;
const NO_GRANTS: Grants = { sipAdmin: false, sipCall: false };

/** The HTTP API: LiveKit's SIP service over Twirp; its other services go through to `roomService`. */
export function createApp(deps: ApiDeps): Hono {
	const app = new Hono();
	app.get("/healthz", (context) => context.json({ status: "ok" }));
	app.use(observed(deps));
	app.use(
		"/twirp/*",
		bodyWithin({
			maxSize: MAX_BODY_BYTES,
			onError: tooLarge,
		}),
	);
	const limiter = new RateLimiter(deps.requestRate ?? DEFAULT_RATE);
	app.all("/twirp/livekit.SIP/:method", (context) => sipRequest(context.req.raw, context.req.param("method"), deps, limiter));
	app.all(MOVE_PATH, async (context) => {
		const authentication = await authenticate(context.req.raw, deps);
		const limited = authentication.kind === "authenticated" ? limiter.refusal(authentication.apiKey, deps.clock()) : undefined;
		if (limited !== undefined) return errorResponse("resource_exhausted", limited.message, {}, limited.headers);
		return (await moveParticipant(context.req.raw, authentication, deps)) ?? deps.roomService(context.req.raw);
	});
	app.all("/twirp/:service/:method", (context) => {
		// LiveKit's server checks the token itself, with the same keys.
		return context.req.param("service").startsWith("livekit.") ? deps.roomService(context.req.raw) : badRoute(context.req.raw);
	});
	app.all("/twirp/*", (context) => badRoute(context.req.raw));
	app.route("/v1/projects", projectRoutes(deps));
	if (deps.v1 !== undefined) registerV1(app, deps, deps.v1, limiter);
	app.onError((error) => {
		if (!(error instanceof DomainError)) deps.log.error({ err: error }, "request failed");
		return responseForError(error);
	});
	return app;
}

/** The rest of the body is not read, so the connection cannot go on: a client that used it again would lose its next request (RFC 9112 §9.6). */
function tooLarge(): Response {
	const response = errorResponse("malformed", `the request body is larger than ${MAX_BODY_BYTES} bytes`);
	response.headers.set("connection", "close");
	return response;
}

async function sipRequest(request: Request, name: string, deps: ApiDeps, limiter: RateLimiter): Promise<Response> {
	const authentication = await authenticate(request, deps);
	if (authentication.kind === "refused")
		return new Response(authentication.text, { status: 401, headers: { "content-type": "text/plain; charset=utf-8" } });
	const limited = authentication.kind === "authenticated" ? limiter.refusal(authentication.apiKey, deps.clock()) : undefined;
	if (limited !== undefined) return errorResponse("resource_exhausted", limited.message, {}, limited.headers);
	const method = SIP_METHODS.get(name);
	if (request.method !== "POST") return badRoute(request, `unsupported method ${JSON.stringify(request.method)} (only POST is allowed)`);
	if (method === undefined) return badRoute(request, REMOVED_METHODS.get(name));
	const contentType = request.headers.get("content-type");
	const encoding = encodingOf(contentType);
	if (encoding === undefined) return badRoute(request, `unexpected Content-Type: ${JSON.stringify(contentType ?? "")}`);
	const body = await bodyOf(request);
	const run = parsed(() => method.parse(body, encoding));
	if (run === undefined) return undecodable(encoding);
	const { projectId, grants } = authentication.kind === "anonymous" ? { projectId: "", grants: NO_GRANTS } : authentication;
	const answerHeaders = new Headers();
	const answer = await run({
		deps,
		projectId,
		grants,
		idempotency: idempotencyOf(request.headers),
		requestHeaders: request.headers,
		answerHeaders,
		signal: request.signal,
	});
	for (const [header, value] of answerHeaders) answer.headers.set(header, value);
	return answer;
}

function parsed<T>(parse: () => T): T | undefined {
	try {
		return parse();
	} catch {
		// The body is a stranger's: whatever it does to the decoder, it is malformed.
		return undefined;
	}
}

function undecodable(encoding: Encoding): Response {
	return errorResponse("malformed", `the ${encoding} request could not be decoded`);
}

function badRoute(request: Request, msg?: string): Response {
	const { pathname } = new URL(request.url);
	return errorResponse("bad_route", msg ?? `no handler for path ${JSON.stringify(pathname)}`, {
		twirp_invalid_route: `${request.method} ${pathname}`,
	});
}
