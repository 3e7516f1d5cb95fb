import type { CallEnd } from "@trunkline/contracts";
import { established } from "./established.ts";
import { newPinEntry, type PinEntry } from "./pin-entry.ts";
import { type CallEvent, type CallState, type Effect, finish, ignore, type Step, step } from "./state.ts";
import type { PromptName } from "./ports.ts";

const MAX_TRIES = 3;
/** LiveKit reads so many; the longest PIN that a rule can have */
const MAX_DIGITS = 16;
/** ms, from the prompt's end */
const FIRST_DIGIT_MS = 10_000;
const NEXT_DIGIT_MS = 5_000;
/** The longest prompt takes a minute; one that never ends must not hold the call. */
const PROMPT_MS = 65_000;
/** ms; a store that does not answer, or a room that cannot be joined */
const CHECK_MS = 15_000;

/** The 200 is acknowledged: the caller can hear us. */
export function askForPin(state: CallState, now: number): Step {
	const pin: PinEntry = { ...(state.pin ?? newPinEntry(undefined)), stage: "entering" };
	const asked: Effect = { do: "record", from: ["received", "ringing"], to: "ringing", event: "pin-requested", patch: { answeredAt: now } };
	return step(state, { phase: "pin", pin }, { do: "clear-timer", name: "media-wait" }, asked, ...prompt(now, "enter-pin"));
}

/** Phase `pin`: what is entered is checked, up to three times, and the right PIN leads into its room. */
export function pinPhase(state: CallState, event: CallEvent, now: number): Step {
	const { pin } = state;
	if (pin === undefined) return established(state, event, now);
	switch (event.type) {
		case "digit":
			return digit(state, pin, event.digit, now);
		case "prompts-played":
			return promptOver(state, pin, now);
		case "timer":
			return event.name === "pin" ? timeOut(state, pin, now) : established(state, event, now);
		case "pin-checked":
			return pin.stage === "checking" ? checked(state, pin, event.verdict, now) : ignore(state);
		case "room-joined":
			return enterRoom(state, { ...pin, roomReady: true }, event.occupied);
		case "room-failed":
			return hangUp(state, { by: "node", reason: "room-failed", message: event.message }, now);
		// There is no room whose digits or people could matter yet.
		case "room-digits":
		case "room-occupied":
			return ignore(state);
		default:
			return established(state, event, now);
	}
}

function digit(state: CallState, pin: PinEntry, pressed: string, now: number): Step {
	// Whoever does not want to hear it to its end goes on at once.
	if (pin.stage === "joining") return enterRoom(state, { ...pin, promptOver: true }, state.occupied, { do: "stop-prompts" });
	if (pin.stage !== "entering") return ignore(state);
	if (pressed === "#" && pin.surplusHash === true && pin.digits === "") return withPin(state, { ...pin, surplusHash: false });
	if (pressed === "#") return check(state, pin, now);
	const entered = { ...pin, digits: pin.digits + pressed, surplusHash: false };
	if (entered.digits.length === (pin.length ?? MAX_DIGITS)) return check(state, { ...entered, surplusHash: true }, now);
	return withPin(state, entered, { do: "stop-prompts" }, { do: "timer", name: "pin", at: now + NEXT_DIGIT_MS });
}

function check(state: CallState, pin: PinEntry, now: number): Step {
	return withPin(
		state,
		{ ...pin, stage: "checking", digits: "" },
		{ do: "stop-prompts" },
		{ do: "timer", name: "pin", at: now + CHECK_MS },
		{ do: "check-pin", pin: pin.digits },
	);
}

function checked(state: CallState, pin: PinEntry, verdict: Extract<CallEvent, { type: "pin-checked" }>["verdict"], now: number): Step {
	if (verdict === "wrong") return failedTry(state, pin, now);
	if (verdict === "locked") return goodbye(state, { ...pin, tries: MAX_TRIES }, now);
	const effects: Effect[] = [
		{ do: "record", from: ["ringing"], to: "ringing", event: "pin-accepted" },
		{ do: "join-room" },
		...prompt(now, "joining"),
	];
	return withPin(state, { ...pin, stage: "joining" }, ...effects);
}

function promptOver(state: CallState, pin: PinEntry, now: number): Step {
	switch (pin.stage) {
		case "entering":
			return pin.digits === "" ? withPin(state, pin, { do: "timer", name: "pin", at: now + FIRST_DIGIT_MS }) : ignore(state);
		case "joining":
			return enterRoom(state, { ...pin, promptOver: true }, state.occupied);
		case "leaving":
			return hangUp(state, NO_PIN, now);
		default:
			return ignore(state);
	}
}

function timeOut(state: CallState, pin: PinEntry, now: number): Step {
	switch (pin.stage) {
		case "entering":
			// Who pauses is done: not everybody hears of the "#".
			return pin.digits === "" ? failedTry(state, pin, now) : check(state, pin, now);
		case "leaving":
			return hangUp(state, NO_PIN, now);
		case "checking":
		case "joining": {
			const message = "the PIN could not be checked, or its room not be joined, in time";
			return hangUp(state, { by: "node", reason: "internal-error", message }, now);
		}
		case "waiting":
			return ignore(state);
	}
}

function failedTry(state: CallState, pin: PinEntry, now: number): Step {
	const failed = { ...pin, tries: pin.tries + 1, digits: "" };
	const wrong: Effect = { do: "record", from: ["ringing"], to: "ringing", event: "pin-wrong", detail: `${failed.tries} of ${MAX_TRIES}` };
	if (failed.tries >= MAX_TRIES) {
		const left = goodbye(state, failed, now);
		return { state: left.state, effects: [wrong, ...left.effects] };
	}
	const again: PromptName[] = pin.stage === "checking" ? ["wrong-pin", "enter-pin"] : ["enter-pin"];
	return withPin(state, { ...failed, stage: "entering" }, wrong, ...prompt(now, ...again));
}

function goodbye(state: CallState, pin: PinEntry, now: number): Step {
	return withPin(state, { ...pin, stage: "leaving", digits: "" }, ...prompt(now, "goodbye"));
}

/** Once the room is joined, and the caller has heard so. */
function enterRoom(state: CallState, pin: PinEntry, occupied: boolean, ...first: Effect[]): Step {
	const ready = pin.roomReady === true;
	if (!ready || pin.promptOver !== true) return step(state, { pin, roomJoined: ready, occupied }, ...first);
	return step(
		state,
		{ phase: "active", pin: undefined, roomJoined: true, occupied },
		...first,
		{ do: "clear-timer", name: "pin" },
		{ do: "bridge" },
		{ do: "attributes", attributes: { "sip.callStatus": "active" } },
		{ do: "record", from: ["ringing"], to: "active", event: "answered" },
	);
}

const NO_PIN: CallEnd = { by: "node", reason: "wrong-pin", message: "the caller entered no PIN that is a rule's" };

function hangUp(state: CallState, end: CallEnd, now: number): Step {
	return finish({ ...state, pin: undefined }, "ending", end, now, { do: "clear-timer", name: "pin" }, { do: "bye", reason: end.reason });
}

const prompt = (now: number, ...names: PromptName[]): Effect[] => [
	{ do: "play-prompts", names },
	{ do: "timer", name: "pin", at: now + PROMPT_MS },
];

const withPin = (state: CallState, pin: PinEntry, ...effects: Effect[]): Step => step(state, { pin }, ...effects);
