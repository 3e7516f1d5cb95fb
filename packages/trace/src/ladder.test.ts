import type { CallDetails, CallTrace, TraceMessage } from "@trunkline/contracts";
import { describe, expect, it } from "vitest";
import { ladderOf } from "./ladder.ts";
import { writeLadder } from "./text-ladder.ts";

const call: CallDetails = {
	id: "SCL_1",
	direction: "inbound",
	state: "ended",
	region: "r",
	trunkId: "ST_1",
	ruleId: "",
	roomName: "",
	participant: { identity: "", id: "" },
	from: "+15551111",
	to: "+15550100",
	sipCallId: "c",
	createdAt: 1_000,
	timeline: [
		{ at: 1_000, event: "received" },
		{ at: 1_040, event: "ended", detail: "busy \u001b[2J" },
	],
	end: { by: "peer", reason: "busy", text: "the line was busy" },
};

const sip = (at: number, direction: TraceMessage["direction"], text: string, remote = "198.51.100.7"): TraceMessage => ({
	at,
	direction,
	transport: "UDP",
	local: { host: "192.0.2.1", port: 5060 },
	remote: { host: remote, port: 5060 },
	text,
	bytes: text.length,
});
const trace = (callId: string, ...messages: TraceMessage[]): CallTrace => ({
	version: 1,
	callId,
	projectId: "p",
	region: "r",
	messages,
	dropped: 0,
	numbersMasked: false,
	expiresAtSeconds: 0,
});

const INVITE = "INVITE sip:+15550100@192.0.2.1 SIP/2.0\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n\r\nv=0";
const BUSY = "SIP/2.0 486 Busy Here\r\nCSeq: 1 INVITE\r\n\r\n";

describe("ladderOf", () => {
	it("has columns, arrows in order of time, what was sent again, and the call's events", () => {
		const own = trace("SCL_1", sip(1_010.5, "received", INVITE), sip(1_020, "received", INVITE), sip(1_030, "sent", BUSY));
		const other = trace("SCL_2", sip(1_015, "sent", "BYE sip:x SIP/2.0\r\nCSeq: 2 BYE\r\n\r\n", "2001:db8::1"));
		const ladder = ladderOf(call, [own, other], false);
		expect(ladder.participants.map(({ id }) => id)).toEqual(["trunkline", "198.51.100.7:5060", "[2001:db8::1]:5060"]);
		expect(ladder.entries.map((entry) => [entry.offsetMs, entry.label, entry.kind === "message" && entry.retransmission])).toEqual([
			[0, "received", false],
			[10.5, "INVITE (SDP)", false],
			[15, "BYE", false],
			[20, "INVITE (SDP)", true],
			[30, "486 Busy Here", false],
			[40, "ended", false],
		]);
		expect(ladder.summary).toBe("inbound call from +15551111 to +15550100: the line was busy; 4 SIP messages");
		expect(writeLadder(ladder)).toMatchInlineSnapshot(`
			"inbound call from +15551111 to +15550100: the line was busy; 4 SIP messages

			            Trunkline                                   198.51.100.7:5060                           [2001:db8::1]:5060
			            │                                           │                                           │
			+0.000      ● received
			+0.011      │◀─ INVITE (SDP) ───────────────────────────│                                           │
			+0.015      │── BYE ───────────────────────────────────────────────────────────────────────────────▶│
			+0.020      │◀─ INVITE (SDP) (again) ───────────────────│                                           │
			+0.030      │── 486 Busy Here ─────────────────────────▶│                                           │
			+0.040      ● ended: busy ?[2J
			"
		`);
	});

	it("shows what nobody can read, and numbers only when they may be shown", () => {
		const ladder = ladderOf(call, [{ ...trace("SCL_1", sip(1_000, "received", "\u0000\u0001")), numbersMasked: true, dropped: 3 }], true);
		expect(ladder.entries[0]).toMatchObject({ label: "unreadable", method: "" });
		expect(ladder.summary).toContain("from +xxxxxx11 to +xxxxxx00");
		expect(writeLadder(ladder)).toMatch(/3 more messages were not kept\n.*the call goes on/);
	});
});
