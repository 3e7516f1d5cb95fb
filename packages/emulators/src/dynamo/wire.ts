/** An answer of DynamoDB's JSON protocol (application/x-amz-json-1.0). */
export interface WireAnswer {
	status: number;
	body: Record<string, unknown>;
}

/** A request that DynamoDB refuses: `type` is the exception's name, `extra` its further members. */
export class WireError extends Error {
	override readonly name = "WireError";
	readonly type: string;
	readonly extra: Record<string, unknown>;
	constructor(type: string, message: string, extra: Record<string, unknown> = {}) {
		super(message);
		this.type = type;
		this.extra = extra;
	}
}

const VALIDATION = "com.amazon.coral.validate#ValidationException";

/** The answer that tells a client of this error; anything that is no refusal is the emulator's own fault (500). */
export function errorAnswer(error: unknown): WireAnswer {
	if (error instanceof WireError) {
		const type = error.type === "ValidationException" ? VALIDATION : `com.amazonaws.dynamodb.v20120810#${error.type}`;
		return { status: 400, body: { __type: type, message: error.message, Message: error.message, ...error.extra } };
	}
	const refusal = refusalOf(error);
	if (refusal) return refusal;
	const message = error instanceof Error ? error.message : String(error);
	return { status: 500, body: { __type: "com.amazonaws.dynamodb.v20120810#InternalServerError", message } };
}

/** Name of the exception that dynalite answers with (`ConditionalCheckFailedException`, …), undefined when the error is not an answer. */
export function refusalName(error: unknown): string | undefined {
	const type = refusalOf(error)?.body["__type"];
	return typeof type === "string" ? type.slice(type.indexOf("#") + 1) : undefined;
}

export function refusalMessage(error: unknown): string {
	const body = refusalOf(error)?.body;
	const message = body?.["message"] ?? body?.["Message"];
	return typeof message === "string" ? message : "";
}

function refusalOf(error: unknown): WireAnswer | undefined {
	if (typeof error !== "object" || error === null || !("statusCode" in error) || !("body" in error)) return undefined;
	if (typeof error.statusCode !== "number" || typeof error.body !== "object" || error.body === null) return undefined;
	return { status: error.statusCode, body: { ...error.body } };
}
