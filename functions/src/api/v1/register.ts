import { V1_LIMITS } from "@trunkline/contracts";
import { DomainError } from "@trunkline/domain";
import type { Context, Hono } from "hono";
import type * as z from "zod";
import { authenticate, type Authentication } from "../auth.ts";
import { idempotencyOf } from "../call-id.ts";
import { bodyWithin } from "../body.ts";
import type { ApiDeps } from "../deps.ts";
import type { V1Deps } from "./deps.ts";
import { bodyTooLarge, invalidInput, v1Error, v1ErrorFor } from "./errors.ts";
import { GRANT_NAMES, openApiDocument } from "./openapi.ts";
import { PROJECT_OPERATIONS } from "./projects.ts";
import type { RateLimiter } from "./rate-limit.ts";
import type { V1Route } from "./route.ts";
import { V1_ROUTES } from "./routes.ts";

/** Puts `/v1` and its description into the app. */
export function registerV1(app: Hono, deps: ApiDeps, v1: V1Deps, limiter: RateLimiter): void {
	const document = openApiDocument(V1_ROUTES, deps.projects?.adminSecret === undefined ? [] : PROJECT_OPERATIONS);
	app.get("/openapi.json", (context) => context.json(document));
	app.use(
		"/v1/*",
		bodyWithin({
			maxSize: V1_LIMITS.body,
			onError: bodyTooLarge,
		}),
	);
	for (const route of V1_ROUTES) {
		app.on(route.method.toUpperCase(), route.path.replace(/\{(\w+)\}/g, ":$1"), (context) =>
			answer(context, route, deps, v1, limiter).catch((error: unknown) => {
				if (!(error instanceof DomainError)) deps.log.error({ err: error, operation: route.operationId }, "request failed");
				return v1ErrorFor(error);
			}),
		);
	}
	app.all("/v1/*", (context) => {
		const { pathname } = new URL(context.req.url);
		return v1Error("not_found", `there is no ${context.req.method} ${pathname}; /openapi.json has what there is`);
	});
}

async function answer(context: Context, route: V1Route, deps: ApiDeps, v1: V1Deps, limiter: RateLimiter): Promise<Response> {
	const authentication = await authenticate(context.req.raw, deps);
	const refusal = unauthorized(authentication, route);
	if (refusal !== undefined || authentication.kind !== "authenticated") return refusal ?? v1Error("unauthenticated", "no token");
	const limited = limiter.refusal(authentication.apiKey, deps.clock());
	if (limited !== undefined) return v1Error("resource_exhausted", limited.message, { headers: limited.headers });
	const given = {
		params: checked(route.params, context.req.param()),
		query: route.query === undefined ? undefined : checked(route.query, queryOf(context)),
		body: route.body === undefined ? undefined : checked(route.body, await jsonBody(context)),
	};
	const result = await route.run({
		deps,
		v1,
		projectId: authentication.projectId,
		idempotency: idempotencyOf(context.req.raw.headers),
		...given,
	});
	if (route.contentType !== undefined) return context.body(result as Uint8Array<ArrayBuffer>, 200, { "content-type": route.contentType });
	return context.json(result as Parameters<typeof context.json>[0]);
}

function unauthorized(authentication: Authentication, route: V1Route): Response | undefined {
	switch (authentication.kind) {
		case "refused":
			return v1Error("unauthenticated", authentication.text);
		case "anonymous":
			return v1Error("unauthenticated", "a token is needed: Authorization: Bearer <access token>");
		case "authenticated": {
			if (route.grants.some((grant) => authentication.grants[grant])) return undefined;
			return v1Error("permission_denied", `the token needs the grant ${route.grants.map((grant) => GRANT_NAMES[grant]).join(" or ")}`);
		}
	}
}

function checked(schema: z.ZodType | undefined, value: unknown): unknown {
	if (schema === undefined) return undefined;
	const result = schema.safeParse(value);
	if (!result.success) throw invalidInput(result.error);
	return result.data;
}

/** Each parameter once: of two nobody knows which one is meant. */
function queryOf(context: Context): Record<string, string> {
	const query: Record<string, string> = {};
	for (const [name, values] of Object.entries(context.req.queries())) {
		if (name === "access_token") continue;
		if (values.length > 1) throw new DomainError("invalid_argument", `${name}: is there more than once`, { field: name });
		query[name] = values[0] ?? "";
	}
	return query;
}

async function jsonBody(context: Context): Promise<unknown> {
	try {
		return JSON.parse(await context.req.text());
	} catch {
		throw new DomainError("invalid_argument", "the body is no JSON");
	}
}
