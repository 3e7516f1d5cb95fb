/** Twirp error codes used here, with their HTTP status (Twirp wire protocol v7). */
const statuses = {
	bad_route: 404,
	invalid_argument: 400,
	malformed: 400,
	not_found: 404,
	canceled: 408,
	failed_precondition: 412,
	permission_denied: 403,
	resource_exhausted: 429,
	unauthenticated: 401,
	unimplemented: 501,
	unavailable: 503,
	internal: 500,
} as const;

export type TwirpCode = keyof typeof statuses;

/** An answer other than the method's result. */
export class TwirpError extends Error {
	override readonly name = "TwirpError";
	readonly code: TwirpCode;

	constructor(code: TwirpCode, message: string) {
		super(message);
		this.code = code;
	}

	get status(): number {
		return statuses[this.code];
	}
}

export interface HttpReply {
	status: number;
	contentType: string;
	body: string | Uint8Array;
}

/** `{code, msg}`; clients look for exactly this content type, without a charset. */
export function twirpErrorReply(error: TwirpError): HttpReply {
	return { status: error.status, contentType: "application/json", body: JSON.stringify({ code: error.code, msg: error.message }) };
}
