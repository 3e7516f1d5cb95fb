import {
	SIPStatus,
	SIPTransferReason,
	SIPTransferStatus,
	type TransferSIPParticipantRequest,
	TransferSIPParticipantResponse,
} from "@livekit/protocol";
import type { TransferOutcome, TransferRequest } from "@trunkline/domain";
import { durationMs } from "./common.ts";

export function transferRequestOf(request: TransferSIPParticipantRequest): TransferRequest {
	const { roomName, participantIdentity, transferTo, playDialtone, headers } = request;
	const ringingTimeoutMs = durationMs(request.ringingTimeout);
	return {
		roomName,
		participantIdentity,
		transferTo,
		playDialtone,
		headers,
		...(ringingTimeoutMs === undefined ? {} : { ringingTimeoutMs }),
	};
}

export function protoTransfer(transferId: string, { status, reason, sipStatus }: TransferOutcome): TransferSIPParticipantResponse {
	const response = new TransferSIPParticipantResponse({ transferId, status: STATUS[status], reason: REASON[reason] });
	if (sipStatus !== undefined) response.sipStatus = new SIPStatus({ code: sipStatus.code, status: sipStatus.reason });
	return response;
}

const STATUS: Record<TransferOutcome["status"], SIPTransferStatus> = {
	ongoing: SIPTransferStatus.STS_TRANSFER_ONGOING,
	failed: SIPTransferStatus.STS_TRANSFER_FAILED,
	successful: SIPTransferStatus.STS_TRANSFER_SUCCESSFUL,
};

const REASON: Record<TransferOutcome["reason"], SIPTransferReason> = {
	unspecified: SIPTransferReason.STR_UNSPECIFIED,
	completed: SIPTransferReason.STR_COMPLETED,
	"call-ended": SIPTransferReason.STR_CALL_ENDED,
	rejected: SIPTransferReason.STR_REJECTED,
	"ringing-timeout": SIPTransferReason.STR_RINGING_TIMEOUT,
	"subscription-terminated": SIPTransferReason.STR_SUBSCRIPTION_TERMINATED,
	canceled: SIPTransferReason.STR_CANCELED,
};
