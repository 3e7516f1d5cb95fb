import { type CallEvent, type CallState, type Effect, type Hold, type Step, step } from "./state.ts";

/** Entries of hold and resume on one record: whoever presses the key all day must not fill it. */
const MAX_ENTRIES = 32;

const NO_HOLD: Hold = { remote: false, local: false, wanted: false, asking: false, entries: 0 };

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
			return wanted(state, hold, event.on);
		case "hold-answered":
			return answered(state, hold, event, now);
		case "media-changed":
			return changed(state, { ...hold, remote: event.heldByPeer });
		case "timer":
			if (event.name === "hold") return ask(state, hold);
			break;
		default:
	}
	return rest(state, event, now);
}

function wanted(state: CallState, hold: Hold, on: boolean): Step {
	const now = { ...hold, wanted: on };
	return hold.asking ? step(state, { hold: now }) : ask(state, now);
}

function ask(state: CallState, hold: Hold): Step {
	if (hold.wanted === hold.local) return step(state, { hold: { ...hold, asking: false } });
	return step(state, { hold: { ...hold, asking: true } }, { do: "hold", on: hold.wanted });
}

function answered(state: CallState, hold: Hold, event: Extract<CallEvent, { type: "hold-answered" }>, now: number): Step {
	if (event.retryAfterMs !== undefined) return step(state, {}, { do: "timer", name: "hold", at: now + event.retryAfterMs });
	// A telephone that refuses stays as it was (RFC 3261 §14.1).
	if (!event.ok) return step(state, { hold: { ...hold, asking: false, wanted: hold.local } });
	const told = changed(state, { ...hold, asking: false, local: event.on });
	// One that took what is not wanted any more is asked again.
	const next = ask(told.state, told.state.hold ?? hold);
	return { state: next.state, effects: [...told.effects, ...next.effects] };
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
