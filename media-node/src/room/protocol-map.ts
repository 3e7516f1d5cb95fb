/** LiveKit's protobuf enums in the words of `call/ports.ts`. */
import {
	DisconnectReason,
	Encryption_Type,
	LeaveRequest_Action,
	ParticipantInfo_Kind,
	ParticipantInfo_State,
	TrackType,
} from "@livekit/protocol";
import type { Codec, LeaveRequest, ParticipantInfo, TrackInfo } from "@livekit/protocol";
import type { RoomCloseReason, RoomCodec, RoomParticipant, RoomParticipantKind } from "../call/ports.ts";

export function participantKind(kind: ParticipantInfo_Kind): RoomParticipantKind {
	switch (kind) {
		case ParticipantInfo_Kind.STANDARD:
			return "standard";
		case ParticipantInfo_Kind.INGRESS:
			return "ingress";
		case ParticipantInfo_Kind.EGRESS:
			return "egress";
		case ParticipantInfo_Kind.SIP:
			return "sip";
		case ParticipantInfo_Kind.AGENT:
			return "agent";
		default:
			// connector, bridge and whatever a newer server knows
			return "other";
	}
}

export function roomParticipant(info: ParticipantInfo): RoomParticipant {
	return { sid: info.sid, identity: info.identity, kind: participantKind(info.kind) };
}

export function hasLeft(info: ParticipantInfo): boolean {
	return info.state === ParticipantInfo_State.DISCONNECTED;
}

export function isAudio(track: TrackInfo): boolean {
	return track.type === TrackType.AUDIO;
}

/** A track that we can hear: what is encrypted from end to end is noise without its key. */
export function isEncrypted(track: TrackInfo): boolean {
	return track.encryption !== Encryption_Type.NONE;
}

/** Whether a telephone could hear nobody there, although they have audio. */
export function hasOnlyEncryptedAudio(participants: readonly ParticipantInfo[]): boolean {
	const audio = participants.flatMap(({ tracks }) => tracks.filter(isAudio));
	return audio.length > 0 && audio.every(isEncrypted);
}

/** Why a server's Leave ends the session, as far as it does: a lost connection and a server that shuts down may come back. */
export function closeReason(leave: LeaveRequest): RoomCloseReason {
	switch (leave.reason) {
		case DisconnectReason.CLIENT_INITIATED:
			return "client";
		case DisconnectReason.DUPLICATE_IDENTITY:
			return "duplicate-identity";
		case DisconnectReason.SERVER_SHUTDOWN:
			return "server-shutdown";
		case DisconnectReason.PARTICIPANT_REMOVED:
			return "removed";
		case DisconnectReason.ROOM_DELETED:
			return "room-deleted";
		case DisconnectReason.ROOM_CLOSED:
			return "room-closed";
		case DisconnectReason.JOIN_FAILURE:
			return "join-failed";
		default:
			return "connection-lost";
	}
}

export function describeLeave(leave: LeaveRequest): string {
	const reason = DisconnectReason[leave.reason] ?? String(leave.reason);
	const action = LeaveRequest_Action[leave.action] ?? String(leave.action);
	return `the room server ended the session (reason ${reason}, action ${action})`;
}

const CODEC_BY_MIME: Readonly<Record<string, RoomCodec>> = { "audio/pcmu": "PCMU", "audio/pcma": "PCMA", "audio/opus": "opus" };

/** Whether a track may be published with `codec`; a server that lists nothing leaves it to the SDP answer. */
export function mayPublish(enabled: readonly Codec[], codec: RoomCodec): boolean {
	if (enabled.length === 0) return true;
	return enabled.some((entry) => CODEC_BY_MIME[entry.mime.toLowerCase()] === codec);
}
