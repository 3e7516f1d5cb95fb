import type { ParticipantInfo, Room as RoomInfo, TrackInfo } from "@livekit/protocol";

/** What LiveKit's webhooks tell, by their names there. */
export type RoomEventName =
	| "room_started"
	| "room_finished"
	| "participant_joined"
	| "participant_left"
	| "participant_connection_aborted"
	| "track_published"
	| "track_unpublished";

export interface RoomEvent {
	event: RoomEventName;
	room: RoomInfo;
	participant?: ParticipantInfo;
	track?: TrackInfo;
}

/** Told at once of what happens; what an event holds is the room's own and changes afterwards. */
export type RoomObserver = (event: RoomEvent) => void;
