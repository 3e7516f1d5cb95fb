import type { Message, MessageType } from "@bufbuild/protobuf";
import {
	CreateRoomRequest,
	DataPacket,
	DataPacket_Kind,
	DeleteRoomRequest,
	DeleteRoomResponse,
	DisconnectReason,
	ForwardParticipantRequest,
	type ForwardParticipantResponse,
	ListParticipantsRequest,
	ListParticipantsResponse,
	ListRoomsRequest,
	ListRoomsResponse,
	MuteRoomTrackRequest,
	MuteRoomTrackResponse,
	MoveParticipantRequest,
	MoveParticipantResponse,
	type ParticipantInfo,
	PerformRpcRequest,
	PerformRpcResponse,
	RemoveParticipantResponse,
	type Room as RoomInfo,
	RoomParticipantIdentity,
	SendDataRequest,
	SendDataResponse,
	UpdateParticipantRequest,
	UpdateRoomMetadataRequest,
	UpdateSubscriptionsRequest,
	UpdateSubscriptionsResponse,
	UserPacket,
} from "@livekit/protocol";
import { attributesTooLarge, limits } from "../limits.ts";
import type { Participant } from "../room/participant.ts";
import type { Room } from "../room/room.ts";
import type { Rooms } from "../room/rooms.ts";
import { RpcFailure } from "../room/rpc.ts";
import type { Grants } from "../tokens.ts";
import { type TwirpCode, TwirpError } from "./twirp.ts";

const NONCE_BYTES = 16;

/** One method of livekit.RoomService: its request type and what it does. */
export interface RoomServiceMethod {
	request: MessageType;
	/** throws TwirpError for whatever the caller may not or can't do */
	call(rooms: Rooms, grants: Grants, request: Message): Message | Promise<Message>;
}

/** livekit.RoomService by method name. */
export const roomService: Readonly<Record<string, RoomServiceMethod>> = {
	CreateRoom: method(CreateRoomRequest, createRoom),
	ListRooms: method(ListRoomsRequest, listRooms),
	DeleteRoom: method(DeleteRoomRequest, deleteRoom),
	ListParticipants: method(ListParticipantsRequest, listParticipants),
	GetParticipant: method(RoomParticipantIdentity, getParticipant),
	RemoveParticipant: method(RoomParticipantIdentity, removeParticipant),
	MutePublishedTrack: method(MuteRoomTrackRequest, mutePublishedTrack),
	UpdateParticipant: method(UpdateParticipantRequest, updateParticipant),
	UpdateSubscriptions: method(UpdateSubscriptionsRequest, updateSubscriptions),
	SendData: method(SendDataRequest, sendData),
	UpdateRoomMetadata: method(UpdateRoomMetadataRequest, updateRoomMetadata),
	MoveParticipant: method(MoveParticipantRequest, moveParticipant),
	ForwardParticipant: method(ForwardParticipantRequest, forwardParticipant),
	PerformRpc: method(PerformRpcRequest, performRpc),
};

function createRoom(rooms: Rooms, grants: Grants, request: CreateRoomRequest): RoomInfo {
	if (!grants.roomCreate) throw denied();
	if (request.name === "") throw new TwirpError("invalid_argument", "room name cannot be empty");
	if (request.name.length > limits.nameLength) throw new TwirpError("invalid_argument", `room name is longer than ${limits.nameLength}`);
	checkMetadata(request.metadata);
	// LiveKit's without Redis: an error, too
	if (request.egress !== undefined) throw new TwirpError("unimplemented", "egress is not available on this server");
	if (rooms.full && rooms.get(request.name) === undefined) throw new TwirpError("resource_exhausted", "too many rooms");
	return rooms
		.getOrCreate({
			name: request.name,
			metadata: request.metadata,
			maxParticipants: request.maxParticipants,
			emptyTimeoutMs: request.emptyTimeout * 1000,
			departureTimeoutMs: request.departureTimeout * 1000,
		})
		.toInfo();
}

function listRooms(rooms: Rooms, grants: Grants, request: ListRoomsRequest): ListRoomsResponse {
	if (!grants.roomList) throw denied();
	const wanted = rooms.all().filter((room) => request.names.length === 0 || request.names.includes(room.name));
	return new ListRoomsResponse({ rooms: wanted.map((room) => room.toInfo()) });
}

function deleteRoom(rooms: Rooms, grants: Grants, request: DeleteRoomRequest): DeleteRoomResponse {
	if (!grants.roomCreate) throw denied();
	rooms.delete(existingRoom(rooms, request.room), DisconnectReason.ROOM_DELETED);
	return new DeleteRoomResponse();
}

function listParticipants(rooms: Rooms, grants: Grants, request: ListParticipantsRequest): ListParticipantsResponse {
	checkAdmin(grants, request.room);
	// LiveKit: an unknown room has no participants
	const participants = rooms.get(request.room)?.participants() ?? [];
	return new ListParticipantsResponse({ participants: participants.map((participant) => participant.toInfo()) });
}

function getParticipant(rooms: Rooms, grants: Grants, request: RoomParticipantIdentity): ParticipantInfo {
	checkAdmin(grants, request.room);
	return existingParticipant(rooms, request.room, request.identity).participant.toInfo();
}

function removeParticipant(rooms: Rooms, grants: Grants, request: RoomParticipantIdentity): RemoveParticipantResponse {
	checkAdmin(grants, request.room);
	const { room, participant } = existingParticipant(rooms, request.room, request.identity);
	room.removeParticipant(participant, DisconnectReason.PARTICIPANT_REMOVED);
	return new RemoveParticipantResponse();
}

function mutePublishedTrack(rooms: Rooms, grants: Grants, request: MuteRoomTrackRequest): MuteRoomTrackResponse {
	checkAdmin(grants, request.room);
	const { room, participant } = existingParticipant(rooms, request.room, request.identity);
	// LiveKit's default: the server may silence somebody, but not open a microphone
	if (!request.muted) throw new TwirpError("failed_precondition", "remote unmute not enabled");
	const track = participant.tracks.get(request.trackSid);
	// LiveKit: no error, and no track in the answer
	if (track === undefined) return new MuteRoomTrackResponse();
	room.setMuted(track, request.muted, true);
	return new MuteRoomTrackResponse({ track: track.info });
}

function updateParticipant(rooms: Rooms, grants: Grants, request: UpdateParticipantRequest): ParticipantInfo {
	checkAdmin(grants, request.room);
	const { room, participant } = existingParticipant(rooms, request.room, request.identity);
	if (request.name.length > limits.nameLength) throw new TwirpError("invalid_argument", `name is longer than ${limits.nameLength}`);
	checkMetadata(request.metadata);
	if (attributesTooLarge(participant.attributes, request.attributes))
		throw new TwirpError("invalid_argument", `attributes exceed ${limits.attributesBytes} bytes`);
	if (request.permission !== undefined) room.setPermission(participant, request.permission);
	room.updateParticipant(participant, request);
	return participant.toInfo();
}

function updateSubscriptions(rooms: Rooms, grants: Grants, request: UpdateSubscriptionsRequest): UpdateSubscriptionsResponse {
	checkAdmin(grants, request.room);
	const { room, participant } = existingParticipant(rooms, request.room, request.identity);
	const trackSids = [...request.trackSids, ...request.participantTracks.flatMap((each) => each.trackSids)];
	room.setSubscribed(participant, trackSids, request.subscribe);
	return new UpdateSubscriptionsResponse();
}

function sendData(rooms: Rooms, grants: Grants, request: SendDataRequest): SendDataResponse {
	checkAdmin(grants, request.room);
	if (request.nonce.length !== 0 && request.nonce.length !== NONCE_BYTES)
		throw new TwirpError("invalid_argument", `nonce should be 16-bytes or not present, got: ${request.nonce.length} bytes`);
	const room = existingRoom(rooms, request.room);
	if (request.data.length > limits.dataPacketBytes)
		throw new TwirpError("invalid_argument", `data exceeds ${limits.dataPacketBytes} bytes`);
	const { destinationIdentities, destinationSids, nonce } = request;
	const user = new UserPacket({ payload: request.data, destinationIdentities, destinationSids, nonce });
	if (request.topic !== undefined) user.topic = request.topic;
	const packet = new DataPacket({ destinationIdentities, value: { case: "user", value: user } });
	room.relayData(undefined, packet, request.kind === DataPacket_Kind.LOSSY ? "lossy" : "reliable");
	return new SendDataResponse();
}

function updateRoomMetadata(rooms: Rooms, grants: Grants, request: UpdateRoomMetadataRequest): RoomInfo {
	checkAdmin(grants, request.room);
	checkMetadata(request.metadata);
	const room = existingRoom(rooms, request.room);
	room.setMetadata(request.metadata);
	return room.toInfo();
}

async function moveParticipant(rooms: Rooms, grants: Grants, request: MoveParticipantRequest): Promise<MoveParticipantResponse> {
	const { destinationRoom } = request;
	checkDestination(grants, request.room, destinationRoom);
	if (destinationRoom === "" || destinationRoom.length > limits.nameLength)
		throw new TwirpError("invalid_argument", destinationRoom === "" ? "no room name" : `room name is longer than ${limits.nameLength}`);
	const { participant } = existingParticipant(rooms, request.room, request.identity);
	const token = await participant.link.tokenFor(destinationRoom);
	// meanwhile the participant may have gone, and the rooms changed
	const { room, participant: still } = existingParticipant(rooms, request.room, request.identity);
	if (still !== participant) throw new TwirpError("not_found", "participant does not exist");
	const known = rooms.get(destinationRoom);
	if (known === undefined && rooms.full) throw new TwirpError("resource_exhausted", "too many rooms");
	if (known?.hasPlaceFor(request.identity) === false) throw new TwirpError("resource_exhausted", "the destination room is full");
	rooms.move(participant, room, known ?? rooms.getOrCreate({ name: destinationRoom }), token);
	return new MoveParticipantResponse();
}

/** LiveKit's own server does not have it either ("not implemented"): it is its cloud's. */
function forwardParticipant(rooms: Rooms, grants: Grants, request: ForwardParticipantRequest): ForwardParticipantResponse {
	checkDestination(grants, request.room, request.destinationRoom);
	existingParticipant(rooms, request.room, request.identity);
	throw new TwirpError("unimplemented", "ForwardParticipant is not implemented");
}

async function performRpc(rooms: Rooms, grants: Grants, request: PerformRpcRequest): Promise<PerformRpcResponse> {
	checkAdmin(grants, request.room);
	if (request.destinationIdentity === "") throw new TwirpError("invalid_argument", "destination identity is required");
	existingRoom(rooms, request.room);
	const { participant } = existingParticipant(rooms, request.room, request.destinationIdentity);
	try {
		return new PerformRpcResponse({ payload: await participant.link.performRpc(request) });
	} catch (error) {
		if (error instanceof RpcFailure) throw new TwirpError(rpcCodes[error.code] ?? "internal", error.message);
		throw error;
	}
}

/** Twirp codes of LiveKit's server for what can go wrong with an RPC; all others are `internal`. */
const rpcCodes: Readonly<Record<number, TwirpCode>> = {
	1400: "invalid_argument",
	1401: "not_found",
	1402: "malformed",
	1403: "unimplemented",
	1404: "unimplemented",
	1501: "canceled",
	1502: "canceled",
	1503: "unavailable",
};

function method<T extends Message<T>>(
	request: MessageType<T>,
	call: (rooms: Rooms, grants: Grants, request: T) => Message | Promise<Message>,
): RoomServiceMethod {
	// the caller decodes with `request`, so the message given to `call` is of that type
	return { request: request as unknown as MessageType, call: (rooms, grants, message) => call(rooms, grants, message as unknown as T) };
}

function checkAdmin(grants: Grants, room: string): void {
	if (!grants.roomAdmin || grants.room !== room) throw denied();
}

function checkDestination(grants: Grants, room: string, destinationRoom: string): void {
	checkAdmin(grants, room);
	if (grants.destinationRoom !== destinationRoom) throw denied();
	if (room === destinationRoom) throw new TwirpError("invalid_argument", "destination room cannot be the same as source room");
}

function denied(): TwirpError {
	return new TwirpError("unauthenticated", "permissions denied");
}

function checkMetadata(metadata: string): void {
	if (Buffer.byteLength(metadata) > limits.metadataBytes)
		throw new TwirpError("invalid_argument", `metadata exceeds ${limits.metadataBytes} bytes`);
}

function existingRoom(rooms: Rooms, name: string): Room {
	const room = rooms.get(name);
	if (room === undefined) throw new TwirpError("not_found", "requested room does not exist");
	return room;
}

function existingParticipant(rooms: Rooms, roomName: string, identity: string): { room: Room; participant: Participant } {
	const room = rooms.get(roomName);
	const participant = room?.participant(identity);
	if (room === undefined || participant === undefined) throw new TwirpError("not_found", "participant does not exist");
	return { room, participant };
}
