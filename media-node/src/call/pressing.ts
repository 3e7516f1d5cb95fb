import type { DigitsCommand } from "@trunkline/domain";
import { type CallState, type Reduce, type Step, step } from "./state.ts";
import { refuseTransfer } from "./transfer.ts";

/** Digits that the API presses, around all else that a call does: as those of somebody in the room, they go to the telephone of an answered call. */
export function pressing(reduce: Reduce): Reduce {
	return (state, event, now) => {
		if (event.type !== "press") return reduce(state, event, now);
		return state.phase === "active" ? press(state, event.command) : refuseTransfer(state, event.command);
	};
}

function press(state: CallState, { transferId, digits }: DigitsCommand): Step {
	const outcome = { status: "successful", reason: "completed" } as const;
	// Digits may be secrets: that there were some is no entry of the timeline either.
	return step(state, {}, { do: "send-digits", digits, report: false }, { do: "transfer-outcome", transferIds: [transferId], outcome });
}
