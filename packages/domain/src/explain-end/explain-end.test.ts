import type { CallEnd, CallRecord, EndReason } from "@trunkline/contracts";
import { describe, expect, it } from "vitest";
import { causeOf } from "./cause.ts";
import { explainEnd } from "./explain-end.ts";

const record = (end: CallEnd | undefined, over: Partial<CallRecord> = {}): CallRecord => ({
	callId: "SCL_1",
	projectId: "p",
	region: "eu-west-1",
	direction: "inbound",
	state: "ended",
	version: 1,
	trunkId: "ST_1",
	ruleId: "",
	roomName: "lobby",
	participantIdentity: "",
	participantId: "",
	from: "+15551111",
	to: "+15550100",
	sipCallId: "c",
	timeline: [],
	createdAt: 1_000,
	endedAt: 4_000,
	expiresAtSeconds: 0,
	...(end === undefined ? {} : { end }),
	...over,
});

const node = (reason: EndReason, over: Partial<CallEnd> = {}): CallEnd => ({ by: "node", reason, ...over });
const peer = (reason: EndReason, sipStatus?: number, over: Partial<CallEnd> = {}): CallEnd => ({
	by: "peer",
	reason,
	...(sipStatus === undefined ? {} : { sipStatus }),
	...over,
});
const step = (test: string, detail = "") => ({
	decision: [{ kind: "trunk" as const, id: "ST_2", outcome: "rejected" as const, test, detail }],
});
const out: Partial<CallRecord> = { direction: "outbound" };

/** The messages are those that the code writes; tests in test/e2e/explained.test.ts make most of them happen. */
const TABLE: [string, CallEnd, Partial<CallRecord>?][] = [
	["no-trunk", node("no-trunk", { sipStatus: 404 })],
	["number-format", node("no-trunk"), { to: "0015550100" }],
	["number-format", node("no-trunk"), { to: "5550100" }],
	["source-not-allowed", node("no-trunk"), step("allowed_addresses")],
	["source-not-allowed", node("no-trunk"), step("provider")],
	["caller-not-allowed", node("no-trunk"), step("allowed_numbers")],
	["ambiguous-trunk", node("no-trunk", { sipStatus: 500, sipReason: "Ambiguous Trunk" })],
	["trunk-credentials", node("unauthorized", { message: "wrong user name or password for the trunk" })],
	["no-rule", node("no-rule")],
	["wrong-pin", node("wrong-pin", { message: "the caller entered no PIN that is a rule's" })],
	["pin-locked", node("wrong-pin", { message: "too many wrong PINs from this caller, or on this trunk" })],
	["session-interval", node("rejected", { sipStatus: 422, sipReason: "Session Interval Too Small" })],
	["caller-gave-up", peer("cancelled", 487)],
	["nobody-in-room", node("no-answer", { message: "nobody in the room could hear the caller in time" })],
	["no-capacity", node("rejected", { sipStatus: 503, sipReason: "At Capacity" })],
	["no-capacity", node("rejected", { sipStatus: 503, sipReason: "Shutting Down" })],
	["no-capacity", node("not-claimed", { message: "no media node took the call in time" }), out],
	["call-limit", node("rejected", { sipStatus: 503, sipReason: "Trunk At Capacity", message: "the trunk has its 3 calls at a time" })],
	["call-limit", node("rejected", { message: "the project has used its 10 minutes of today (UTC) (minutesPerDay = 10)" }), out],
	[
		"region-pinned",
		node("not-claimed", { message: "the call is pinned to eu-west-1, and this is us-east-1: it is not placed from here" }),
		out,
	],
	["codec-mismatch", node("media-mismatch", { message: "the SDP offer cannot be answered: SDP has none of the codecs PCMU" })],
	["srtp-mismatch", node("media-mismatch", { message: "encrypted audio (SRTP) is required, but there is no a=crypto line" })],
	["room-key", node("room-failed", { message: "the room server did not accept the token: 401" })],
	["room-unreachable", node("room-failed", { message: "no room server answers: connect ECONNREFUSED" })],
	["room-unreachable", { by: "room", reason: "room-failed", message: "the connection to the room ended: gone" }],
	["room-refused", node("room-failed", { message: "the room server refused the join (ROOM_FULL)" })],
	["destination-forbidden", node("rejected", { message: "the destination may not be called: premium" }), out],
	["provider-credentials", peer("unauthorized", 401), out],
	["provider-forbidden", peer("rejected", 403), out],
	["number-unknown", peer("not-found", 404), out],
	["not-available", peer("no-answer", 480), out],
	["busy", peer("busy", 486), out],
	["declined", peer("declined", 603), out],
	["request-terminated", peer("cancelled", 487), out],
	["peer-codec-mismatch", peer("media-mismatch", 488), out],
	["provider-unavailable", peer("rejected", 503), out],
	["provider-refused", peer("rejected", 420), out],
	["no-answer", node("no-answer", { sipStatus: 408 }), { ...out, timeline: [{ at: 1, event: "ringing" }] }],
	["no-response", node("no-answer", { sipStatus: 408 }), out],
	["no-response", node("unreachable", { message: "no answer to INVITE" }), out],
	["dns", node("unreachable", { message: "the name carrier.example cannot be resolved: no such name" }), out],
	["tls-certificate", node("unreachable", { message: "TLS with localhost: certificate has expired" }), out],
	["connection-failed", node("unreachable", { message: "connect ECONNREFUSED 127.0.0.1:9" }), out],
	["no-audio", node("media-timeout", { message: "no audio ever came from the telephone" })],
	["audio-stopped", node("media-timeout", { message: "the telephone's audio stopped" })],
	[
		"session-timer",
		node("peer-gone", {
			message: "nobody refreshed the session in time (RFC 4028): the telephone, or a proxy on the way, is not there any more",
		}),
	],
	["no-ack", node("peer-gone", { message: "the telephone never acknowledged the answer" })],
	["peer-gone", node("peer-gone", { message: "the telephone does not know the call any more" })],
	["max-duration", node("max-duration")],
	["transfer-refused", peer("hangup"), { timeline: [{ at: 1, event: "transfer-failed", detail: "603 Decline" }] }],
	["hung-up", peer("hangup"), { timeline: [{ at: 1, event: "transfer-failed", detail: "the call ended before the transfer was done" }] }],
	["node-stopped", node("shutdown")],
	["node-lost", node("internal-error", { message: "the process that had the call was stopped without warning" })],
	["internal-error", node("internal-error", { message: "boom" })],
	["hung-up", peer("hangup")],
	["transferred", { by: "api", reason: "transferred" }],
	["cancelled", { by: "api", reason: "cancelled" }, out],
	["rejected-by-us", { by: "api", reason: "declined" }],
	["participant-removed", { by: "api", reason: "participant-removed" }],
	["room-closed", { by: "room", reason: "room-closed" }],
];

describe("explainEnd", () => {
	it.each(TABLE)("%s: %j", (cause, end, over = {}) => {
		const explained = explainEnd(record(end, over));
		expect(explained?.cause).toBe(cause);
		expect(explained?.what).toMatch(/^The (?:in|out)bound call from "\+15551111" to "[^"]+" was not answered, and ended after 3 s: .+\.$/);
		for (const text of [explained?.why, explained?.whatToDo]) {
			expect(text).toMatch(/^[A-Z$"][^]*[.)]$/);
			// Facts that are missing must not show as such.
			expect(text).not.toMatch(/undefined|null|\[object| {2}|\.\./);
		}
	});

	it("has an explanation for every reason that there is, and says nothing of a call that goes on", () => {
		expect(explainEnd(record(undefined))).toBeUndefined();
		expect(new Set(TABLE.map(([cause]) => cause)).size).toBeGreaterThanOrEqual(50);
		expect(() => causeOf(record(undefined))).toThrow(/no cause/);
	});

	it("says how long an answered call lasted, and that nothing has to be mended when nothing failed", () => {
		const explained = explainEnd(record(peer("hangup"), { answeredAt: 1_500, endedAt: 61_500 }));
		expect(explained).toMatchObject({ failed: false, whatToDo: "Nothing has to be mended." });
		expect(explained?.what).toContain("was answered and ended after 60 s: hung up");
	});

	it("tells of packets that came and were not let in", () => {
		const packets = { received: 0, sent: 100, lost: 0, refused: 12, srtpErrors: 0 };
		const end = node("media-timeout", { message: "no audio ever came from the telephone" });
		expect(explainEnd(record(end, { media: { codec: "PCMU", packets } }))?.why).toContain("12 packets came from another address");
		const wrongKey = { ...packets, refused: 0, srtpErrors: 7 };
		expect(explainEnd(record(end, { media: { codec: "PCMU", packets: wrongKey } }))?.why).toContain("7 packets could not be decrypted");
	});
});
