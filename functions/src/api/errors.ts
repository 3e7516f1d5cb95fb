import { BinaryWriter } from "@bufbuild/protobuf";
import { SIPStatus } from "@livekit/protocol";
import type { DomainErrorCode } from "@trunkline/domain";
import { DomainError } from "@trunkline/domain";

/** Twirp's codes: the domain's, and those of the envelope. */
export type TwirpCode = DomainErrorCode | "bad_route" | "malformed";

const HTTP_STATUS: Record<TwirpCode, number> = {
	canceled: 408,
	deadline_exceeded: 408,
	invalid_argument: 400,
	malformed: 400,
	out_of_range: 400,
	unauthenticated: 401,
	permission_denied: 403,
	not_found: 404,
	bad_route: 404,
	already_exists: 409,
	aborted: 409,
	failed_precondition: 412,
	resource_exhausted: 429,
	unknown: 500,
	internal: 500,
	unimplemented: 501,
	unavailable: 503,
};

export function httpStatus(code: TwirpCode): number {
	return HTTP_STATUS[code];
}

/** google.rpc.Code, as gRPC numbers the codes. */
const GRPC_CODE: Record<TwirpCode, number> = {
	canceled: 1,
	unknown: 2,
	invalid_argument: 3,
	malformed: 3,
	deadline_exceeded: 4,
	not_found: 5,
	bad_route: 5,
	already_exists: 6,
	permission_denied: 7,
	resource_exhausted: 8,
	failed_precondition: 9,
	aborted: 10,
	out_of_range: 11,
	unimplemented: 12,
	internal: 13,
	unavailable: 14,
	unauthenticated: 16,
};

/** Always JSON, whatever the request was. LiveKit's SDKs read the body only when the content type is exactly this, without a charset. */
export function errorResponse(
	code: TwirpCode,
	msg: string,
	meta: Readonly<Record<string, string>> = {},
	headers: Readonly<Record<string, string>> = {},
): Response {
	const body = Object.keys(meta).length === 0 ? { code, msg } : { code, msg, meta };
	return new Response(JSON.stringify(body), { status: HTTP_STATUS[code], headers: { ...headers, "content-type": "application/json" } });
}

/** Domain errors are for the caller to read; of anything else the caller learns nothing. */
export function responseForError(error: unknown): Response {
	if (!(error instanceof DomainError)) return errorResponse("internal", "internal error");
	const sipStatus = error.meta["sip_status_code"];
	const details = sipStatus === undefined ? {} : { error_details: sipErrorDetails(error, Number(sipStatus)) };
	return errorResponse(error.code, error.message, { ...error.meta, ...details });
}

/** base64 of a google.rpc.Status with a livekit.SIPStatus in it: what LiveKit's Go SDK reads the SIP status from. */
function sipErrorDetails(error: DomainError, sipStatus: number): string {
	const value = new SIPStatus({ code: sipStatus, status: error.meta["sip_status"] ?? "" }).toBinary();
	const any = new BinaryWriter().tag(1, 2).string("type.googleapis.com/livekit.SIPStatus").tag(2, 2).bytes(value).finish();
	const status = new BinaryWriter().tag(1, 0).int32(GRPC_CODE[error.code]).tag(2, 2).string(error.message).tag(3, 2).bytes(any).finish();
	return Buffer.from(status).toString("base64");
}
