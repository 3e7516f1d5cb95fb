import { describe, expect, it } from "vitest";
import { inbound, initialInbound } from "./inbound.ts";
import type { CallEvent, CallState, Effect } from "./state.ts";
import { transferState } from "./transfer-state.ts";

const patient: CallState = { ...initialInbound, phase: "active", roomJoined: true };
const active: CallState = { ...patient, ...transferState({ emptyRoomSeconds: 30 }) };

function after(state: CallState, ...events: (CallEvent & { at: number })[]): { state: CallState; effects: Effect[] } {
	const effects: Effect[] = [];
	for (const { at, ...event } of events) {
		const next = inbound(state, event as CallEvent, at);
		state = next.state;
		effects.push(...next.effects);
	}
	return { state, effects };
}

describe("an answered call and its room", () => {
	it("whose connection is lost and comes back goes on, and the record says so", () => {
		const { state, effects } = after(
			active,
			{ type: "interrupted", message: "gone", at: 1000 },
			{ type: "restored", how: "rejoin", afterMs: 2340, participantSid: "PA_2", at: 3340 },
		);
		expect(state.phase).toBe("active");
		expect(effects).toEqual([
			{ do: "record", from: ["active"], to: "active", event: "room-interrupted", detail: "gone" },
			{
				...{ do: "record", from: ["active"], to: "active", event: "room-restored", detail: "joined again after 2.3 s" },
				patch: { participantId: "PA_2" },
			},
		]);
	});

	it("moved by the server is in the other room", () => {
		const { effects } = after(active, { type: "room-moved", roomName: "other", at: 0 });
		expect(effects).toContainEqual(expect.objectContaining({ event: "moved", patch: { roomName: "other" } }));
	});

	it("ends when nobody came back in the trunk's time", () => {
		const { state, effects } = after(active, { type: "room-emptied", at: 5000 }, { type: "timer", name: "empty-room", at: 35_000 });
		expect(effects[0]).toEqual({ do: "timer", name: "empty-room", at: 35_000 });
		expect(effects).toContainEqual({ do: "bye", reason: "empty room" });
		expect(effects).toContainEqual({
			do: "end-record",
			end: { by: "room", reason: "room-closed", message: "nobody was left in the room for 30 s" },
		});
		expect(state.phase).toBe("ending");
	});

	it.each(["room-filled", "room-occupied"] as const)("goes on when somebody comes: %s", (type) => {
		const { effects } = after(active, { type: "room-emptied", at: 0 }, { type, at: 1 });
		expect(effects.at(-1)).toEqual({ do: "clear-timer", name: "empty-room" });
	});

	it("without the setting an empty room ends nothing, as with LiveKit", () => {
		expect(after(patient, { type: "room-emptied", at: 0 }).effects).toEqual([]);
		expect(after({ ...active, joined: true }, { type: "room-emptied", at: 0 }).effects).toEqual([]);
	});
});
