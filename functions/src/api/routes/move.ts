import { MoveParticipantRequest, MoveParticipantResponse } from "@livekit/protocol";
import { type CallRecord, randomBase58 } from "@trunkline/contracts";
import { DomainError, errorForPlacement } from "@trunkline/domain";
import { pii } from "@trunkline/observability";
import type { Authentication } from "../auth.ts";
import type { ApiDeps } from "../deps.ts";
import { decode, encode, encodingOf } from "../twirp.ts";

export const MOVE_PATH = "/twirp/livekit.RoomService/MoveParticipant";

const MAX_ROOM_NAME = 512;

/**
 * `RoomService.MoveParticipant` for participants that are telephone calls: LiveKit's own server does not have it. The call's node leaves one room and joins the
 * other while the telephone leg stays up. Undefined: the request is not about a call of ours, and LiveKit's server answers it. Throws DomainError.
 */
export async function moveParticipant(request: Request, authentication: Authentication, deps: ApiDeps): Promise<Response | undefined> {
	const encoding = encodingOf(request.headers.get("content-type"));
	if (request.method !== "POST" || encoding === undefined || authentication.kind !== "authenticated") return undefined;
	const message = parsed(new Uint8Array(await request.clone().arrayBuffer()), encoding);
	if (message === undefined) return undefined;
	const { room, identity, destinationRoom } = message;
	const { projectId, grants } = authentication;
	const calls = room === "" ? [] : await deps.callStore.liveCallsInRoom(projectId, room);
	const call = calls.find((one) => one.participantIdentity === identity);
	if (call === undefined) return undefined;
	// LiveKit: admin of the room that is left, and the grant for the one that is joined.
	if (grants.adminOfRoom !== room || grants.destinationRoom !== destinationRoom)
		throw new DomainError("unauthenticated", "permissions denied");
	checkDestination(room, destinationRoom);
	await move(call, destinationRoom, deps, request.signal);
	return encode(new MoveParticipantResponse(), encoding);
}

async function move(call: CallRecord, destinationRoom: string, deps: ApiDeps, signal: AbortSignal): Promise<void> {
	if (call.state !== "active")
		throw new DomainError("failed_precondition", `the call is ${call.state}: only an answered call can be moved`);
	if (deps.command === undefined) throw new DomainError("unimplemented", "this deployment does not move calls");
	const transferId = `STR_${randomBase58(12, deps.random)}`;
	deps.log.info({ callId: call.callId, transferId, room: pii(destinationRoom) }, "move requested");
	const outcome = await deps.command(call, { transferId, destinationRoom }, signal);
	if (outcome.status === "failed") throw errorForPlacement(outcome);
}

function checkDestination(room: string, destinationRoom: string): void {
	if (destinationRoom === "") throw new DomainError("invalid_argument", "destination_room is missing");
	if (destinationRoom === room) throw new DomainError("invalid_argument", "the participant is in the destination room already");
	if (destinationRoom.length > MAX_ROOM_NAME) throw new DomainError("invalid_argument", `destination_room is longer than ${MAX_ROOM_NAME}`);
}

/** What cannot be read is for LiveKit's server to refuse. */
function parsed(body: Uint8Array, encoding: "json" | "protobuf"): MoveParticipantRequest | undefined {
	try {
		return decode(MoveParticipantRequest, body, encoding);
	} catch {
		return undefined;
	}
}
