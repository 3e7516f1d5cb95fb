import type { TransferSIPParticipantRequest, TransferSIPParticipantResponse } from "@livekit/protocol";
import type { CallRecord } from "@trunkline/contracts";
import { DomainError, errorForTransfer, transferCommand } from "@trunkline/domain";
import { pii } from "@trunkline/observability";
import { idFor } from "../call-id.ts";
import type { RpcContext } from "../deps.ts";
import type { Grants } from "../grants.ts";
import { checkTransferTarget } from "../policy.ts";
import { protoTransfer, transferRequestOf } from "../proto/transfer.ts";

/** Of the others only the node knows: its record of the answer comes a moment after the answer. */
const NOT_DIALLED: ReadonlySet<CallRecord["state"]> = new Set(["queued", "claimed", "joining"]);

/** `sip.call`, and admin of the room. As in LiveKit a request without room or participant is refused before anybody looks at the grants. */
export function mayTransfer({ sipCall, adminOfRoom }: Grants, { roomName, participantIdentity }: TransferSIPParticipantRequest): boolean {
	if (roomName === "") throw new DomainError("invalid_argument", "twirp error unknown: Missing room name");
	if (participantIdentity === "") throw new DomainError("invalid_argument", "twirp error unknown: Missing participant identity");
	return sipCall && adminOfRoom === roomName;
}

export async function transferParticipant(
	message: TransferSIPParticipantRequest,
	context: RpcContext,
): Promise<TransferSIPParticipantResponse> {
	const { deps, projectId, idempotency, signal } = context;
	const command = transferCommand(transferRequestOf(message), idFor("STR_", projectId, idempotency, deps.random));
	const call = (await liveCall(message, context)) ?? (await callOfEarlier(command.transferId, message, context));
	if (call === undefined) throw await noCall(message, context);
	if (NOT_DIALLED.has(call.state))
		throw new DomainError(
			"failed_precondition",
			`the call is not answered yet (it is ${call.state}): only an answered call can be transferred`,
		);
	await checkTransferTarget(deps, projectId, command.transferTo);
	if (deps.transfer === undefined) throw new DomainError("unimplemented", "this deployment does not transfer calls");
	deps.log.info({ callId: call.callId, transferId: command.transferId, to: pii(command.transferTo) }, "transfer requested");
	const outcome = await deps.transfer(call, command, signal);
	if (outcome.status === "failed") throw errorForTransfer(outcome);
	return protoTransfer(command.transferId, outcome);
}

/** The call of the participant. */
async function liveCall(
	{ roomName, participantIdentity }: TransferSIPParticipantRequest,
	{ deps, projectId }: RpcContext,
): Promise<CallRecord | undefined> {
	const calls = await deps.callStore.liveCallsInRoom(projectId, roomName);
	return calls.find((call) => call.participantIdentity === participantIdentity);
}

/** A transfer that succeeded has ended its call: the retry of its request is still about that one. Of the participant alone that the token is for. */
async function callOfEarlier(
	transferId: string,
	{ roomName, participantIdentity }: TransferSIPParticipantRequest,
	{ deps, projectId, idempotency }: RpcContext,
): Promise<CallRecord | undefined> {
	const earlier = idempotency && (await deps.transfers?.getTransfer(transferId));
	const call = earlier && (await deps.callStore.getCall(earlier.callId));
	const isTheirs = call?.projectId === projectId && call.roomName === roomName && call.participantIdentity === participantIdentity;
	return isTheirs ? call : undefined;
}

/** Whoever is in the room without a call is told from who is not there, as LiveKit does. */
async function noCall(request: TransferSIPParticipantRequest, context: RpcContext): Promise<DomainError> {
	return (await isInRoom(request, context))
		? new DomainError("invalid_argument", "twirp error unknown: no SIP session associated with participant")
		: new DomainError("not_found", "participant does not exist");
}

/** Asks LiveKit's server with the caller's own token, which is for this room. */
async function isInRoom({ roomName, participantIdentity }: TransferSIPParticipantRequest, context: RpcContext): Promise<boolean> {
	const url = new URL("/twirp/livekit.RoomService/GetParticipant", "http://room-service.invalid");
	const authorization = context.requestHeaders.get("authorization") ?? "";
	const response = await context.deps.roomService(
		new Request(url, {
			method: "POST",
			headers: { "content-type": "application/json", authorization },
			body: JSON.stringify({ room: roomName, identity: participantIdentity }),
			signal: context.signal,
		}),
	);
	await response.body?.cancel();
	return response.ok;
}
