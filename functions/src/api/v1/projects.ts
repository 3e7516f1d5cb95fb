import { createHash, timingSafeEqual } from "node:crypto";
import {
	createProjectSchema,
	listProjectsQuerySchema,
	projectPageSchema,
	projectViewSchema,
	projectWithKeySchema,
	rotateKeySchema,
	updateProjectSchema,
	V1_LIMITS,
} from "@trunkline/contracts";
import { DomainError } from "@trunkline/domain";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import * as z from "zod";
import type { ApiDeps } from "../deps.ts";
import { bodyTooLarge, invalidInput, v1Error, v1ErrorFor } from "./errors.ts";
import { ProjectAdmin } from "./project-admin.ts";
import type { V1Route } from "./route.ts";

type Fields = NonNullable<V1Route["params"]>;

/** One operation of the administrator, for the router and for `openapi.json`. */
export interface AdminOperation {
	method: "get" | "post" | "patch" | "delete";
	path: string;
	operationId: string;
	summary: string;
	params?: Fields;
	query?: Fields;
	/** no body at all is an empty object */
	body?: z.ZodType;
	response: z.ZodType;
	status: 200 | 201;
	run(admin: ProjectAdmin, given: Given<unknown, unknown, unknown>): Promise<unknown>;
}

interface Given<Params, Query, Body> {
	params: Params;
	query: Query;
	body: Body;
}

const project = z.object({ id: z.string().max(V1_LIMITS.text) });
const projectKey = z.object({ id: z.string().max(V1_LIMITS.text), key: z.string().max(V1_LIMITS.text) });

export const PROJECT_OPERATIONS: readonly AdminOperation[] = [
	operation({
		method: "post",
		path: "/v1/projects",
		operationId: "createProject",
		summary: "A new project with one API key, whose secret is shown here alone",
		body: createProjectSchema,
		response: projectWithKeySchema,
		status: 201,
		run: (admin, { body }) => admin.create(body),
	}),
	operation({
		method: "get",
		path: "/v1/projects",
		operationId: "listProjects",
		summary: "Projects in the order of their ids",
		query: listProjectsQuerySchema,
		response: projectPageSchema,
		run: (admin, { query }) => admin.list(query),
	}),
	operation({
		method: "get",
		path: "/v1/projects/{id}",
		operationId: "getProject",
		summary: "One project",
		params: project,
		response: projectViewSchema,
		run: (admin, { params }) => admin.get(params.id),
	}),
	operation({
		method: "patch",
		path: "/v1/projects/{id}",
		operationId: "updateProject",
		summary: "Changes name, LiveKit server or policy; what is not given stays as it is",
		params: project,
		body: updateProjectSchema,
		response: projectViewSchema,
		run: (admin, { params, body }) => admin.update(params.id, body),
	}),
	operation({
		method: "delete",
		path: "/v1/projects/{id}",
		operationId: "deleteProject",
		summary: "Deletes a project that has no trunks and no rules",
		params: project,
		response: projectViewSchema,
		run: (admin, { params }) => admin.delete(params.id),
	}),
	operation({
		method: "post",
		path: "/v1/projects/{id}/keys",
		operationId: "createApiKey",
		summary: "One more API key, whose secret is shown here alone",
		params: project,
		response: projectWithKeySchema,
		status: 201,
		run: (admin, { params }) => admin.addKey(params.id),
	}),
	operation({
		method: "post",
		path: "/v1/projects/{id}/keys/{key}/rotate",
		operationId: "rotateApiKey",
		summary: "A new secret for a key; the previous one is accepted beside it for a while",
		params: projectKey,
		body: rotateKeySchema,
		response: projectWithKeySchema,
		run: (admin, { params, body }) => admin.rotateKey(params.id, params.key, body),
	}),
	operation({
		method: "delete",
		path: "/v1/projects/{id}/keys/{key}",
		operationId: "deleteApiKey",
		summary: "Deletes an API key; tokens that it signed are refused within seconds",
		params: projectKey,
		response: projectViewSchema,
		run: (admin, { params }) => admin.deleteKey(params.id, params.key),
	}),
];

/** `/v1/projects`, for the administrator of the deployment alone. To be mounted there. */
export function projectRoutes(deps: ApiDeps): Hono {
	const app = new Hono();
	const { projects } = deps;
	if (projects?.adminSecret === undefined) {
		app.all("*", () => v1Error("not_found", "projects cannot be changed here: this server was started without an admin secret"));
		return app;
	}
	const { adminSecret } = projects;
	app.use(async (context, next) =>
		isAdmin(context, adminSecret) ? next() : v1Error("unauthenticated", "the admin secret is needed: Authorization: Bearer <secret>"),
	);
	app.use(
		bodyLimit({
			maxSize: V1_LIMITS.body,
			onError: bodyTooLarge,
		}),
	);
	const admin = new ProjectAdmin(deps, projects);
	for (const { method, path, status, run, ...schemas } of PROJECT_OPERATIONS) {
		const within = path.slice("/v1/projects".length).replace(/\{(\w+)\}/g, ":$1");
		app.on(method.toUpperCase(), within === "" ? "/" : within, async (context) => {
			const params = checked(schemas.params, context.req.param());
			const query = checked(schemas.query, context.req.query());
			const body = schemas.body && checked(schemas.body, await jsonBody(context));
			return context.json((await run(admin, { params, query, body })) as object, status);
		});
	}
	app.onError((error) => {
		if (!(error instanceof DomainError)) deps.log.error({ err: error }, "request failed");
		return v1ErrorFor(error);
	});
	return app;
}

type Value<T> = T extends z.ZodType ? z.infer<T> : undefined;

/** Ties the types of `run` to the schemas; the router checks before it calls. */
function operation<
	Response extends z.ZodType,
	Params extends Fields | undefined = undefined,
	Query extends Fields | undefined = undefined,
	Body extends z.ZodType | undefined = undefined,
>(
	definition: Omit<AdminOperation, "params" | "query" | "body" | "response" | "status" | "run"> & {
		params?: Params;
		query?: Query;
		body?: Body;
		response: Response;
		status?: 201;
		run(admin: ProjectAdmin, given: Given<Value<Params>, Value<Query>, Value<Body>>): Promise<z.infer<Response>>;
	},
): AdminOperation {
	return { status: 200, ...definition } as unknown as AdminOperation;
}

function isAdmin({ req }: Context, adminSecret: string): boolean {
	const header = req.header("authorization") ?? "";
	const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
	// Digests have one length, and the time that comparing them takes says nothing of the secret.
	return timingSafeEqual(digest(header), digest(`Bearer ${adminSecret}`));
}

function checked(schema: z.ZodType | undefined, value: unknown): unknown {
	if (schema === undefined) return undefined;
	const result = schema.safeParse(value);
	if (!result.success) throw invalidInput(result.error);
	return result.data;
}

async function jsonBody({ req }: Context): Promise<unknown> {
	const text = await req.text();
	if (text === "") return {};
	try {
		return JSON.parse(text);
	} catch {
		throw new DomainError("invalid_argument", "the body is no JSON");
	}
}
