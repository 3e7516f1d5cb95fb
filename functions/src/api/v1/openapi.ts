import { errorSchema, callEventSchema } from "@trunkline/contracts";
import * as z from "zod";
import type { AdminOperation } from "./projects.ts";
import type { V1Route } from "./route.ts";

type Json = Record<string, unknown>;

const ERRORS: Readonly<Record<string, string>> = {
	"400": "the request is not valid",
	"401": "no token, or not a valid one",
	"403": "the token lacks the grant",
	"404": "there is no such thing in this project",
	"413": "the body is too large",
	"429": "too many requests with this key; Retry-After says when to go on",
	"503": "something that is needed cannot be reached; try again",
};

/** The administrator has no token and no rate, and changes what others may be changing too. */
const ADMIN_ERRORS: Readonly<Record<string, string>> = {
	"400": "the request is not valid",
	"401": "no admin secret, or not the right one",
	"404": "there is no such project or key",
	"409": "somebody else has changed the project, or `version` is not the current one",
	"412": "the project still has trunks or rules, or its key is being rotated already",
	"413": "the body is too large",
	"429": "the project has all the API keys it may have",
	"503": "something that is needed cannot be reached; try again",
};

function contentOf(route: V1Route | AdminOperation, schema: (type: z.ZodType, io: "input" | "output") => Json): Json {
	const { contentType } = "contentType" in route ? route : {};
	// OpenAPI 3.1 §4.8.14.3: bytes have no schema.
	if (contentType !== undefined) return { [contentType]: {} };
	return { "application/json": { schema: schema(route.response, "output") } };
}

/** OpenAPI 3.1 of the routes. Schemas with an id are in `components`, where each other schema refers to them. */
export function openApiDocument(routes: readonly V1Route[], adminOperations: readonly AdminOperation[] = []): Json {
	const components = new Map<string, Json>();
	const schema = (type: z.ZodType, io: "input" | "output"): Json => jsonSchema(type, io, components);
	const error = { content: { "application/json": { schema: schema(errorSchema, "output") } } };
	const paths: Record<string, Record<string, Json>> = {};
	for (const route of [...routes, ...adminOperations]) {
		const isAdmin = !("grants" in route);
		const done = isAdmin ? String(route.status) : "200";
		const operation: Json = {
			operationId: route.operationId,
			summary: route.summary,
			description: isAdmin
				? "Needs the admin secret of the deployment."
				: `Needs a token with the grant ${route.grants.map((grant) => `\`${GRANT_NAMES[grant]}\``).join(" or ")}.`,
			...(isAdmin ? { security: [{ adminSecret: [] }] } : {}),
			parameters: [...parameters(route.params, "path", schema), ...parameters(route.query, "query", schema)],
			responses: {
				[done]: { description: "done", content: contentOf(route, schema) },
				...Object.fromEntries(
					Object.entries(isAdmin ? ADMIN_ERRORS : ERRORS).map(([status, description]) => [status, { description, ...error }]),
				),
			},
		};
		if (route.body !== undefined)
			operation["requestBody"] = { required: !isAdmin, content: { "application/json": { schema: schema(route.body, "input") } } };
		(paths[route.path] ??= {})[route.method] = operation;
	}
	const webhook = {
		post: {
			summary: "An event of a call, sent to each webhook that asks for it; signed as LiveKit signs its webhooks",
			description:
				"`Authorization` has a JWT, HS256 with the secret of the project's API key, whose claim `sha256` is the base64 SHA-256 of the body. Sent until it is answered with 2xx, in order for each call, at least once: `id` stays the same.",
			requestBody: { content: { "application/webhook+json": { schema: schema(callEventSchema, "output") } } },
			responses: { "200": { description: "received" } },
		},
	};
	return {
		openapi: "3.1.0",
		info: {
			title: "Trunkline",
			version: "1",
			summary: "What LiveKit's SIP API has no place for: why a call went where it went, calls, events",
			license: { name: "Apache-2.0", identifier: "Apache-2.0" },
		},
		servers: [{ url: "/" }],
		security: [{ token: [] }],
		paths,
		webhooks: { callEvent: webhook },
		components: {
			schemas: Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
			securitySchemes: {
				token: {
					type: "http",
					scheme: "bearer",
					bearerFormat: "JWT",
					description: "an access token of LiveKit's SDKs, with a grant for sip",
				},
				...(adminOperations.length === 0
					? {}
					: { adminSecret: { type: "http", scheme: "bearer", description: "the secret that the deployment was started with" } }),
			},
		},
	};
}

export const GRANT_NAMES = { sipAdmin: "sip.admin", sipCall: "sip.call" } as const;

function parameters(fields: V1Route["params"], place: "path" | "query", schema: (type: z.ZodType, io: "input" | "output") => Json): Json[] {
	return Object.entries(fields?.shape ?? {}).map(([name, type]) => {
		// A number in a query is text on the way only: clients write it as what it is read as.
		const { description, ...rest } = schema(type, "output");
		return {
			name,
			in: place,
			required: place === "path" || !type.safeParse(undefined).success,
			...(description === undefined ? {} : { description }),
			schema: rest,
		};
	});
}

/** A schema that requests have too stays as strict as it is there. */
function jsonSchema(type: z.ZodType, io: "input" | "output", components: Map<string, Json>): Json {
	const { $defs = {}, ...root } = z.toJSONSchema(type, { io }) as Json & { $defs?: Record<string, Json> };
	delete (root as Json)["$schema"];
	for (const [id, definition] of Object.entries($defs)) {
		if (io === "input" || !components.has(id)) components.set(id, cleaned(definition, io));
	}
	return cleaned(root, io);
}

/** zod refers to `#/$defs/…` and leaves its own `id` in what it names. Answers may get more fields, and no client should fail at them. */
function cleaned(value: Json, io: "input" | "output"): Json {
	return JSON.parse(JSON.stringify(value), (key, inner: unknown) => {
		if (key === "$ref" && typeof inner === "string") return inner.replace("#/$defs/", "#/components/schemas/");
		if (key === "additionalProperties" && inner === false && io === "output") return undefined;
		if (typeof inner === "object" && inner !== null && "id" in inner && typeof inner.id === "string") delete (inner as Json)["id"];
		return inner;
	}) as Json;
}
