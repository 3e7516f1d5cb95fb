import type { CallEnd, EndReason } from "@trunkline/contracts";
import type { DomainErrorCode } from "../errors.ts";
import { DomainError } from "../errors.ts";

const CODES: readonly [DomainErrorCode, readonly number[]][] = [
	["not_found", [301, 302, 404, 410, 481, 604]],
	["permission_denied", [401, 402, 403, 433, 470, 603, 607, 608]],
	["unauthenticated", [407, 428, 436, 437, 438, 494]],
	["deadline_exceeded", [408, 504]],
	["resource_exhausted", [440, 480, 486, 600]],
	["failed_precondition", [409, 412, 482, 483, 500, 501, 502, 503]],
	["aborted", [487, 491]],
	["out_of_range", [416]],
	["invalid_argument", [505, 513]],
];
const CODE_BY_STATUS = new Map(CODES.flatMap(([code, statuses]) => statuses.map((status) => [status, code] as const)));

/** The API error code for a final SIP status ≥ 300, as LiveKit maps it. */
export function errorCodeForSipStatus(status: number): DomainErrorCode {
	const listed = CODE_BY_STATUS.get(status);
	if (listed !== undefined) return listed;
	if (status < 300) return "unknown";
	return status >= 500 && status < 600 ? "failed_precondition" : "invalid_argument";
}

/** The word for a final SIP status ≥ 300 of the peer. */
export function endReasonForSipStatus(status: number): EndReason {
	switch (status) {
		case 486:
		case 600:
			return "busy";
		case 603:
		case 607:
		case 608:
			return "declined";
		case 408:
		case 480:
			return "no-answer";
		case 487:
			return "cancelled";
		case 404:
		case 410:
		case 484:
		case 604:
			return "not-found";
		case 401:
		case 407:
			return "unauthorized";
		case 415:
		case 488:
		case 606:
			return "media-mismatch";
		default:
			return "rejected";
	}
}

/** Without a SIP status; what is missing here is a failed_precondition. */
const CODE_BY_REASON: Partial<Record<EndReason, DomainErrorCode>> = {
	"no-answer": "canceled",
	cancelled: "canceled",
	"peer-gone": "canceled",
	"participant-removed": "canceled",
	"room-closed": "canceled",
	"not-claimed": "unavailable",
	"room-failed": "unavailable",
	shutdown: "unavailable",
	"internal-error": "internal",
};

const TEXT_BY_REASON: Partial<Record<EndReason, string>> = {
	"no-answer": "sip request timed out",
	"peer-gone": "transaction failed to complete",
	"not-claimed": "no response from servers",
};

/**
 * The error that the API gives for a call that ended before it did what was asked. `dialled`: an INVITE was sent; a 5xx would then make a client
 * dial again, so server errors become failed_precondition.
 */
export function errorForCallEnd(end: CallEnd, dialled: boolean): DomainError {
	if (end.sipStatus !== undefined) {
		const reason = end.sipReason ?? "";
		const status = reason === "" ? `sip status: ${end.sipStatus}` : `sip status: ${end.sipStatus}: ${reason}`;
		return new DomainError(errorCodeForSipStatus(end.sipStatus), `twirp error unknown: INVITE failed: ${status}`, {
			sip_status_code: String(end.sipStatus),
			sip_status: reason,
		});
	}
	const code = CODE_BY_REASON[end.reason] ?? "failed_precondition";
	const isServerError = code === "unavailable" || code === "internal";
	const text = TEXT_BY_REASON[end.reason] ?? end.message ?? describeEnd(end);
	return new DomainError(dialled && isServerError ? "failed_precondition" : code, `twirp error unknown: ${text}`, {
		end_reason: end.reason,
	});
}

/** Names of `livekit.DisconnectReason`. */
export type SipDisconnectReason =
	| "CLIENT_INITIATED"
	| "USER_UNAVAILABLE"
	| "USER_REJECTED"
	| "SIP_TRUNK_FAILURE"
	| "MEDIA_FAILURE"
	| "ROOM_CLOSED"
	| "PARTICIPANT_REMOVED"
	| "SERVER_SHUTDOWN"
	| "UNKNOWN_REASON";

const DISCONNECT_BY_REASON: Partial<Record<EndReason, SipDisconnectReason>> = {
	hangup: "CLIENT_INITIATED",
	transferred: "CLIENT_INITIATED",
	"max-duration": "CLIENT_INITIATED",
	"no-answer": "USER_UNAVAILABLE",
	"not-found": "USER_UNAVAILABLE",
	busy: "USER_REJECTED",
	declined: "USER_REJECTED",
	unauthorized: "USER_REJECTED",
	unreachable: "SIP_TRUNK_FAILURE",
	"peer-gone": "SIP_TRUNK_FAILURE",
	"media-timeout": "MEDIA_FAILURE",
	"media-mismatch": "MEDIA_FAILURE",
	"room-closed": "ROOM_CLOSED",
	"participant-removed": "PARTICIPANT_REMOVED",
	shutdown: "SERVER_SHUTDOWN",
};

/**
 * Why the participant leaves the room. LiveKit says UNKNOWN for failures of trunk and media, which only its cloud tells apart; here they have the
 * reason that the protocol has for them.
 */
export function disconnectReason(end: CallEnd): SipDisconnectReason {
	const status = end.sipStatus;
	if (status !== undefined && status >= 400) {
		if (status === 404 || status === 408 || status === 480) return "USER_UNAVAILABLE";
		return status >= 500 && status < 600 ? "SIP_TRUNK_FAILURE" : "USER_REJECTED";
	}
	return DISCONNECT_BY_REASON[end.reason] ?? "UNKNOWN_REASON";
}

const WORDS: Record<EndReason, string> = {
	hangup: "hung up",
	transferred: "the call was transferred to somebody else",
	busy: "the line was busy",
	declined: "the call was declined",
	"no-answer": "nobody answered",
	cancelled: "the call was cancelled before an answer",
	"not-found": "the number does not exist there",
	unauthorized: "the credentials were missing or wrong",
	"no-trunk": "no inbound trunk matched the call",
	"no-rule": "no dispatch rule matched the call",
	"wrong-pin": "the PIN was wrong",
	rejected: "the call was rejected",
	"media-timeout": "no audio packets arrived for too long",
	"media-mismatch": "the two sides did not agree on how to send audio",
	"max-duration": "the call reached its longest duration",
	"room-failed": "the room could not be joined",
	"room-closed": "the room was closed",
	"participant-removed": "the participant was removed from the room",
	"peer-gone": "the telephone side stopped answering",
	unreachable: "the telephone side could not be reached",
	"not-claimed": "no media node took the call in time",
	shutdown: "the media node shut down",
	"internal-error": "an internal error ended the call",
};

const WHO: Record<CallEnd["by"], string> = { peer: "telephone side", room: "room", api: "API", node: "media node" };

/** One line for people, like "the line was busy (SIP 486 Busy Here; ended by the telephone side)". */
export function describeEnd(end: CallEnd): string {
	const status = end.sipStatus === undefined ? "" : `SIP ${end.sipStatus}${end.sipReason ? ` ${end.sipReason}` : ""}; `;
	// What a newer version calls it says more than nothing.
	const words = (WORDS as Partial<typeof WORDS>)[end.reason] ?? end.reason;
	return `${words} (${status}ended by the ${(WHO as Partial<typeof WHO>)[end.by] ?? end.by})`;
}
