import type { CallRecord, TimelineEntry } from "@trunkline/contracts";
import { callEventSchema } from "@trunkline/contracts";
import { describe, expect, it } from "vitest";
import { callEvents } from "./call-events.ts";

const START = 1_700_000_000_000;
const entries = (...events: (string | [string, string])[]): TimelineEntry[] =>
	events.map((event, i) => ({ at: START + i * 1500, ...(Array.isArray(event) ? { event: event[0], detail: event[1] } : { event }) }));
const record = (over: Partial<CallRecord>): CallRecord => ({
	callId: "SCL_abc",
	projectId: "p",
	region: "local",
	direction: "inbound",
	state: "active",
	version: 1,
	trunkId: "ST_a",
	ruleId: "SDR_a",
	roomName: "lobby",
	participantIdentity: "sip_+1555",
	participantId: "PA_1",
	from: "+1555",
	to: "+1666",
	sipCallId: "abc@host",
	timeline: [],
	createdAt: START,
	expiresAtSeconds: 1_800_000_000,
	...over,
});
const types = (call: CallRecord, from = 0): string[] => callEvents(call, from).map(({ event }) => event);

describe("callEvents", () => {
	it("inbound", () => {
		const call = record({ timeline: entries("received", "joined-room", "answered", ["dtmf", "5"], ["ended", "hangup"]) });
		expect(types(call)).toEqual(["call.started", "call.ringing", "call.answered", "call.dtmf", "call.ended"]);
		expect(callEvents(call, 0).map(({ id }) => id)).toEqual([
			"EV_abc_0_started",
			"EV_abc_1_ringing",
			"EV_abc_2_answered",
			"EV_abc_3_dtmf",
			"EV_abc_4_ended",
		]);
	});

	it("outbound: joining the room is no ringing, each once", () => {
		const timeline = entries("queued", "claimed", "joined-room", "dialing", "ringing", "ringing", "answered", "active", "ended");
		expect(types(record({ direction: "outbound", timeline }))).toEqual(["call.started", "call.ringing", "call.answered", "call.ended"]);
	});

	it.each(["ended", "cancelled"])("a call whose record begins with %s has started and ended", (event) => {
		expect(types(record({ timeline: entries(event) }))).toEqual(["call.started", "call.ended"]);
	});

	it("a cancelled one ends once", () => {
		expect(types(record({ direction: "outbound", timeline: entries("queued", "cancelled") }))).toEqual(["call.started", "call.ended"]);
	});

	it("the rest, from any position, is what the whole has there", () => {
		const call = record({ timeline: entries("received", "joined-room", "answered", ["transferred", "sip:a@b"], "ended") });
		const all = callEvents(call, 0);
		for (let from = 0; from <= call.timeline.length; from++) {
			expect(callEvents(call, from)).toEqual(all.filter(({ sequence }) => sequence >= from));
		}
	});

	it("keeps LiveKit's form and its own schema", () => {
		const [, , answered] = callEvents(record({ timeline: entries("received", "joined-room", "answered"), answeredAt: START + 3000 }), 0);
		expect(callEventSchema.parse(answered)).toEqual(answered);
		expect(answered).toMatchObject({
			event: "call.answered",
			createdAt: "1700000003",
			at: START + 3000,
			sequence: 2,
			room: { name: "lobby" },
			participant: { identity: "sip_+1555", sid: "PA_1" },
			call: { id: "SCL_abc", state: "active", answeredAt: START + 3000 },
		});
	});

	it("delivered late, an event does not tell what came after it", () => {
		const end = { by: "peer", reason: "hangup" } as const;
		const over = record({
			state: "ended",
			answeredAt: START + 3000,
			endedAt: START + 4500,
			end,
			timeline: entries("received", "joined-room", "answered", "ended"),
		});
		const [started, ringing, answered, ended] = callEvents(over, 0);
		expect(started?.call).toMatchObject({ state: "received" });
		expect(ringing?.call).toMatchObject({ state: "ringing" });
		for (const early of [started, ringing]) expect(early?.call).not.toHaveProperty("answeredAt");
		for (const early of [started, ringing, answered]) expect(early?.call).not.toHaveProperty("end");
		expect(ended?.call).toMatchObject({
			state: "ended",
			end: { ...end, text: "hung up (ended by the telephone side)" },
			endedAt: START + 4500,
		});
	});

	it("has no password, header or PIN of the request in it", () => {
		const call = record({
			direction: "outbound",
			timeline: entries("queued", "ended"),
			request: { authPassword: "s3cret", headers: { "X-Key": "k3y" } } as unknown as NonNullable<CallRecord["request"]>,
		});
		expect(JSON.stringify(callEvents(call, 0))).not.toMatch(/s3cret|k3y/);
	});
});
