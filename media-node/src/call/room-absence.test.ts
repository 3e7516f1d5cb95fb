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
		const { effects } = after(active, { type: "room-moved", roomName: "other", participantSid: "PA_9", at: 0 });
		expect(effects).toContainEqual(expect.objectContaining({ event: "moved", patch: { roomName: "other", participantId: "PA_9" } }));
	});

	it("with somebody whose audio is encrypted goes on, and the record says who is not heard", () => {
		const { state, effects } = after(active, { type: "track-encrypted", participantIdentity: "ann", at: 0 });
		expect(state.phase).toBe("active");
		expect(effects).toEqual([
			expect.objectContaining({ do: "record", event: "room-encrypted", detail: expect.stringContaining("ann's audio is encrypted") }),
		]);
	});

	it("in which all audio is encrypted ends, with the reason; before the answer it is 488", () => {
		const closed: CallEvent = { type: "room-closed", reason: "encrypted", message: "no key" };
		const end = { by: "room", reason: "room-failed", message: "no key" };
		expect(after(active, { ...closed, at: 0 }).effects).toContainEqual({ do: "end-record", end });
		const { effects } = after({ ...initialInbound, phase: "ringing", roomJoined: true }, { ...closed, at: 0 });
		expect(effects).toContainEqual({ do: "reject", status: 488, reason: "Not Acceptable Here" });
		expect(effects).toContainEqual({ do: "end-record", end: { ...end, sipStatus: 488, sipReason: "Not Acceptable Here" } });
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
