import type { CallEvent, CallState, Step } from "./state.ts";
import { finish, hangupStatus, ignore, step } from "./state.ts";
import { recorded } from "./transfer-effects.ts";

type RoomNews = Extract<CallEvent, { type: "interrupted" | "restored" | "room-moved" | "track-encrypted" }>;

/** What happens to the room of an answered call; undefined: this is something else. */
export function ofRoom(state: CallState, event: CallEvent, now: number): Step | undefined {
	switch (event.type) {
		case "track-encrypted":
		case "interrupted":
		case "restored":
		case "room-moved":
			return news(state, event);
		case "room-emptied":
			return emptied(state, now);
		case "room-filled":
		case "room-occupied":
			return state.emptyRoomMs === undefined ? ignore(state) : step(state, {}, { do: "clear-timer", name: "empty-room" });
		case "timer":
			return event.name === "empty-room" ? leftAlone(state, now) : undefined;
		default:
			return undefined;
	}
}

/** The room is gone for a while, is back, or is another one: the telephone stays, and the record says so. */
function news(state: CallState, event: RoomNews): Step {
	switch (event.type) {
		case "interrupted":
			return step(state, {}, recorded("room-interrupted", event.message));
		case "restored": {
			const detail = `${event.how === "resume" ? "resumed" : "joined again"} after ${event.afterMs < 1000 ? `${Math.round(event.afterMs)} ms` : `${(event.afterMs / 1000).toFixed(1)} s`}`;
			return step(state, {}, { ...recorded("room-restored", detail), patch: { participantId: event.participantSid } });
		}
		case "room-moved":
			return step(
				state,
				{},
				{
					...recorded("moved", event.roomName),
					patch: { roomName: event.roomName, participantId: event.participantSid },
				},
			);
		case "track-encrypted":
			return step(
				state,
				{},
				recorded("room-encrypted", `${event.participantIdentity}'s audio is encrypted from end to end: the telephone does not hear it`),
			);
	}
}

/** Nobody else is in the room: somebody has so long to come, where the trunk says so. */
function emptied(state: CallState, now: number): Step {
	if (state.emptyRoomMs === undefined || state.joined === true) return ignore(state);
	return step(state, {}, { do: "timer", name: "empty-room", at: now + state.emptyRoomMs });
}

function leftAlone(state: CallState, now: number): Step {
	const message = `nobody was left in the room for ${(state.emptyRoomMs ?? 0) / 1_000} s`;
	return finish(state, "ending", { by: "room", reason: "room-closed", message }, now, hangupStatus(), { do: "bye", reason: "empty room" });
}
