import { describe, expect, it, test } from "vitest";
import { inbound, initialInbound } from "./inbound.ts";
import { reducerRun } from "./reducer.testkit.ts";
import type { CallEvent, Decision, Effect } from "./state.ts";

const accept: Decision = { kind: "accept", ringingTimeoutMs: 180_000, maxCallDurationMs: 3_600_000 };
const kinds = (effects: readonly Effect[]) => effects.map((effect) => effect.do);

function waitingCall() {
	const run = reducerRun(initialInbound, inbound);
	run.feed({ type: "start" });
	run.feed({ type: "decided", decision: accept }, 1_000);
	return run;
}

function activeCall() {
	const run = waitingCall();
	run.feed({ type: "media-opened" });
	run.feed({ type: "room-joined", occupied: true });
	run.feed({ type: "acked" }, 2_000);
	run.feed({ type: "media-started" }, 2_010);
	return run;
}

describe("an inbound call", () => {
	it("rings, opens media and joins the room as soon as a rule accepts it", () => {
		const run = reducerRun(initialInbound, inbound);
		expect(kinds(run.feed({ type: "start" }))).toEqual(["decide"]);
		const effects = run.feed({ type: "decided", decision: accept }, 1_000);
		expect(kinds(effects)).toEqual(["create-record", "ring", "open-media", "join-room", "timer", "timer", "timer"]);
		expect(effects).toContainEqual({ do: "timer", name: "ringing", at: 181_000 });
		// RFC 3261 §13.3.1.1
		expect(effects).toContainEqual({ do: "timer", name: "ring-again", at: 61_000 });
		expect(effects).toContainEqual({ do: "timer", name: "max-duration", at: 3_601_000 });
	});

	it("is answered only when media is open, the room is joined and somebody is there, in any order", () => {
		const events: CallEvent[] = [{ type: "media-opened" }, { type: "room-joined", occupied: false }, { type: "room-occupied" }];
		for (const order of [
			[0, 1, 2],
			[0, 2, 1],
			[1, 0, 2],
			[1, 2, 0],
			[2, 0, 1],
			[2, 1, 0],
		]) {
			const run = waitingCall();
			for (const [place, index] of order.entries()) {
				const event = events[index];
				if (event !== undefined) run.feed(event);
				expect(run.done("accept"), `order ${order.join()}, after event ${place}`).toHaveLength(place === 2 ? 1 : 0);
			}
			expect(run.phase()).toBe("answering");
			expect(run.done("bridge")).toHaveLength(1);
		}
	});

	it("becomes active with the first audio after the ACK", () => {
		const run = waitingCall();
		run.feed({ type: "media-opened" });
		run.feed({ type: "room-joined", occupied: true });
		expect(kinds(run.feed({ type: "acked" }, 2_000))).toEqual(["timer"]);
		const effects = run.feed({ type: "media-started" }, 2_100);
		expect(run.phase()).toBe("active");
		expect(effects).toContainEqual({ do: "attributes", attributes: { "sip.callStatus": "active" } });
		expect(effects).toContainEqual({
			do: "record",
			from: ["received", "ringing"],
			to: "active",
			event: "answered",
			patch: { answeredAt: 2_100 },
		});
	});

	it("becomes active a second after the ACK when no audio comes", () => {
		const run = waitingCall();
		run.feed({ type: "media-opened" });
		run.feed({ type: "room-joined", occupied: true });
		expect(run.feed({ type: "acked" }, 2_000)).toEqual([{ do: "timer", name: "media-wait", at: 3_000 }]);
		run.feed({ type: "timer", name: "media-wait" }, 3_000);
		expect(run.phase()).toBe("active");
	});

	it("is active at the ACK when audio came before it", () => {
		const run = waitingCall();
		run.feed({ type: "media-opened" });
		run.feed({ type: "media-started" });
		run.feed({ type: "room-joined", occupied: true });
		run.feed({ type: "acked" });
		expect(run.phase()).toBe("active");
	});

	it("asks for credentials without leaving a record", () => {
		const run = reducerRun(initialInbound, inbound);
		run.feed({ type: "start" });
		const headers = [["Proxy-Authenticate", "Digest x"]] as const;
		const effects = run.feed({ type: "decided", decision: { kind: "challenge", status: 407, headers } });
		expect(effects).toEqual([{ do: "reject", status: 407, reason: "Proxy Authentication Required", headers }, { do: "over" }]);
	});

	it("is refused at once, with a record, when no rule takes it", () => {
		const run = reducerRun(initialInbound, inbound);
		run.feed({ type: "start" });
		const end = { by: "node", reason: "no-rule" } as const;
		const effects = run.feed({
			type: "decided",
			decision: { kind: "reject", status: 404, reason: "Does Not Match Any Dispatch Rule", end },
		});
		expect(effects).toEqual([
			{ do: "reject", status: 404, reason: "Does Not Match Any Dispatch Rule" },
			{ do: "create-record", ended: { ...end, sipStatus: 404, sipReason: "Does Not Match Any Dispatch Rule" } },
			{ do: "over" },
		]);
	});
});

describe("ways out while the caller hears ringing", () => {
	const outs: [string, CallEvent, number, string][] = [
		["nobody comes in time", { type: "timer", name: "ringing" }, 480, "no-answer"],
		["the room is deleted", { type: "room-closed", reason: "room-deleted", message: "" }, 603, "room-closed"],
		["the participant is removed", { type: "room-closed", reason: "removed", message: "" }, 603, "participant-removed"],
		["the connection to the room breaks", { type: "room-closed", reason: "connection-lost", message: "" }, 503, "room-failed"],
		["the room cannot be joined", { type: "room-failed", message: "refused" }, 503, "room-failed"],
		[
			"the offer has no common codec",
			{ type: "media-failed", status: 488, reason: "Not Acceptable Here", end: { by: "node", reason: "media-mismatch" } },
			488,
			"media-mismatch",
		],
		["the node stops", { type: "shutdown" }, 503, "shutdown"],
		["a step fails", { type: "fault", message: "x" }, 500, "internal-error"],
	];
	test.each(outs)("%s", (_, event, status, reason) => {
		const run = waitingCall();
		run.feed(event, 5_000);
		expect(run.phase()).toBe("over");
		expect(run.done("reject")).toMatchObject([{ status }]);
		expect(run.done("end-record")).toMatchObject([{ end: { reason, sipStatus: status } }]);
		for (const kind of ["close-media", "leave-room", "over"] as const) expect(run.done(kind), kind).toHaveLength(1);
	});

	test("the caller gives up: CANCEL was answered by the endpoint, nothing is sent again", () => {
		const run = waitingCall();
		run.feed({ type: "cancelled" });
		expect(run.done("reject")).toHaveLength(0);
		expect(run.done("end-record")).toMatchObject([{ end: { by: "peer", reason: "cancelled", sipStatus: 487 } }]);
		expect(run.phase()).toBe("over");
	});
});

describe("ways out of an answered call", () => {
	test("the telephone hangs up", () => {
		const run = activeCall();
		run.feed({ type: "bye" });
		expect(run.phase()).toBe("over");
		expect(run.done("bye")).toHaveLength(0);
		expect(run.done("end-record")).toEqual([{ do: "end-record", end: { by: "peer", reason: "hangup" } }]);
		expect(run.done("attributes")).toContainEqual({ do: "attributes", attributes: { "sip.callStatus": "hangup" } });
	});

	const ours: [string, CallEvent, string, string][] = [
		["removed from the room", { type: "room-closed", reason: "removed", message: "" }, "api", "participant-removed"],
		["the connection to the room is lost", { type: "room-closed", reason: "connection-lost", message: "" }, "room", "room-failed"],
		["audio stops", { type: "media-timeout", beforeFirstPacket: false }, "node", "media-timeout"],
		["24 hours", { type: "timer", name: "max-duration" }, "node", "max-duration"],
		["shutdown", { type: "shutdown" }, "node", "shutdown"],
	];
	test.each(ours)("%s: BYE, and everything but the leg is closed at once", (_, event, by, reason) => {
		const run = activeCall();
		run.feed(event, 9_000);
		expect(run.phase()).toBe("ending");
		expect(run.done("bye")).toHaveLength(1);
		expect(run.done("close-media")).toHaveLength(1);
		expect(run.done("end-record")).toMatchObject([{ end: { by, reason } }]);
		expect(run.done("over")).toHaveLength(0);
		run.feed({ type: "bye-done" });
		expect(run.done("over")).toHaveLength(1);
	});

	test("a BYE of ours that nobody answers does not keep the call", () => {
		const run = activeCall();
		run.feed({ type: "shutdown" }, 9_000);
		expect(run.effects).toContainEqual({ do: "timer", name: "give-up", at: 49_000 });
		run.feed({ type: "timer", name: "give-up" }, 49_000);
		expect(run.done("over")).toHaveLength(1);
	});

	test("both hang up at the same moment: one end, one over", () => {
		const run = activeCall();
		run.feed({ type: "room-closed", reason: "room-deleted", message: "" });
		run.feed({ type: "bye" });
		run.feed({ type: "bye-done" });
		expect(run.done("end-record")).toHaveLength(1);
		expect(run.done("over")).toHaveLength(1);
	});

	test("no ACK ever", () => {
		const run = waitingCall();
		run.feed({ type: "media-opened" });
		run.feed({ type: "room-joined", occupied: true });
		run.feed({ type: "ack-timeout" });
		expect(run.done("end-record")).toMatchObject([{ end: { reason: "peer-gone" } }]);
		run.feed({ type: "bye-done" });
		expect(run.phase()).toBe("over");
	});
});

test("digits go both ways", () => {
	const run = activeCall();
	expect(run.feed({ type: "digit", code: 11, digit: "#" })).toEqual([{ do: "digit-to-room", code: 11, digit: "#" }]);
	expect(run.feed({ type: "room-digits", digits: "12" })).toEqual([{ do: "send-digits", digits: "12", report: false }]);
});

describe("hung up through the API", () => {
	const end = (effects: readonly Effect[]) => effects.find((effect) => effect.do === "end-record");

	it("while it rings: refused, and closed", () => {
		const run = waitingCall();
		run.feed({ type: "media-opened" });
		run.feed({ type: "room-joined", occupied: false });
		const effects = run.feed({ type: "hang-up" });
		expect(effects).toContainEqual({ do: "reject", status: 603, reason: "Decline" });
		expect(end(effects)).toEqual({ do: "end-record", end: { by: "api", reason: "declined", sipStatus: 603, sipReason: "Decline" } });
		expect(run.phase()).toBe("over");
	});

	it("when it is active: BYE", () => {
		const run = activeCall();
		const effects = run.feed({ type: "hang-up" });
		expect(effects).toContainEqual({ do: "bye", reason: "hung up by the API" });
		expect(end(effects)).toEqual({ do: "end-record", end: { by: "api", reason: "hangup" } });
		expect(run.phase()).toBe("ending");
		expect(run.feed({ type: "hang-up" })).toEqual([]);
	});

	it("before it is decided on: refused, with a record", () => {
		const run = reducerRun(initialInbound, inbound);
		run.feed({ type: "start" });
		expect(kinds(run.feed({ type: "hang-up" }))).toEqual(["reject", "create-record", "over"]);
	});
});
