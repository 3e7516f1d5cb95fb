import { type CallEvent, type CallState, type Effect, ignore, type Step, step } from "./state.ts";

/** Entries of hold and resume on one record: whoever presses the key all day must not fill it. */
const MAX_ENTRIES = 32;

/** Who has put the call on hold. Ours shows first: it is the one that the room can end. */
export interface Hold {
	/** the telephone does not want to hear the room (RFC 3264 §8.4) */
	readonly remote: boolean;
	/** we have told the telephone that its voice is not wanted */
	readonly local: boolean;
	/** what our side was last asked for; differs from `local` while the re-INVITE is under way */
	readonly wanted: boolean;
	readonly entries: number;
}

export const NO_HOLD: Hold = { remote: false, local: false, wanted: false, entries: 0 };

/** Hold and resume by either side in an answered call; `rest` is what the call does otherwise. */
export function withHold(
	state: CallState,
	event: CallEvent,
	now: number,
	rest: (state: CallState, event: CallEvent, now: number) => Step,
): Step {
	const hold = state.hold ?? NO_HOLD;
	switch (event.type) {
		case "hold":
			if (hold.wanted === event.on) return ignore(state);
			return step(state, { hold: { ...hold, wanted: event.on } }, { do: "clear-timer", name: "hold" }, { do: "hold", on: event.on });
		case "hold-answered":
			if (event.retryAfterMs !== undefined) return step(state, {}, { do: "timer", name: "hold", at: now + event.retryAfterMs });
			// A telephone that refuses stays as it was (RFC 3261 §14.1); one that took what is not wanted any more is asked again.
			if (!event.ok) return step(state, { hold: { ...hold, wanted: hold.local } });
			return event.on === hold.wanted
				? changed(state, { ...hold, local: event.on })
				: step(state, { hold: { ...hold, local: event.on } }, { do: "hold", on: hold.wanted });
		case "media-changed":
			return changed(state, { ...hold, remote: event.heldByPeer });
		case "timer":
			if (event.name === "hold") return step(state, {}, { do: "hold", on: hold.wanted });
			break;
		default:
	}
	return rest(state, event, now);
}

function changed(state: CallState, hold: Hold): Step {
	const before = who(state.hold ?? NO_HOLD);
	const after = who(hold);
	if (before === after) return step(state, { hold });
	const effects: Effect[] = [{ do: "attributes", attributes: { "sip.hold": after } }];
	if (hold.entries < MAX_ENTRIES && state.phase === "active") {
		effects.push({
			do: "record",
			from: ["active"],
			to: "active",
			event: after === "" ? "resumed" : "held",
			detail: after === "" ? before : after,
		});
	}
	return step(state, { hold: { ...hold, entries: hold.entries + 1 } }, ...effects);
}

const who = ({ local, remote }: Hold): "" | "local" | "remote" => (local ? "local" : remote ? "remote" : "");
