import { canHear } from "./early-media.ts";
import { peerReason } from "./farewell.ts";
import type { RoomEvent, RoomParticipant, RoomSession, SipLegEvent } from "./ports.ts";
import type { CallEvent } from "./state.ts";

/** What a leg's failure is to the call: with the peer's own words for it (RFC 3326). */
export function legFailed({ cause, message, status, reason, headers }: Extract<SipLegEvent, { type: "failed" }>): CallEvent {
	return {
		type: "failed",
		cause,
		message: [message, peerReason(headers)].filter((words) => words !== undefined).join(": "),
		...(status === undefined ? {} : { status }),
		...(reason === undefined ? {} : { reason }),
	};
}

/** A recording, or a stream that plays into the room, keeps nobody company. */
const isCompany = ({ kind }: RoomParticipant): boolean => kind !== "egress" && kind !== "ingress";

/** What an event of the room is to the call; undefined: nothing. */
export function roomEvent(event: RoomEvent, room: RoomSession | undefined): CallEvent | undefined {
	switch (event.type) {
		case "participant-joined":
			return { type: event.participant.kind === "sip" ? "room-occupied" : "room-filled" };
		case "track-subscribed":
			return { type: "room-occupied", hears: canHear(room, event.track.participantIdentity) };
		case "participant-left":
			return room?.participants().some(isCompany) === true ? undefined : { type: "room-emptied" };
		case "track-unsubscribed":
		case "track-muted":
			return undefined;
		case "dtmf":
			return { type: "room-digits", digits: event.digits };
		case "track-encrypted":
		case "interrupted":
		case "restored":
		case "room-moved":
			return event;
		case "closed":
			return { type: "room-closed", reason: event.reason, message: event.message };
	}
}
