import { V1_LIMITS, type V1Error } from "@trunkline/contracts";
import { DomainError } from "@trunkline/domain";
import type * as z from "zod";
import { httpStatus, type TwirpCode } from "../errors.ts";

export function v1Error(
	code: TwirpCode,
	message: string,
	options: { field?: string; status?: number; headers?: Record<string, string> } = {},
): Response {
	const body: V1Error = { code, message, ...(options.field === undefined ? {} : { field: options.field }) };
	const headers = new Headers(options.headers);
	headers.set("content-type", "application/json");
	return new Response(JSON.stringify(body), { status: options.status ?? httpStatus(code), headers });
}

/** The rest of the body is not read, so the connection cannot go on: a client that used it again would lose its next request (RFC 9112 §9.6). */
export function bodyTooLarge(): Response {
	return v1Error("invalid_argument", `the request body is larger than ${V1_LIMITS.body} bytes`, {
		status: 413,
		headers: { connection: "close" },
	});
}

/** Domain errors are for the caller to read; of anything else the caller learns nothing. */
export function v1ErrorFor(error: unknown): Response {
	if (!(error instanceof DomainError)) return v1Error("internal", "internal error");
	const { field } = error.meta;
	return v1Error(error.code, error.message, field === undefined ? {} : { field });
}

/** The first thing that is wrong with a body or a query. */
export function invalidInput(error: z.ZodError): DomainError {
	const [issue] = error.issues;
	if (issue === undefined) return new DomainError("invalid_argument", "the request is not valid");
	const path = issue.path.map(String);
	if (issue.code === "unrecognized_keys") {
		const [key = ""] = issue.keys;
		const field = [...path, key].join(".");
		return new DomainError("invalid_argument", `${field}: there is no such field`, { field });
	}
	const field = path.join(".");
	return new DomainError("invalid_argument", field === "" ? issue.message : `${field}: ${issue.message}`, field === "" ? {} : { field });
}
