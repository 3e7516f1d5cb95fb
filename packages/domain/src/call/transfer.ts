import { checkDuration, checkText, invalid } from "../check.ts";
import { DomainError } from "../errors.ts";
import { checkHeaders } from "../headers.ts";
import type { TransferCommand, TransferOutcome } from "../ports.ts";
import { errorCodeForSipStatus } from "./sip-status.ts";

/** `livekit.TransferSIPParticipantRequest`, unset fields at their zero value. */
export interface TransferRequest {
	roomName: string;
	participantIdentity: string;
	transferTo: string;
	playDialtone: boolean;
	headers: Record<string, string>;
	ringingTimeoutMs?: number;
}

const DEFAULT_RINGING_MS = 30_000;
const MAX_RINGING_MS = 600_000;
const MAX_TARGET_LENGTH = 512;

/** The command to the node that runs the call. Throws `invalid_argument`, with LiveKit's texts where it checks the same. */
export function transferCommand(request: TransferRequest, transferId: string): TransferCommand {
	checkText("room_name", request.roomName);
	checkText("participant_identity", request.participantIdentity);
	const transferTo = referTo(request.transferTo);
	checkHeaders(request.headers);
	checkDuration("ringing_timeout", request.ringingTimeoutMs, MAX_RINGING_MS);
	const { playDialtone, headers } = request;
	return { transferId, transferTo, playDialtone, headers, ringingTimeoutMs: request.ringingTimeoutMs || DEFAULT_RINGING_MS };
}

/** The error for a transfer that failed: LiveKit's, with the SIP status where there is one. */
export function errorForTransfer({ reason, sipStatus, message, refused }: TransferOutcome): DomainError {
	if (refused !== undefined) return refusal(refused);
	if (sipStatus !== undefined) {
		const text = sipStatus.reason === "" ? String(sipStatus.code) : `${sipStatus.code}: ${sipStatus.reason}`;
		// The text is LiveKit's, for whoever compares it; what more there is to say is beside it.
		return new DomainError(errorCodeForSipStatus(sipStatus.code), `${FAILED}: sip status: ${text}`, {
			sip_status_code: String(sipStatus.code),
			sip_status: sipStatus.reason,
			...(message === undefined ? {} : { transfer_detail: message }),
		});
	}
	const code = reason === "ringing-timeout" ? "deadline_exceeded" : reason === "canceled" ? "canceled" : "failed_precondition";
	return new DomainError(code, `${FAILED}: ${message ?? WORDS[reason]}`, { transfer_reason: reason });
}

/** The error for a move to another room, or a hold, that came to nothing. */
export function errorForPlacement({ reason, message, refused }: TransferOutcome): DomainError {
	switch (refused) {
		case "elsewhere":
			return new DomainError("aborted", "the call is being transferred or moved already");
		case "not-answered":
			return new DomainError("failed_precondition", "the call is not answered yet");
		case "gone":
			return new DomainError("not_found", "the call is over, is no longer in a room, or its media node is gone");
		case "joined":
			return new DomainError("failed_precondition", `${JOINED}: it is in no room any more`);
		default:
			return new DomainError(reason === "ringing-timeout" ? "deadline_exceeded" : "failed_precondition", message ?? WORDS[reason]);
	}
}

function refusal(refused: NonNullable<TransferOutcome["refused"]>): DomainError {
	switch (refused) {
		case "elsewhere":
			return new DomainError("invalid_argument", "twirp error unknown: call already being transferred elsewhere");
		case "not-answered":
			return new DomainError("failed_precondition", "the call is not answered yet: only an answered call can be transferred");
		case "gone":
			return new DomainError("unavailable", "twirp error unknown: no response from servers: the call is over, or its media node is gone");
		case "joined":
			return new DomainError("failed_precondition", `${FAILED}: ${JOINED}; it can be hung up, and not be transferred again`);
	}
}

const FAILED = "twirp error unknown: call transfer failed";
const JOINED = "the call was transferred, and is joined to another telephone";

const WORDS: Record<TransferOutcome["reason"], string> = {
	unspecified: "no reason was given",
	completed: "it was completed",
	"call-ended": "the call ended before",
	rejected: "the telephone side refused it",
	"ringing-timeout": "the target did not answer in time",
	"subscription-terminated": "the telephone side stopped telling how it goes",
	canceled: "it was canceled",
};

/** RFC 3515 §2.1. SIP URIs as name-addr, which more peers understand; tel URIs bare, as LiveKit sends them. */
function referTo(target: string): string {
	if (target === "") throw invalid("missing transfer to");
	const uri = target.startsWith("<") && target.endsWith(">") ? target.slice(1, -1) : target;
	if (!/^(sips?|tel):/.test(uri)) throw invalid("transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)");
	checkText("transfer_to", uri, MAX_TARGET_LENGTH);
	// What ends a URI in a header would let the rest of the text be a header parameter or another header.
	if (/[<>"\s\\]/.test(uri) || /^[a-z]+:@?$/.test(uri))
		throw invalid('transfer_to must be a URI alone, without name, spaces or < > " inside');
	return uri.startsWith("tel:") ? uri : `<${uri}>`;
}
