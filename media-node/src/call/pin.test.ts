import { describe, expect, it } from "vitest";
import { inbound, initialInbound } from "./inbound.ts";
import { newPinEntry } from "./pin-entry.ts";
import type { CallEvent, CallState, Effect } from "./state.ts";

/** A caller in front of the prompt, in simulated time. */
function asked(length?: number) {
	let state: CallState = { ...initialInbound, phase: "answering", mediaOpen: true, pin: newPinEntry(length) };
	let now = 0;
	let timer: number | undefined;
	const did: string[] = [];
	const dispatch = (event: CallEvent): void => {
		const step = inbound(state, event, now);
		state = step.state;
		for (const effect of step.effects) {
			if (effect.do === "timer" && effect.name === "pin") timer = effect.at;
			if (effect.do === "clear-timer" && effect.name === "pin") timer = undefined;
			const said = words(effect);
			if (said !== undefined) did.push(said);
		}
	};
	const press = (digits: string): void => {
		for (const digit of digits) dispatch({ type: "digit", code: 0, digit });
	};
	/** Until the timer goes off; gives how long that was. */
	const wait = (): number => {
		if (timer === undefined) throw new Error("nothing is waited for");
		const waited = timer - now;
		now = timer;
		timer = undefined;
		dispatch({ type: "timer", name: "pin" });
		return waited;
	};
	const take = (): string[] => did.splice(0);
	dispatch({ type: "acked" });
	return { dispatch, press, wait, take, state: () => state };
}

function words(effect: Effect): string | undefined {
	switch (effect.do) {
		case "play-prompts":
			return `say ${effect.names.join(" ")}`;
		case "check-pin":
			return `check ${effect.pin}`;
		case "record":
			return effect.detail === undefined ? effect.event : `${effect.event} ${effect.detail}`;
		case "end-record":
			return `end ${effect.end.reason}`;
		case "join-room":
		case "bridge":
		case "bye":
		case "digit-to-room":
			return effect.do;
		default:
			return undefined;
	}
}

const WRONG: CallEvent = { type: "pin-checked", verdict: "wrong" };

describe("a caller who is asked for a PIN", () => {
	it("the right one and #: checked, told, joined, heard", () => {
		const call = asked();
		expect(call.take()).toEqual(["pin-requested", "say enter-pin"]);
		call.press("1234");
		expect(call.take()).toEqual([]);
		call.press("#");
		expect(call.take()).toEqual(["check 1234"]);
		call.dispatch({ type: "pin-checked", verdict: "accepted" });
		expect(call.take()).toEqual(["pin-accepted", "join-room", "say joining"]);
		call.dispatch({ type: "room-joined", occupied: false });
		expect(call.take()).toEqual([]);
		call.dispatch({ type: "prompts-played" });
		expect(call.take()).toEqual(["bridge", "answered"]);
		expect(call.state()).toMatchObject({ phase: "active", roomJoined: true, pin: undefined });
	});

	it("no digit of a PIN goes to a room or a record, and afterwards digits do", () => {
		const call = asked();
		call.press("1234#");
		call.dispatch({ type: "pin-checked", verdict: "accepted" });
		call.dispatch({ type: "room-joined", occupied: true });
		call.press("#");
		expect(call.state().phase).toBe("active");
		expect(call.take().filter((did) => did.startsWith("digit"))).toEqual([]);
		call.press("5");
		expect(call.take()).toEqual(["digit-to-room"]);
	});

	it("known length: the last digit is enough, and a # after it begins nothing", () => {
		const call = asked(4);
		call.press("1111#");
		expect(call.take()).toEqual(["pin-requested", "say enter-pin", "check 1111"]);
		call.dispatch(WRONG);
		expect(call.take()).toEqual(["pin-wrong 1 of 3", "say wrong-pin enter-pin"]);
		call.press("#");
		expect(call.take()).toEqual([]);
		call.press("2222");
		expect(call.take()).toEqual(["check 2222"]);
	});

	it("sixteen digits are an entry", () => {
		const call = asked();
		call.press("0123456789012345");
		expect(call.take().at(-1)).toBe("check 0123456789012345");
	});

	it("three wrong ones: goodbye, and BYE when that is said", () => {
		const call = asked(4);
		for (const pin of ["1111", "2222", "3333"]) {
			call.press(pin);
			call.dispatch(WRONG);
		}
		expect(call.take().slice(-3)).toEqual(["check 3333", "pin-wrong 3 of 3", "say goodbye"]);
		call.press("1234#");
		expect(call.take()).toEqual([]);
		call.dispatch({ type: "prompts-played" });
		expect(call.take()).toEqual(["bye", "end wrong-pin"]);
		expect(call.state().phase).toBe("ending");
	});

	it("nothing pressed for ten seconds after the prompt, three times: goodbye", () => {
		const call = asked();
		const waits: number[] = [];
		for (let i = 0; i < 3; i++) {
			call.dispatch({ type: "prompts-played" });
			waits.push(call.wait());
		}
		expect(waits).toEqual([10_000, 10_000, 10_000]);
		expect(call.take()).toEqual([
			...["pin-requested", "say enter-pin", "pin-wrong 1 of 3", "say enter-pin"],
			...["pin-wrong 2 of 3", "say enter-pin", "pin-wrong 3 of 3", "say goodbye"],
		]);
	});

	it("who pauses for five seconds is done", () => {
		const call = asked();
		call.press("98");
		expect(call.wait()).toBe(5_000);
		expect(call.take().at(-1)).toBe("check 98");
	});

	it("locked out meanwhile: goodbye at once", () => {
		const call = asked(4);
		call.press("1111");
		call.dispatch({ type: "pin-checked", verdict: "locked" });
		expect(call.take().at(-1)).toBe("say goodbye");
	});

	it("hangs up: nothing is joined later; a verdict that comes late changes nothing", () => {
		const call = asked(4);
		call.press("1234");
		call.dispatch({ type: "bye" });
		expect(call.state().phase).toBe("over");
		call.dispatch({ type: "pin-checked", verdict: "accepted" });
		expect(call.take()).not.toContain("join-room");
	});

	it("a room that cannot be joined, and a store that does not answer, end the call", () => {
		const unjoined = asked(4);
		unjoined.press("1234");
		unjoined.dispatch({ type: "pin-checked", verdict: "accepted" });
		unjoined.dispatch({ type: "room-failed", message: "no server" });
		expect(unjoined.take().slice(-2)).toEqual(["bye", "end room-failed"]);
		const unchecked = asked(4);
		unchecked.press("1234");
		expect(unchecked.wait()).toBe(15_000);
		expect(unchecked.take().slice(-2)).toEqual(["bye", "end internal-error"]);
	});
});
