import { withHold } from "./hold.ts";
import { type CallEvent, type CallState, finish, hangupStatus, ignore, roomCloseEnd, type Step, step } from "./state.ts";
import { ofRoom } from "./room-absence.ts";
import { withTransfers } from "./transfer.ts";

/**
 * What both directions do alike once the telephone has answered (`answering`, `automation`, `active`), and while the last BYE or
 * CANCEL is on its way (`ending`).
 */
export function established(state: CallState, event: CallEvent, now: number): Step {
	return withHold(state, event, now, (held, other, at) => withTransfers(held, other, at, talking));
}

const GONE = {
	gone: "the telephone does not know the call any more",
	"session-expired": "nobody refreshed the session in time (RFC 4028): the telephone, or a proxy on the way, is not there any more",
};

function talking(state: CallState, event: CallEvent, now: number): Step {
	return ofRoom(state, event, now) ?? ofCall(state, event, now);
}

function ofCall(state: CallState, event: CallEvent, now: number): Step {
	switch (event.type) {
		case "bye":
			return finish(
				state,
				"over",
				{ by: "peer", reason: "hangup", ...(event.message === undefined ? {} : { message: event.message }) },
				now,
				hangupStatus(),
			);
		case "bye-done":
			// RFC 3261 §12.2.1.2: 481 or nothing to a request of ours: the endpoint has sent BYE itself.
			return finish(state, "over", { by: "node", reason: "peer-gone", message: GONE[event.cause ?? "gone"] }, now);
		case "answer-unusable":
			return finish(state, "ending", { by: "node", reason: "media-mismatch", message: event.message }, now, hangupStatus(), {
				do: "bye",
				reason: "unusable answer",
			});
		case "not-secured":
			return finish(state, "ending", { by: "node", reason: "media-mismatch", message: event.message }, now, hangupStatus(), {
				do: "bye",
				reason: "no secure media",
			});
		case "ack-timeout":
			// RFC 3261 §13.3.1.4: no ACK for 64*T1: the endpoint sends BYE itself.
			return finish(state, "ending", { by: "node", reason: "peer-gone", message: "the telephone never acknowledged the answer" }, now);
		case "room-closed":
			return finish(state, "ending", roomCloseEnd(event.reason, event.message), now, { do: "bye", reason: `room ${event.reason}` });
		case "media-timeout":
			return finish(
				state,
				"ending",
				{
					by: "node",
					reason: "media-timeout",
					message: event.beforeFirstPacket ? "no audio ever came from the telephone" : "the telephone's audio stopped",
				},
				now,
				hangupStatus(),
				{ do: "bye", reason: "media timeout" },
			);
		case "timer":
			if (event.name !== "max-duration") return ignore(state);
			return finish(
				state,
				"ending",
				{ by: "node", reason: "max-duration", message: `the call reached its limit of ${state.maxCallDurationMs} ms` },
				now,
				hangupStatus(),
				{
					do: "bye",
					reason: "maximum call duration",
				},
			);
		case "shutdown":
			return finish(state, "ending", { by: "node", reason: "shutdown", message: "the media node is shutting down" }, now, hangupStatus(), {
				do: "bye",
				reason: "shutdown",
			});
		case "hang-up":
			return finish(state, "ending", { by: "api", reason: "hangup" }, now, hangupStatus(), { do: "bye", reason: "hung up by the API" });
		case "fault":
			return finish(state, "ending", { by: "node", reason: "internal-error", message: event.message }, now, {
				do: "bye",
				reason: "internal error",
			});
		case "digit":
			return step(state, {}, { do: "digit-to-room", code: event.code, digit: event.digit });
		case "room-digits":
			return step(state, {}, { do: "send-digits", digits: event.digits, report: false });
		case "media-started":
			return step(state, { mediaStarted: true });
		default:
			return ignore(state);
	}
}

/** Only the end of the leg matters now. */
export function ending(state: CallState, event: CallEvent): Step {
	const done = event.type === "bye-done" || event.type === "bye" || event.type === "failed" || event.type === "cancelled";
	if (!done && !(event.type === "timer" && event.name === "give-up")) return ignore(state);
	return step(state, { phase: "over" }, { do: "clear-timer", name: "give-up" }, { do: "over" });
}
