import { describe, expect, it } from "vitest";
import { BackToBack } from "./back-to-back.ts";
import { CallRooms } from "./call-rooms.ts";
import { Moves } from "./moves.ts";
import type { SecondLegEvent, SecondLegRequest } from "./second-leg-types.ts";
import type { CallEvent } from "./state.ts";

const REQUEST: SecondLegRequest = {
	callId: "SCL_1",
	projectId: "p",
	trunkId: "ST_out",
	line: undefined,
	place: "here",
	target: "tel:+15550199",
	headers: {},
	ringingTimeoutMs: 30_000,
	ownNumber: "",
};
const BUSY: SecondLegEvent = { type: "target-failed", end: { by: "peer", reason: "busy", sipStatus: 486, sipReason: "Busy Here" } };

/** A call whose targets are `targets`, in the order that they are dialled in; what it is told is in `events`. */
function setUp() {
	const events: CallEvent[] = [];
	const targets: ((event: SecondLegEvent) => void)[] = [];
	const rooms = new CallRooms({ clock: { now: () => 0 } as never, onEvent: () => {}, onProblem: () => {} });
	const moves = new Moves({
		rooms,
		media: () => undefined,
		join: async () => undefined,
		dispatch: (event) => events.push(event),
		run: (_what, work) => void work.catch(() => {}),
	});
	const dial = (): void =>
		moves.dialTarget((_request, onEvent) => {
			targets.push(onEvent);
			return { rooms: new BackToBack().first, takeRoom: () => false };
		}, REQUEST);
	return { events, targets, rooms, dial };
}

describe("a target that could not be had", () => {
	it("is no hindrance for the next one", () => {
		const { events, targets, dial } = setUp();
		dial();
		targets[0]?.(BUSY);
		dial();
		targets[1]?.({ type: "target-ringing", status: 180, reason: "Ringing" });
		expect(events).toEqual([BUSY, { type: "target-ringing", status: 180, reason: "Ringing" }]);
	});

	it("is no hindrance for another room", () => {
		const { targets, rooms, dial } = setUp();
		dial();
		expect(rooms.prepare()).toBeUndefined();
		targets[0]?.(BUSY);
		expect(rooms.prepare()).toBeDefined();
	});

	it("and that was given up says nothing about the next one", () => {
		const { events, targets, rooms, dial } = setUp();
		dial();
		rooms.abandon();
		dial();
		targets[0]?.(BUSY);
		targets[0]?.({ type: "target-answered", callId: "SCL_2" });
		expect(events).toEqual([]);
		targets[1]?.(BUSY);
		expect(events).toEqual([BUSY]);
	});
});
