import { describe, expect, it, test } from "vitest";
import type { DialRequest } from "@trunkline/contracts";
import { dialRequest } from "@trunkline/testkit";
import { initialOutbound, outbound } from "./outbound.ts";
import { reducerRun } from "./reducer.testkit.ts";
import type { CallEvent } from "./state.ts";

const request = (changes: Partial<DialRequest> = {}): DialRequest =>
	dialRequest({ ringingTimeoutMs: 30_000, maxCallDurationMs: 3_600_000, ...changes });

function dialledCall(changes: Partial<DialRequest> = {}) {
	const run = reducerRun(initialOutbound(request(changes)), outbound);
	run.feed({ type: "start" }, 0);
	run.feed({ type: "media-opened" }, 10);
	run.feed({ type: "room-joined", occupied: false }, 100);
	return run;
}

describe("an outbound call", () => {
	it("dials once media and room are open, and never before", () => {
		const run = reducerRun(initialOutbound(request()), outbound);
		run.feed({ type: "start" }, 0);
		run.feed({ type: "room-joined", occupied: true }, 50);
		expect(run.done("dial")).toHaveLength(0);
		run.feed({ type: "media-opened" }, 60);
		expect(run.done("dial")).toHaveLength(1);
		expect(run.effects).toContainEqual({ do: "timer", name: "ringing", at: 30_060 });
		expect(run.effects).toContainEqual({ do: "record", from: ["claimed", "joining"], to: "joining", event: "joined-room" });
	});

	it("begins with noise suppression where the request asks for it", () => {
		expect(initialOutbound(request({ krispEnabled: true })).suppression).toEqual({ uplink: true, downlink: false, mix: 1 });
		expect(initialOutbound(request()).suppression).toBeUndefined();
	});

	it("100 Trying says nothing; the first 18x is ringing, once", () => {
		const run = dialledCall();
		expect(run.feed({ type: "provisional", status: 100 })).toEqual([]);
		expect(run.feed({ type: "provisional", status: 183 })).toContainEqual({
			do: "attributes",
			attributes: { "sip.callStatus": "ringing" },
		});
		expect(run.feed({ type: "provisional", status: 180 })).toEqual([]);
	});

	it("what came of a target is on the record, and the call goes on", () => {
		const run = dialledCall();
		expect(run.feed({ type: "attempt", target: "UDP 192.0.2.1:5060", outcome: "503 Service Unavailable" })).toEqual([
			{ do: "record", from: ["dialing"], to: "dialing", event: "attempt", detail: "UDP 192.0.2.1:5060: 503 Service Unavailable" },
		]);
		expect(run.phase()).toBe("ringing");
	});

	it("fails while the room hears ringback: it hears so for two seconds, and the record has its end at once", () => {
		for (const [status, tone] of [
			[486, "busy"],
			[503, "congestion"],
		] as const) {
			const run = dialledCall({ playDialtone: true });
			const effects = run.feed({ type: "failed", cause: "status", status, reason: "", message: "" }, 5_000);
			expect(effects).toContainEqual({ do: "ringback", on: true, tone });
			expect(effects).toContainEqual({ do: "timer", name: "give-up", at: 7_000 });
			expect(effects.map((effect) => effect.do)).toContain("end-record");
			expect(effects.map((effect) => effect.do)).not.toContain("leave-room");
			expect(run.feed({ type: "media-started" })).toEqual([]);
			const last = run.feed({ type: "timer", name: "give-up" }, 7_000);
			expect(last.map((effect) => effect.do)).toEqual(["clear-timer", "ringback", "close-media", "leave-room", "over"]);
			expect(run.phase()).toBe("over");
		}
		const hurried = dialledCall({ playDialtone: true });
		hurried.feed({ type: "failed", cause: "status", status: 486, reason: "", message: "" }, 5_000);
		expect(hurried.feed({ type: "shutdown" }).at(-1)).toEqual({ do: "over" });
		// who heard nothing before hears nothing now
		expect(dialledCall().feed({ type: "failed", cause: "status", status: 486, reason: "", message: "" }).at(-1)).toEqual({ do: "over" });
	});

	it("is bridged and active when answered", () => {
		const run = dialledCall();
		const effects = run.feed({ type: "answered", sipCallId: "SCL_x" }, 3_000);
		expect(effects.map((effect) => effect.do)).toEqual(["clear-timer", "ringback", "record", "bridge", "attributes", "record"]);
		expect(effects).toContainEqual({
			do: "record",
			from: ["dialing", "ringing"],
			to: "ringing",
			event: "answered",
			patch: { answeredAt: 3_000, sipCallId: "SCL_x" },
		});
		expect(run.phase()).toBe("active");
	});

	it("sends dtmf after the answer and before the bridge", () => {
		const run = dialledCall({ dtmf: "12w3" });
		run.feed({ type: "answered", sipCallId: "SCL_x" });
		expect(run.phase()).toBe("automation");
		expect(run.done("send-digits")).toEqual([{ do: "send-digits", digits: "12w3", report: true }]);
		expect(run.done("bridge")).toHaveLength(0);
		run.feed({ type: "digits-sent" });
		expect(run.done("bridge")).toHaveLength(1);
		expect(run.phase()).toBe("active");
	});

	it("plays ringback into the room until answered, when asked to", () => {
		const run = dialledCall({ playDialtone: true });
		expect(run.done("ringback")).toEqual([{ do: "ringback", on: true }]);
		run.feed({ type: "answered", sipCallId: "x" });
		expect(run.done("ringback").at(-1)).toEqual({ do: "ringback", on: false });
	});
});

describe("ways out before the answer", () => {
	const cancels: [string, CallEvent, string][] = [
		["nobody answers in time", { type: "timer", name: "ringing" }, "no-answer"],
		["the participant is removed", { type: "room-closed", reason: "removed", message: "" }, "participant-removed"],
		["the room is deleted", { type: "room-closed", reason: "room-deleted", message: "" }, "room-closed"],
		["the node stops", { type: "shutdown" }, "shutdown"],
		["the call's longest time is over", { type: "timer", name: "max-duration" }, "max-duration"],
	];
	test.each(cancels)("%s: CANCEL", (_, event, reason) => {
		const run = dialledCall();
		run.feed(event, 30_100);
		expect(run.done("cancel")).toHaveLength(1);
		expect(run.done("end-record")).toMatchObject([{ end: { reason } }]);
		expect(run.phase()).toBe("ending");
		run.feed({ type: "failed", cause: "cancelled", message: "" });
		expect(run.phase()).toBe("over");
		expect(run.done("over")).toHaveLength(1);
	});

	const failures: [number, string][] = [
		[486, "busy"],
		[600, "busy"],
		[603, "declined"],
		[404, "not-found"],
		[480, "no-answer"],
		[488, "media-mismatch"],
		[503, "rejected"],
	];
	test.each(failures)("the peer says %i: %s", (status, reason) => {
		const run = dialledCall();
		run.feed({ type: "failed", cause: "status", status, reason: "Because", message: "INVITE failed" });
		expect(run.done("end-record")).toMatchObject([{ end: { by: "peer", reason, sipStatus: status, sipReason: "Because" } }]);
		expect(run.phase()).toBe("over");
		expect(run.done("cancel")).toHaveLength(0);
	});

	test("somebody else cancelled the record before the INVITE: nothing is sent", () => {
		const run = dialledCall();
		run.feed({ type: "dial-lost" });
		expect(run.phase()).toBe("over");
		expect(run.done("cancel")).toHaveLength(0);
	});

	test("the room cannot be joined: no INVITE", () => {
		const run = reducerRun(initialOutbound(request()), outbound);
		run.feed({ type: "start" });
		run.feed({ type: "media-opened" });
		run.feed({ type: "room-failed", message: "no server" });
		expect(run.phase()).toBe("over");
		expect(run.done("dial")).toHaveLength(0);
		expect(run.done("end-record")).toMatchObject([{ end: { reason: "room-failed", message: "no server" } }]);
	});

	test("an answer whose SDP cannot be used is hung up", () => {
		const run = dialledCall();
		run.feed({ type: "answer-unusable", message: "no common codec" });
		expect(run.done("bye")).toHaveLength(1);
		expect(run.done("end-record")).toMatchObject([{ end: { reason: "media-mismatch" } }]);
	});
});

test("hanging up while the digits are sent ends the call once", () => {
	const run = dialledCall({ dtmf: "1" });
	run.feed({ type: "answered", sipCallId: "x" });
	run.feed({ type: "bye" });
	run.feed({ type: "digits-sent" });
	expect(run.phase()).toBe("over");
	expect(run.done("bridge")).toHaveLength(0);
	expect(run.done("end-record")).toHaveLength(1);
});

describe("hung up through the API", () => {
	it("before it is dialled: closed without a word to the telephone", () => {
		const run = reducerRun(initialOutbound(request()), outbound);
		run.feed({ type: "start" }, 0);
		run.feed({ type: "hang-up" }, 10);
		expect(run.done("cancel")).toEqual([]);
		expect(run.done("end-record")).toEqual([{ do: "end-record", end: { by: "api", reason: "cancelled" } }]);
		expect(run.phase()).toBe("over");
	});

	it("while it rings: CANCEL", () => {
		const run = dialledCall();
		run.feed({ type: "provisional", status: 180 });
		run.feed({ type: "hang-up" }, 500);
		expect(run.done("cancel")).toHaveLength(1);
		expect(run.done("end-record")).toEqual([{ do: "end-record", end: { by: "api", reason: "cancelled" } }]);
		expect(run.phase()).toBe("ending");
	});

	it.each(["", "12"])("answered (digits %j still to send): BYE", (dtmf) => {
		const run = dialledCall({ dtmf });
		run.feed({ type: "answered", sipCallId: "x" }, 500);
		run.feed({ type: "hang-up" }, 600);
		expect(run.done("bye")).toEqual([{ do: "bye", reason: "hung up by the API" }]);
		expect(run.done("end-record")).toEqual([{ do: "end-record", end: { by: "api", reason: "hangup" } }]);
	});
});
