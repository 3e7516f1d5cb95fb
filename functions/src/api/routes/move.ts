import { MoveParticipantRequest, MoveParticipantResponse } from "@livekit/protocol";
import type { CallRecord } from "@trunkline/contracts";
import { DomainError, errorForPlacement } from "@trunkline/domain";
import { pii } from "@trunkline/observability";
import type { Authentication } from "../auth.ts";
import { bodyOf } from "../body.ts";
import { idempotencyOf, type IdempotencyKey, idFor } from "../call-id.ts";
import type { ApiDeps } from "../deps.ts";
import { decode, encode, encodingOf } from "../twirp.ts";

export const MOVE_PATH = "/twirp/livekit.RoomService/MoveParticipant";

const MAX_ROOM_NAME = 512;
/** Longer than SDKs try. */
const ASKED_AGAIN_WITHIN_MS = 60_000;

/**
 * `RoomService.MoveParticipant` for participants that are telephone calls: LiveKit's own server does not have it. The call's node leaves one room and joins the
 * other while the telephone leg stays up. Undefined: the request is not about a call of ours, and LiveKit's server answers it. Throws DomainError.
 */
export async function moveParticipant(request: Request, authentication: Authentication, deps: ApiDeps): Promise<Response | undefined> {
	const encoding = encodingOf(request.headers.get("content-type"));
	if (request.method !== "POST" || encoding === undefined || authentication.kind !== "authenticated") return undefined;
	const message = parsed(await bodyOf(request.clone()), encoding);
	if (message === undefined) return undefined;
	const { room, identity, destinationRoom } = message;
	const { projectId, grants } = authentication;
	const wanted: Wanted = {
		...{ projectId, room, identity, destinationRoom },
		idempotency: idempotencyOf(request.headers),
	};
	const found = (await callIn(room, wanted, deps)) ?? (await movedBefore(wanted, deps));
	if (found === undefined) return undefined;
	// LiveKit: admin of the room that is left, and the grant for the one that is joined.
	if (grants.adminOfRoom !== room || grants.destinationRoom !== destinationRoom)
		throw new DomainError("unauthenticated", "permissions denied");
	checkDestination(room, destinationRoom);
	if (found !== "moved") await move(found, wanted, deps, request.signal);
	return encode(new MoveParticipantResponse(), encoding);
}

interface Wanted {
	projectId: string;
	room: string;
	identity: string;
	destinationRoom: string;
	idempotency: IdempotencyKey | undefined;
}

async function callIn(room: string, { projectId, identity }: Wanted, { callStore }: ApiDeps): Promise<CallRecord | undefined> {
	const calls = room === "" ? [] : await callStore.liveCallsInRoom(projectId, room);
	return calls.find((call) => call.participantIdentity === identity);
}

/**
 * An answer may be lost on its way: who asks again finds the participant where it was to go. LiveKit's server, which has no such participant in the first room,
 * would say that it does not exist.
 */
async function movedBefore(wanted: Wanted, deps: ApiDeps): Promise<CallRecord | "moved" | undefined> {
	const { projectId, identity, destinationRoom, idempotency } = wanted;
	const earlier = idempotency && (await deps.transfers?.getTransfer(idFor("STR_", projectId, idempotency, deps.random)));
	const call = earlier && (await deps.callStore.getCall(earlier.callId));
	// The outcome of the first attempt is this one's, whatever has become of the call.
	if (call?.projectId === projectId && call.participantIdentity === identity) return call;
	const there = destinationRoom === wanted.room ? undefined : await callIn(destinationRoom, wanted, deps);
	const last = there?.timeline.findLast(({ event }) => event === "moved");
	return last?.detail === destinationRoom && deps.clock() - last.at < ASKED_AGAIN_WITHIN_MS ? "moved" : undefined;
}

async function move(call: CallRecord, wanted: Wanted, deps: ApiDeps, signal: AbortSignal): Promise<void> {
	const { projectId, destinationRoom, idempotency } = wanted;
	const transferId = idFor("STR_", projectId, idempotency, deps.random);
	const earlier = idempotency && (await deps.transfers?.getTransfer(transferId));
	const isSame = earlier !== undefined && "destinationRoom" in earlier.command && earlier.command.destinationRoom === destinationRoom;
	if (isSame && earlier.outcome?.status === "successful") return;
	if (call.state !== "active")
		throw new DomainError("failed_precondition", `the call is ${call.state}: only an answered call can be moved`);
	if (deps.command === undefined) throw new DomainError("unimplemented", "this deployment does not move calls");
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
