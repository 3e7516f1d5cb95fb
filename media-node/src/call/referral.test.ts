import type { CallEnd, TrunkSettings } from "@trunkline/contracts";
import { dialRequest } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { initialOutbound, outbound } from "./outbound.ts";
import { reducerRun } from "./reducer.testkit.ts";
import type { CallEvent, Effect } from "./state.ts";
import { allowHeaders, transferState } from "./transfer-state.ts";

const referred: CallEvent = {
	type: "referred",
	transaction: "r1",
	refer: { target: "sip:+15550142@pbx.example?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3", id: 7, subscribes: true },
};
const answered: CallEvent = { type: "target-answered", callId: "SCL_2" };
const BUSY: CallEnd = { by: "peer", reason: "busy", sipStatus: 486, sipReason: "Busy Here", message: "486 Busy Here" };

function activeCall(settings: TrunkSettings = { transfer: { bridgeTrunkId: "ST_out", incoming: "follow" } }) {
	const run = reducerRun(initialOutbound(dialRequest({ settings })), outbound);
	run.feed({ type: "start" });
	run.feed({ type: "media-opened" });
	run.feed({ type: "room-joined", occupied: true });
	run.feed({ type: "answered", sipCallId: "SCL_x" });
	run.effects.length = 0;
	const names = (effects: readonly Effect[]) => effects.map((effect) => effect.do);
	const end = () => run.effects.flatMap((effect) => (effect.do === "end-record" ? [effect.end] : []));
	const notified = (effects: readonly Effect[]) =>
		effects.flatMap((effect) =>
			effect.do === "notify-refer" ? [`${effect.progress.status} ${effect.headers[1]?.[1].split(";")[0]}`] : [],
		);
	return { ...run, names, end, notified };
}

function following() {
	const call = activeCall();
	call.feed(referred, 0);
	call.effects.length = 0;
	return call;
}

describe("what a trunk lets a REFER come to", () => {
	it.each<[TrunkSettings["transfer"], boolean, ReturnType<typeof transferState>["followsRefer"]]>([
		[undefined, true, undefined],
		[{ bridgeTrunkId: "ST_1" }, true, undefined],
		[{ incoming: "follow", bridgeTrunkId: "ST_1" }, false, { how: "follow", trunkId: "ST_1" }],
		[{ incoming: "follow" }, true, { how: "follow", trunkId: "same" }],
		// An inbound trunk has no address to dial.
		[{ incoming: "follow" }, false, undefined],
		[{ incoming: "bridge" }, true, undefined],
		[{ incoming: "bridge", bridgeTrunkId: "same" }, true, { how: "bridge", trunkId: "same" }],
	])("%j, an outbound trunk: %s", (transfer, dials, follows) => {
		const settings: TrunkSettings = transfer === undefined ? {} : { transfer };
		expect(transferState(settings, dials).followsRefer).toEqual(follows);
		expect(allowHeaders(settings, dials)).toEqual(follows === undefined ? [] : [["Allow", "REFER"]]);
	});
});

describe("RFC 5589: a REFER that is followed", () => {
	it("§6: 202, NOTIFY 100, and the target is called to come into the room", () => {
		const call = activeCall();
		const effects = call.feed(referred, 0);
		expect(effects[0]).toMatchObject({ do: "answer-refer", status: 202 });
		expect(call.notified(effects)).toEqual(["100 active"]);
		expect(effects).toContainEqual({
			do: "dial-target",
			target: "<sip:+15550142@pbx.example?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>",
			trunkId: "ST_out",
			headers: {},
			ringingTimeoutMs: 30_000,
			inRoom: true,
		});
	});

	it("RFC 3892 §2.2: who refers is on the INVITE", () => {
		const [first] = activeCall()
			.feed({
				type: "referred",
				transaction: "r1",
				refer: { target: "tel:+15550142", id: 7, subscribes: true, referredBy: "<sip:alice@a.example>" },
			})
			.filter((effect) => effect.do === "dial-target");
		expect(first).toMatchObject({ headers: { "Referred-By": "<sip:alice@a.example>" } });
	});

	it("answered: the target has the room, then the telephone is told, and gets BYE after a second", () => {
		const call = following();
		const effects = call.feed(answered, 5_000);
		expect(call.names(effects)).toEqual(["give-room", "close-media", "record", "notify-refer", "timer"]);
		expect(effects[2]).toMatchObject({ event: "transferred", patch: { bridgedWith: "SCL_2", leftRoomAt: 5_000 } });
		expect(call.notified(effects)).toEqual(["200 terminated"]);
		expect(effects[4]).toEqual({ do: "timer", name: "transferred", at: 6_000 });
		call.feed({ type: "timer", name: "transferred" }, 6_000);
		expect(call.done("bye")).toHaveLength(1);
		expect(call.end()).toEqual([{ by: "peer", reason: "transferred" }]);
	});

	it("§6.1: the telephone hangs up itself then: no BYE of ours", () => {
		const call = following();
		call.feed(answered, 5_000);
		call.feed({ type: "bye" }, 5_100);
		expect(call.done("bye")).toEqual([]);
		expect(call.end()).toEqual([{ by: "peer", reason: "transferred" }]);
		expect(call.phase()).toBe("over");
	});

	it("the target is busy: the last NOTIFY says so, and the call goes on", () => {
		const call = following();
		const effects = call.feed({ type: "target-failed", end: BUSY });
		expect(call.notified(effects)).toEqual(["486 terminated"]);
		expect(call.phase()).toBe("active");
		expect(call.done("close-media")).toEqual([]);
	});

	it("a project's limit: 503", () => {
		const end: CallEnd = { by: "node", reason: "rejected", sipStatus: 503, sipReason: "Service Unavailable", message: "3 calls at a time" };
		const call = following();
		expect(call.notified(call.feed({ type: "target-failed", end }))).toEqual(["503 terminated"]);
	});
});

describe("§6.1: the telephone hangs up as soon as it has its 202", () => {
	const alone = () => {
		const call = following();
		call.feed({ type: "bye" }, 100);
		return call;
	};

	it("the participant waits in the room; nothing is sent to a telephone that is not there", () => {
		const call = alone();
		expect(call.phase()).toBe("active");
		expect(call.names(call.effects)).toEqual(["close-media", "record"]);
		expect(call.feed({ type: "target-ringing", status: 180, reason: "Ringing" })).toEqual([]);
		expect(call.feed({ type: "bye-done" })).toEqual([]);
		expect(call.feed({ type: "media-timeout", beforeFirstPacket: false })).toEqual([]);
	});

	it("the target answers: it has the room, and the call is over", () => {
		const call = alone();
		const effects = call.feed(answered, 4_000);
		expect(call.names(effects).slice(0, 3)).toEqual(["give-room", "close-media", "record"]);
		expect(call.phase()).toBe("over");
		expect(call.end()).toEqual([{ by: "peer", reason: "transferred" }]);
		expect(call.notified(effects)).toEqual([]);
	});

	it("the target is busy: the participant leaves", () => {
		const call = alone();
		call.feed({ type: "target-failed", end: BUSY }, 4_000);
		expect(call.end()).toEqual([
			{ by: "peer", reason: "hangup", message: "the telephone hung up after its REFER, and the target was not reached: 486 Busy Here" },
		]);
		expect(call.done("leave-room")).toHaveLength(1);
	});

	it.each<[CallEvent, CallEnd["reason"]]>([
		[{ type: "hang-up" }, "hangup"],
		[{ type: "shutdown" }, "shutdown"],
		[{ type: "timer", name: "max-duration" }, "max-duration"],
		[{ type: "room-closed", reason: "removed", message: "" }, "participant-removed"],
	])("%j ends it without a BYE", (event, reason) => {
		const call = alone();
		call.feed(event, 4_000);
		expect(call.end()).toMatchObject([{ reason }]);
		expect(call.done("bye")).toEqual([]);
		expect([call.phase(), call.done("over").length, call.done("leave-room").length]).toEqual(["over", 1, 1]);
	});
});
