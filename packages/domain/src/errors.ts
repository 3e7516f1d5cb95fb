/** Codes are Twirp's, because LiveKit's SDKs switch on them; functions/src/api/errors.ts alone maps them to HTTP. */
export type DomainErrorCode =
	| "canceled"
	| "invalid_argument"
	| "not_found"
	| "already_exists"
	| "failed_precondition"
	| "permission_denied"
	| "unauthenticated"
	| "resource_exhausted"
	| "deadline_exceeded"
	| "aborted"
	| "out_of_range"
	| "unavailable"
	| "unimplemented"
	| "internal"
	| "unknown";

/** An error a caller caused or can act on. `message` names the field, what is wrong with its value and what is allowed. */
export class DomainError extends Error {
	override readonly name = "DomainError";
	readonly code: DomainErrorCode;
	readonly meta: Readonly<Record<string, string>>;
	constructor(code: DomainErrorCode, message: string, meta: Record<string, string> = {}, options?: ErrorOptions) {
		super(message, options);
		this.code = code;
		this.meta = meta;
	}
}
