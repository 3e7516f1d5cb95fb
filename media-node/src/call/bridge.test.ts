import type { CallEnd, TrunkSettings } from "@trunkline/contracts";
import type { HoldCommand, TransferCommand } from "@trunkline/domain";
import { dialRequest } from "@trunkline/testkit";
import { describe, expect, it } from "vitest";
import { initialOutbound, outbound } from "./outbound.ts";
import { reducerRun } from "./reducer.testkit.ts";
import { replacesRefusal } from "./replaceable.ts";
import type { CallEvent, Effect } from "./state.ts";

const TARGET = "<sip:+15550142@carrier.example>";
const command: TransferCommand = {
	transferId: "STR_1",
	transferTo: TARGET,
	playDialtone: false,
	headers: { "X-Order": "1" },
	ringingTimeoutMs: 30_000,
};
const transfer: CallEvent = { type: "transfer", command };
const refused = (status: number): CallEvent => ({ type: "refer-answered", refer: "STR_1", id: 2, status, reason: "No" });

function activeCall(settings: TrunkSettings = { transfer: { bridgeTrunkId: "ST_out" } }) {
	const run = reducerRun(initialOutbound(dialRequest({ settings })), outbound);
	for (const event of ["start", "media-opened"] as const) run.feed({ type: event });
	run.feed({ type: "room-joined", occupied: true });
	run.feed({ type: "answered", sipCallId: "SCL_x" });
	expect(run.phase()).toBe("active");
	run.effects.length = 0;
	const outcomes = () =>
		run.effects.flatMap((effect) => (effect.do === "transfer-outcome" ? [`${effect.transferIds.join()} ${effect.outcome.status}`] : []));
	const names = (effects: readonly Effect[]) => effects.map((effect) => effect.do);
	const end = () => run.effects.flatMap((effect) => (effect.do === "end-record" ? [effect.end] : []));
	return { ...run, outcomes, names, end };
}

function dialling() {
	const call = activeCall();
	call.feed(transfer, 0);
	call.feed(refused(405), 1_000);
	return call;
}

const targetFailed = (end: CallEnd): CallEvent => ({ type: "target-failed", end });

describe("REFER is refused, and the trunk says where the target can be dialled", () => {
	it.each([302, 403, 405, 488, 501, 503, 603])("%i: the target is dialled, for as long as is left", (status) => {
		const call = activeCall();
		call.feed(transfer, 0);
		const effects = call.feed(refused(status), 1_000);
		expect(effects).toContainEqual({
			do: "dial-target",
			target: TARGET,
			trunkId: "ST_out",
			inRoom: false,
			headers: { "X-Order": "1" },
			ringingTimeoutMs: 29_000,
		});
		expect(call.outcomes()).toEqual([]);
	});

	it.each([481, 408])("%i says that there is no call any more: nothing is dialled", (status) => {
		const call = activeCall();
		call.feed(transfer, 0);
		call.feed(refused(status), 1_000);
		expect(call.done("dial-target")).toEqual([]);
		expect(call.outcomes()).toEqual(["STR_1 failed"]);
	});

	it("a NOTIFY with a refusal is the target's answer and not the carrier's: nothing is dialled", () => {
		const call = activeCall();
		call.feed(transfer, 0);
		call.feed({ type: "refer-answered", refer: "STR_1", id: 2, status: 202 }, 10);
		call.feed({ type: "refer-progress", transaction: "n", terminated: true, progress: { status: 603, reason: "Decline" } }, 20);
		expect(call.done("dial-target")).toEqual([]);
	});

	it("answered: the room hears of the end first, then the two are joined, then who asked is told", () => {
		const call = dialling();
		const effects = call.feed({ type: "target-answered", callId: "SCL_2" }, 2_000);
		expect(call.names(effects)).toEqual(["attributes", "join-target", "record", "clear-timer", "dialtone", "transfer-outcome"]);
		expect(effects[0]).toEqual({ do: "attributes", attributes: { "sip.callStatus": "hangup" } });
		expect(effects[2]).toMatchObject({ event: "transferred", patch: { bridgedWith: "SCL_2" } });
		expect(call.outcomes()).toEqual(["STR_1 successful"]);
		expect(call.phase()).toBe("active");
	});

	it("the other telephone hangs up: BYE, and the call ended as transferred", () => {
		const call = dialling();
		call.feed({ type: "target-answered", callId: "SCL_2" }, 2_000);
		call.feed({ type: "room-closed", reason: "other-leg", message: "" }, 9_000);
		expect(call.done("bye")).toHaveLength(1);
		expect(call.end()).toEqual([{ by: "api", reason: "transferred" }]);
	});

	it("the telephone hangs up: the room that is the other telephone is left", () => {
		const call = dialling();
		call.feed({ type: "target-answered", callId: "SCL_2" }, 2_000);
		call.feed({ type: "bye" }, 9_000);
		expect(call.done("leave-room")).toHaveLength(1);
		expect(call.end()).toEqual([{ by: "api", reason: "transferred" }]);
	});

	it("busy: the target's status is told, and the call goes on as it was", () => {
		const call = dialling();
		call.feed(targetFailed({ by: "peer", reason: "busy", sipStatus: 486, sipReason: "Busy Here" }), 2_000);
		expect(call.effects).toContainEqual({
			do: "transfer-outcome",
			transferIds: ["STR_1"],
			outcome: { status: "failed", reason: "rejected", sipStatus: { code: 486, reason: "Busy Here" } },
		});
		expect(call.phase()).toBe("active");
		expect(call.feed(transfer, 3_000)).toContainEqual({ do: "refer", command });
	});

	it("the ringing timeout: the target is dropped", () => {
		const call = dialling();
		const effects = call.feed({ type: "timer", name: "transfer" }, 30_000);
		expect(call.names(effects)[0]).toBe("drop-target");
		expect(call.outcomes()).toEqual(["STR_1 failed"]);
		expect(call.feed({ type: "target-answered", callId: "SCL_2" }, 30_010), "too late").toEqual([]);
	});

	it("the call ends while the target rings: who asked is told", () => {
		const call = dialling();
		call.feed({ type: "bye" }, 2_000);
		expect(call.outcomes()).toEqual(["STR_1 failed"]);
		expect(call.done("leave-room")).toHaveLength(1);
	});

	it("asked for twice it is dialled once", () => {
		const call = dialling();
		call.feed({ type: "transfer", command: { ...command, transferId: "STR_2" } }, 2_000);
		call.feed({ type: "target-answered", callId: "SCL_2" }, 3_000);
		expect(call.done("dial-target")).toHaveLength(1);
		expect(call.outcomes()).toEqual(["STR_1,STR_2 successful"]);
	});
});

describe("a REFER of the peer (RFC 3515)", () => {
	const referred = (over: Partial<{ target: string; id: number; subscribes: boolean }> = {}): CallEvent => ({
		type: "referred",
		transaction: "r1",
		refer: { target: "tel:+15550142", id: 7, subscribes: true, ...over },
	});
	const follows = () => activeCall({ transfer: { bridgeTrunkId: "ST_out", incoming: "bridge" } });
	const notified = (effects: readonly Effect[]) =>
		effects.flatMap((effect) =>
			effect.do === "notify-refer" ? [`${effect.progress.status} ${effect.headers[1]?.[1].split(";")[0]}`] : [],
		);

	it("603 unless the trunk has it followed", () => {
		const call = activeCall();
		expect(call.feed(referred())).toEqual([{ do: "answer-refer", transaction: "r1", status: 603, reason: "Decline" }]);
	});

	it("§2.4.2: one that cannot be read gets its answer", () => {
		const effects = follows().feed({ type: "referred", transaction: "r1", refused: { status: 400, reason: "Bad Request (Refer-To)" } });
		expect(effects).toEqual([{ do: "answer-refer", transaction: "r1", status: 400, reason: "Bad Request (Refer-To)" }]);
	});

	it("§2.4.4: 202, NOTIFY 100 at once, progress, and a last NOTIFY that ends the subscription", () => {
		const call = follows();
		const effects = call.feed(referred(), 0);
		expect(effects[0]).toMatchObject({ do: "answer-refer", status: 202 });
		expect(notified(effects)).toEqual(["100 active"]);
		expect(effects).toContainEqual({
			do: "dial-target",
			target: "tel:+15550142",
			trunkId: "ST_out",
			inRoom: false,
			headers: {},
			ringingTimeoutMs: 30_000,
		});
		expect(notified(call.feed({ type: "target-ringing", status: 180, reason: "Ringing" }))).toEqual(["180 active"]);
		const answered = call.feed({ type: "target-answered", callId: "SCL_2" });
		expect(notified(answered)).toEqual(["200 terminated"]);
		expect(call.names(answered)).toContain("join-target");
	});

	it.each<[CallEnd, string]>([
		[{ by: "peer", reason: "busy", sipStatus: 486, sipReason: "Busy Here" }, "486 terminated"],
		[{ by: "node", reason: "no-answer", sipStatus: 408, sipReason: "Request Timeout" }, "408 terminated"],
		[{ by: "node", reason: "rejected", message: "against the policy" }, "403 terminated"],
		[{ by: "node", reason: "unreachable" }, "503 terminated"],
	])("the target fails (%o): %s, and the call goes on", (end, last) => {
		const call = follows();
		call.feed(referred());
		expect(notified(call.feed(targetFailed(end)))).toEqual([last]);
		expect(call.phase()).toBe("active");
	});

	it("RFC 4488: without a subscription nothing is told", () => {
		const call = follows();
		const effects = [...call.feed(referred({ subscribes: false })), ...call.feed({ type: "target-answered", callId: "SCL_2" })];
		expect(notified(effects)).toEqual([]);
		expect(effects[0]).toMatchObject({ status: 202, headers: [["Refer-Sub", "false"]] });
	});

	it("one at a time: 491 to another, and a transfer of the API is refused meanwhile", () => {
		const call = follows();
		call.feed(referred());
		expect(call.feed(referred({ id: 8 }))).toMatchObject([{ do: "answer-refer", status: 491 }]);
		call.feed(transfer);
		expect(call.outcomes()).toEqual(["STR_1 failed"]);
		expect(call.done("dial-target")).toHaveLength(1);
	});
});

describe("a move to another room", () => {
	const move: CallEvent = { type: "move", command: { transferId: "STR_9", destinationRoom: "other" } };

	it("is noted on the record once it is done, and who asked is told", () => {
		const call = activeCall();
		expect(call.feed(move)).toEqual([{ do: "move-room", roomName: "other" }]);
		const effects = call.feed({ type: "moved", roomName: "other", participantId: "PA_2" });
		expect(effects[0]).toMatchObject({ event: "moved", detail: "other", patch: { roomName: "other", participantId: "PA_2" } });
		expect(call.outcomes()).toEqual(["STR_9 successful"]);
	});

	it("one that fails leaves the call where it is", () => {
		const call = activeCall();
		call.feed(move);
		call.feed({ type: "move-failed", message: "no such server" });
		expect(call.outcomes()).toEqual(["STR_9 failed"]);
		expect(call.phase()).toBe("active");
	});

	it("is refused while another one, or a transfer, is under way, and after one", () => {
		const moving = activeCall();
		moving.feed(move);
		expect(moving.feed(move)).toMatchObject([{ do: "transfer-outcome", outcome: { refused: "elsewhere" } }]);
		expect(dialling().feed(move)).toMatchObject([{ do: "transfer-outcome", outcome: { refused: "elsewhere" } }]);
		const joined = dialling();
		joined.feed({ type: "target-answered", callId: "SCL_2" });
		expect(joined.feed(move)).toMatchObject([{ do: "transfer-outcome", outcome: { refused: "joined" } }]);
		const elsewhere: CallEvent = { type: "transfer", command: { ...command, transferId: "STR_3", transferTo: "tel:+15550199" } };
		expect(joined.feed(elsewhere)).toMatchObject([{ do: "transfer-outcome", outcome: { refused: "joined" } }]);
	});

	it("a call that ends meanwhile leaves nobody waiting", () => {
		const call = activeCall();
		call.feed(move);
		call.feed({ type: "bye" });
		expect(call.outcomes()).toEqual(["STR_9 failed"]);
	});
});

describe("music for who waits", () => {
	const music = (on: boolean, kind: HoldCommand["music"] = "tune"): CallEvent => ({
		type: "music",
		command: { transferId: "STR_5", on, music: kind },
	});

	it("on and off, each once on the record", () => {
		const call = activeCall();
		expect(call.names(call.feed(music(true)))).toEqual(["music", "attributes", "record", "transfer-outcome"]);
		expect(call.names(call.feed(music(true, "silence")))).toEqual(["music", "attributes", "transfer-outcome"]);
		expect(call.feed(music(false))).toContainEqual({ do: "music", music: undefined });
		expect(call.done("record").map((effect) => (effect as { event: string }).event)).toEqual(["held", "resumed"]);
	});
});

describe("RFC 3891 §3: the answer to a Replaces", () => {
	const named = { callId: "c", localTag: "1", remoteTag: "2", earlyOnly: false };
	const live = { allowed: true, confirmed: true };

	it.each([
		["481 when no dialog matches", named, undefined, true, 481],
		["603 when the call's trunk does not allow it", named, { ...live, allowed: false }, true, 603],
		["603 when the INVITE's trunk does not allow it", named, live, false, 603],
		["486 when it is early-only and the call is answered", { ...named, earlyOnly: true }, live, true, 486],
		["481 for a call that still rings", named, { ...live, confirmed: false }, true, 481],
	] as const)("%s", (_, replaces, call, allows, status) => expect(replacesRefusal(replaces, call, allows)?.[0]).toBe(status));

	it("accepted otherwise", () => expect(replacesRefusal(named, live, true)).toBeUndefined());
});
