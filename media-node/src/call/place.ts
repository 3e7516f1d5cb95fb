import type { HoldCommand, MoveCommand, TransferOutcome } from "@trunkline/domain";
import { type CallEvent, type CallState, type Effect, type Step, step } from "./state.ts";
import { recorded } from "./transfer-effects.ts";

/** Where the caller of an answered call is: in which room, or with music. `rest` is what the call does otherwise. */
export function withPlace(state: CallState, event: CallEvent, rest: (state: CallState) => Step): Step {
	switch (event.type) {
		case "move":
			return move(state, event.command);
		case "moved":
			return moved(state, event);
		case "move-failed":
			return moveFailed(state, event.message);
		case "music":
			return music(state, event.command);
		case "room-taken":
			return step(state, { music: event.music }, { do: "music", music: event.music });
		case "recording":
			return step(state, {}, { do: "record-audio", command: event.command });
		default:
			return moveOfEnded(state, rest(state));
	}
}

function move(state: CallState, { transferId, destinationRoom }: MoveCommand): Step {
	if (state.joined === true) return step(state, {}, told(transferId, { ...FAILED, refused: "joined" }));
	const isBusy = state.moving !== undefined || state.referral !== undefined || isTransferred(state);
	if (isBusy) return step(state, {}, told(transferId, { ...FAILED, refused: "elsewhere" }));
	return step(state, { moving: transferId }, { do: "move-room", roomName: destinationRoom });
}

function moved(state: CallState, { roomName, participantId }: Extract<CallEvent, { type: "moved" }>): Step {
	const { moving } = state;
	return step(
		state,
		{ moving: undefined },
		{ ...recorded("moved", roomName), patch: { roomName, participantId } },
		...(moving === undefined ? [] : [told(moving, SUCCESS)]),
	);
}

function moveFailed(state: CallState, message: string): Step {
	const { moving } = state;
	const outcome: TransferOutcome = { ...FAILED, message };
	return step(state, { moving: undefined }, recorded("move-failed", message), ...(moving === undefined ? [] : [told(moving, outcome)]));
}

/** A held caller hears music in the place of the room, and is not heard there: neither by people nor by transcription. */
function music(state: CallState, { transferId, on, music: kind }: HoldCommand): Step {
	if (state.joined === true) return step(state, {}, told(transferId, { ...FAILED, refused: "joined" }));
	const wanted = on ? kind : undefined;
	// Asked for again, it does not begin anew.
	if (state.music === wanted) return step(state, {}, told(transferId, SUCCESS));
	const effects: Effect[] = [
		{ do: "music", music: wanted },
		{ do: "attributes", attributes: { "sip.holdMusic": wanted ?? "" } },
	];
	if (on !== (state.music !== undefined)) effects.push(recorded(on ? "held" : "resumed", "music"));
	return step(state, { music: wanted }, ...effects, told(transferId, SUCCESS));
}

/** A call that ends leaves nobody waiting. */
function moveOfEnded({ moving }: CallState, { state, effects }: Step): Step {
	if (moving === undefined || (state.phase !== "ending" && state.phase !== "over")) return { state, effects };
	const gone = told(moving, { ...FAILED, reason: "call-ended", message: "the call ended before it was in the other room" });
	return { state: { ...state, moving: undefined }, effects: [gone, ...effects] };
}

const isTransferred = ({ transfer }: CallState): boolean => transfer !== undefined && transfer.stage !== "late";

const FAILED = { status: "failed", reason: "unspecified" } as const;
const SUCCESS: TransferOutcome = { status: "successful", reason: "completed" };

const told = (transferId: string, outcome: TransferOutcome): Effect => ({ do: "transfer-outcome", transferIds: [transferId], outcome });
