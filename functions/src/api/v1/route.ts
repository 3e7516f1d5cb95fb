import type * as z from "zod";
import type { IdempotencyKey } from "../call-id.ts";
import type { ApiDeps } from "../deps.ts";
import type { V1Deps } from "./deps.ts";

export interface V1Context<Params, Query, Body> {
	deps: ApiDeps;
	v1: V1Deps;
	projectId: string;
	params: Params;
	query: Query;
	body: Body;
	/** says that requests are retries of one */
	idempotency: IdempotencyKey | undefined;
}

type Fields = z.ZodObject<Record<string, z.ZodType>>;

/** One operation: what it takes and gives, for the checks, for `openapi.json` and for the router alike. */
export interface V1Route {
	method: "get" | "post" | "put" | "delete";
	/** OpenAPI's form: /v1/calls/{id} */
	path: string;
	operationId: string;
	summary: string;
	/** one of these is enough */
	grants: readonly ("sipAdmin" | "sipCall")[];
	params?: Fields;
	query?: Fields;
	body?: z.ZodType;
	response: z.ZodType;
	/** of an answer in bytes, which `run` gives as a Uint8Array; unset: JSON */
	contentType?: string;
	/** Throws DomainError; `meta.field` names the field. */
	run(context: V1Context<unknown, unknown, unknown>): Promise<unknown>;
}

type Value<T> = T extends z.ZodType ? z.infer<T> : undefined;

/** Ties the types of `run` to the schemas; the router checks before it calls. */
export function route<
	Response extends z.ZodType,
	Params extends Fields | undefined = undefined,
	Query extends Fields | undefined = undefined,
	Body extends z.ZodType | undefined = undefined,
>(
	definition: Omit<V1Route, "params" | "query" | "body" | "response" | "run"> & {
		params?: Params;
		query?: Query;
		body?: Body;
		response: Response;
		run(context: V1Context<Value<Params>, Value<Query>, Value<Body>>): Promise<z.infer<Response>>;
	},
): V1Route {
	return definition as unknown as V1Route;
}
