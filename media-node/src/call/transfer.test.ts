import { dialRequest } from "@trunkline/testkit";
import type { TransferCommand } from "@trunkline/domain";
import { describe, expect, it } from "vitest";
import { inbound, initialInbound } from "./inbound.ts";
import { initialOutbound, outbound } from "./outbound.ts";
import { reducerRun } from "./reducer.testkit.ts";
import type { CallEvent, Effect } from "./state.ts";

const TARGET = "<sip:+15550142@carrier.example>";
const command = (transferId = "STR_1", over: Partial<TransferCommand> = {}): TransferCommand => ({
	transferId,
	transferTo: TARGET,
	playDialtone: false,
	headers: {},
	ringingTimeoutMs: 30_000,
	...over,
});
const transfer = (transferId?: string, over?: Partial<TransferCommand>): CallEvent => ({
	type: "transfer",
	command: command(transferId, over),
});
const accepted = (refer = "STR_1", id = 2): CallEvent => ({ type: "refer-answered", refer, id, status: 202, reason: "Accepted" });
const notify = (status: number, reason: string, over: { id?: number; terminated?: boolean } = {}): CallEvent => ({
	type: "refer-progress",
	transaction: "n",
	terminated: status >= 200,
	progress: { status, reason },
	...over,
});
const ANSWER_200: Effect = { do: "answer-notify", transaction: "n", status: 200 };
const ANSWER_481: Effect = { do: "answer-notify", transaction: "n", status: 481 };

function activeCall(maxCallDurationMs = 3_600_000) {
	const run = reducerRun(initialOutbound(dialRequest({ ringingTimeoutMs: 30_000, maxCallDurationMs })), outbound);
	for (const event of ["start", "media-opened"] as const) run.feed({ type: event });
	run.feed({ type: "room-joined", occupied: true });
	run.feed({ type: "answered", sipCallId: "SCL_x" });
	expect(run.phase()).toBe("active");
	run.effects.length = 0;
	const outcomes = () =>
		run.effects.flatMap((effect) => (effect.do === "transfer-outcome" ? [[effect.transferIds, effect.outcome] as const] : []));
	const timeline = () => run.effects.flatMap((effect) => (effect.do === "record" ? [`${effect.event}: ${effect.detail}`] : []));
	const end = () => run.effects.flatMap((effect) => (effect.do === "end-record" ? [effect.end] : []));
	return { ...run, outcomes, timeline, end };
}

function transferring(over?: Partial<TransferCommand>) {
	const call = activeCall();
	call.feed(transfer("STR_1", over), 1_000);
	call.feed(accepted(), 1_100);
	return call;
}

const SUCCESS = { status: "successful", reason: "completed", sipStatus: { code: 200, reason: "OK" } };

describe("REFER (RFC 3515)", () => {
	it("goes out, with a limit in time and a line in the timeline", () => {
		const call = activeCall();
		expect(call.feed(transfer(), 1_000)).toEqual([
			{ do: "record", from: ["active"], to: "active", event: "transfer-requested", detail: "sip:+15550142@carrier.example" },
			{ do: "refer", command: command() },
			{ do: "timer", name: "transfer", at: 31_000 },
		]);
	});

	it("202, NOTIFY 100, NOTIFY 200: done; our BYE a second later when the peer has sent none", () => {
		const call = transferring();
		expect(call.feed(notify(100, "Trying"), 1_200)).toEqual([ANSWER_200]);
		expect(call.feed(notify(180, "Ringing"), 1_300)).toEqual([ANSWER_200]);
		expect(call.outcomes()).toEqual([]);
		const effects = call.feed(notify(200, "OK"), 5_000);
		expect(effects[0]).toEqual(ANSWER_200);
		expect(effects).toContainEqual({ do: "timer", name: "transferred", at: 6_000 });
		expect(effects).toContainEqual({ do: "clear-timer", name: "transfer" });
		expect(call.outcomes()).toEqual([[["STR_1"], SUCCESS]]);
		expect(call.timeline()).toEqual(["transfer-requested: sip:+15550142@carrier.example", "transferred: sip:+15550142@carrier.example"]);
		expect(call.phase()).toBe("active");
		call.feed({ type: "timer", name: "transferred" }, 6_000);
		expect(call.done("bye")).toHaveLength(1);
		expect(call.end()).toEqual([{ by: "api", reason: "transferred" }]);
		expect(call.phase()).toBe("ending");
	});

	it("the peer's BYE after the final NOTIFY ends the call as transferred, and nothing is told twice", () => {
		const call = transferring();
		call.feed(notify(200, "OK"), 5_000);
		call.feed({ type: "bye" }, 5_100);
		expect(call.end()).toEqual([{ by: "api", reason: "transferred" }]);
		expect(call.outcomes()).toHaveLength(1);
		expect(call.timeline()).toHaveLength(2);
		expect(call.effects).toContainEqual({ do: "clear-timer", name: "transferred" });
		expect(call.phase()).toBe("over");
	});

	it("a NOTIFY that is faster than the 202 counts", () => {
		const call = activeCall();
		call.feed(transfer(), 0);
		call.feed(notify(200, "OK"), 10);
		expect(call.outcomes()).toEqual([[["STR_1"], SUCCESS]]);
		expect(call.feed(accepted(), 20)).toEqual([]);
	});

	it("BYE before the final NOTIFY is a success: some hang up at once and never tell (Plivo)", () => {
		const call = transferring();
		call.feed({ type: "bye" }, 2_000);
		expect(call.outcomes()).toMatchObject([[["STR_1"], { status: "successful", reason: "completed" }]]);
		expect(call.timeline()[1]).toBe("transferred: sip:+15550142@carrier.example");
		expect(call.end()).toEqual([{ by: "api", reason: "transferred" }]);
		expect(call.phase()).toBe("over");
	});

	it("BYE before the REFER was taken on is no transfer", () => {
		const call = activeCall();
		call.feed(transfer(), 0);
		call.feed({ type: "bye" }, 50);
		expect(call.outcomes()).toMatchObject([[["STR_1"], { status: "failed", reason: "call-ended" }]]);
		expect(call.end()).toEqual([{ by: "peer", reason: "hangup" }]);
	});

	it.each([
		[486, "Busy Here"],
		[603, "Decline"],
		[302, "Moved Temporarily"],
	])("NOTIFY %i: told, and the call goes on", (status, reason) => {
		const call = transferring();
		call.feed(notify(status, reason), 3_000);
		expect(call.outcomes()).toEqual([[["STR_1"], { status: "failed", reason: "rejected", sipStatus: { code: status, reason } }]]);
		expect(call.timeline()[1]).toBe(`transfer-failed: ${status} ${reason}`);
		expect(call.phase()).toBe("active");
		expect(call.effects).toContainEqual({ do: "clear-timer", name: "transfer" });
		expect(call.feed({ type: "timer", name: "transfer" }, 31_000)).toEqual([]);
	});

	it.each([
		[405, "Method Not Allowed"],
		[603, "Decline"],
	])("%i to the REFER: told, with what would have helped, and the call goes on", (status, reason) => {
		const call = activeCall();
		call.feed(transfer(), 0);
		call.feed({ type: "refer-answered", refer: "STR_1", id: 2, status, reason }, 50);
		const outcome = {
			status: "failed",
			reason: "rejected",
			sipStatus: { code: status, reason },
			message: expect.stringContaining("bridgeTrunkId"),
		};
		expect(call.outcomes()).toEqual([[["STR_1"], outcome]]);
		expect(call.timeline()[1]).toBe(`transfer-failed: ${status} ${reason}`);
		expect(call.phase()).toBe("active");
	});

	it("no answer to the REFER: told; the endpoint's BYE then ends the call", () => {
		const call = activeCall();
		call.feed(transfer("STR_1", { ringingTimeoutMs: 60_000 }), 0);
		call.feed({ type: "refer-answered", refer: "STR_1", cause: "timeout" }, 32_000);
		expect(call.outcomes()).toMatchObject([[["STR_1"], { status: "failed", message: "the telephone side did not answer the REFER" }]]);
		call.feed({ type: "bye-done" }, 40_000);
		expect(call.end()).toMatchObject([{ by: "node", reason: "peer-gone" }]);
		expect(call.phase()).toBe("over");
	});

	it("a subscription that ends without a final status is a failure at once (RFC 6665 §4.1.3)", () => {
		const call = transferring();
		call.feed(notify(100, "Trying", { terminated: true }), 2_000);
		expect(call.outcomes()).toMatchObject([
			[
				["STR_1"],
				{ status: "failed", reason: "subscription-terminated", message: "the telephone side stopped telling how the transfer goes" },
			],
		]);
		expect(call.phase()).toBe("active");
	});

	it("a NOTIFY without a status that can be read changes nothing while the subscription goes on", () => {
		const call = transferring();
		expect(call.feed({ type: "refer-progress", transaction: "n", terminated: false }, 2_000)).toEqual([ANSWER_200]);
		expect(call.outcomes()).toEqual([]);
	});
});

describe("the ringing timeout", () => {
	it("is told once; the call goes on", () => {
		const call = transferring({ ringingTimeoutMs: 5_000 });
		expect(call.effects).toContainEqual({ do: "timer", name: "transfer", at: 6_000 });
		call.feed({ type: "timer", name: "transfer" }, 6_000);
		expect(call.outcomes()).toEqual([
			[["STR_1"], { status: "failed", reason: "ringing-timeout", message: "nobody answered within 5000 ms" }],
		]);
		expect(call.timeline()[1]).toBe("transfer-failed: nobody answered within 5000 ms");
		expect(call.phase()).toBe("active");
	});

	it("the target answers after it: the call is transferred after all", () => {
		const call = transferring();
		call.feed({ type: "timer", name: "transfer" }, 31_000);
		call.feed(notify(200, "OK"), 33_000);
		expect(call.outcomes()).toHaveLength(1);
		expect(call.timeline().at(-1)).toBe("transferred: sip:+15550142@carrier.example");
		call.feed({ type: "timer", name: "transferred" }, 34_000);
		expect(call.done("bye")).toHaveLength(1);
	});

	it("the target declines after it: nothing more is told", () => {
		const call = transferring();
		call.feed({ type: "timer", name: "transfer" }, 31_000);
		expect(call.feed(notify(486, "Busy Here"), 33_000)).toEqual([ANSWER_200]);
		expect(call.outcomes()).toHaveLength(1);
		expect(call.timeline()).toHaveLength(2);
	});

	it("a hang-up after it is a hang-up", () => {
		const call = transferring();
		call.feed({ type: "timer", name: "transfer" }, 31_000);
		call.feed({ type: "bye" }, 60_000);
		expect(call.end()).toEqual([{ by: "peer", reason: "hangup" }]);
		expect(call.outcomes()).toHaveLength(1);
	});

	it("after it the call can be transferred again; what comes of the first REFER is none of the second's", () => {
		const call = transferring();
		call.feed({ type: "timer", name: "transfer" }, 31_000);
		call.feed(transfer("STR_2", { transferTo: "tel:+15550143" }), 40_000);
		expect(call.done("refer")).toHaveLength(2);
		call.feed(accepted("STR_2", 3), 40_100);
		expect(call.feed(notify(200, "OK", { id: 2 }), 41_000)).toEqual([ANSWER_481]);
		expect(call.outcomes()).toHaveLength(1);
		call.feed(notify(200, "OK", { id: 3 }), 42_000);
		expect(call.outcomes()[1]).toEqual([["STR_2"], SUCCESS]);
		expect(call.timeline().at(-1)).toBe("transferred: tel:+15550143");
	});

	it("an id that is no REFER's of ours is one that a proxy has numbered anew", () => {
		const call = transferring();
		call.feed(notify(200, "OK", { id: 4711 }), 2_000);
		expect(call.outcomes()).toEqual([[["STR_1"], SUCCESS]]);
	});
});

describe("asked for again", () => {
	it("the same target joins the wait", () => {
		const call = transferring();
		expect(call.feed(transfer("STR_2"), 1_500)).toEqual([]);
		call.feed(notify(200, "OK"), 2_000);
		expect(call.done("refer")).toHaveLength(1);
		expect(call.outcomes()).toEqual([[["STR_1", "STR_2"], SUCCESS]]);
		call.feed(transfer("STR_3"), 2_100);
		expect(call.outcomes()[1]).toEqual([["STR_3"], SUCCESS]);
	});

	it("another target is refused while one is pending, and taken after it failed", () => {
		const call = transferring();
		call.feed(transfer("STR_2", { transferTo: "tel:+15550143" }), 1_500);
		expect(call.outcomes()).toEqual([[["STR_2"], { status: "failed", reason: "unspecified", refused: "elsewhere" }]]);
		call.feed(notify(486, "Busy Here"), 2_000);
		call.feed(transfer("STR_3", { transferTo: "tel:+15550143" }), 2_500);
		expect(call.done("refer")).toHaveLength(2);
	});
});

describe("calls that cannot be transferred", () => {
	const refusal = (effects: readonly Effect[]) =>
		effects.flatMap((effect) => (effect.do === "transfer-outcome" ? [effect.outcome.refused] : []));

	it("not answered yet, either direction", () => {
		const ringing = reducerRun(initialOutbound(dialRequest()), outbound);
		expect(refusal(ringing.feed(transfer()))).toEqual(["not-answered"]);
		const waiting = reducerRun(initialInbound, inbound);
		expect(refusal(waiting.feed(transfer()))).toEqual(["not-answered"]);
	});

	it("over, or ending", () => {
		const call = activeCall();
		call.feed({ type: "hang-up" });
		expect(call.phase()).toBe("ending");
		expect(refusal(call.feed(transfer()))).toEqual(["gone"]);
		call.feed({ type: "bye-done" });
		expect(refusal(call.feed(transfer()))).toEqual(["gone"]);
	});

	it("a NOTIFY that nobody asked for gets 481 (RFC 6665 §4.1.3)", () => {
		const call = activeCall();
		expect(call.feed(notify(200, "OK"))).toEqual([ANSWER_481]);
		expect(call.phase()).toBe("active");
	});
});

describe("the call ends while it is being transferred", () => {
	it.each<[string, CallEvent]>([
		["hung up by the API", { type: "hang-up" }],
		["the room was deleted", { type: "room-closed", reason: "room-deleted", message: "" }],
		["shutdown", { type: "shutdown" }],
		["audio stopped", { type: "media-timeout", beforeFirstPacket: false }],
		["the longest duration", { type: "timer", name: "max-duration" }],
		["a fault", { type: "fault", message: "x" }],
	])("%s: who waits is told", (_, event) => {
		const call = transferring();
		call.feed(event, 5_000);
		expect(call.outcomes()).toMatchObject([[["STR_1"], { status: "failed", reason: "call-ended" }]]);
		expect(call.timeline()[1]).toBe("transfer-failed: the call ended before the transfer was done");
		expect(call.effects).toContainEqual({ do: "clear-timer", name: "transfer" });
		expect(call.phase()).toBe("ending");
	});
});

describe("play_dialtone", () => {
	it.each<[string, CallEvent]>([
		["done", notify(200, "OK")],
		["refused", notify(603, "Decline")],
		["timed out", { type: "timer", name: "transfer" }],
		["the end of the call", { type: "bye" }],
	])("rings to the telephone until it is %s", (_, event) => {
		const call = transferring({ playDialtone: true });
		expect(call.done("dialtone")).toEqual([{ do: "dialtone", on: true }]);
		call.feed(event, 31_000);
		expect(call.done("dialtone")).toEqual([
			{ do: "dialtone", on: true },
			{ do: "dialtone", on: false },
		]);
	});

	it("not asked for, nothing rings", () => {
		expect(transferring().done("dialtone")).toEqual([]);
	});
});
