import type { CallEnd, CallRecord, EndReason } from "@trunkline/contracts";

/** A call that ended so; `over` is what else its record has. */
export const endedCall = (end: CallEnd | undefined, over: Partial<CallRecord> = {}): CallRecord => ({
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

export const nodeEnd = (reason: EndReason, over: Partial<CallEnd> = {}): CallEnd => ({ by: "node", reason, ...over });
export const peerEnd = (reason: EndReason, sipStatus?: number, over: Partial<CallEnd> = {}): CallEnd => ({
	by: "peer",
	reason,
	...(sipStatus === undefined ? {} : { sipStatus }),
	...over,
});
const step = (test: string, detail = "") => ({
	decision: [{ kind: "trunk" as const, id: "ST_2", outcome: "rejected" as const, test, detail }],
});
const out: Partial<CallRecord> = { direction: "outbound" };

/**
 * Ways to end, each with the cause that it is told by (`explainEnd`). The messages are those that the code writes; test/e2e/explained.test.ts makes most of
 * them happen.
 */
export const ENDINGS: [string, CallEnd, Partial<CallRecord>?][] = [
	["no-trunk", nodeEnd("no-trunk", { sipStatus: 404 })],
	["number-format", nodeEnd("no-trunk"), { to: "0015550100" }],
	["number-format", nodeEnd("no-trunk"), { to: "5550100" }],
	["source-not-allowed", nodeEnd("no-trunk"), step("allowed_addresses")],
	["source-not-allowed", nodeEnd("no-trunk"), step("provider")],
	["caller-not-allowed", nodeEnd("no-trunk"), step("allowed_numbers")],
	["ambiguous-trunk", nodeEnd("no-trunk", { sipStatus: 500, sipReason: "Ambiguous Trunk" })],
	["trunk-credentials", nodeEnd("unauthorized", { message: "wrong user name or password for the trunk" })],
	["no-rule", nodeEnd("no-rule")],
	["wrong-pin", nodeEnd("wrong-pin", { message: "the caller entered no PIN that is a rule's" })],
	["pin-locked", nodeEnd("wrong-pin", { message: "too many wrong PINs from this caller, or on this trunk" })],
	["session-interval", nodeEnd("rejected", { sipStatus: 422, sipReason: "Session Interval Too Small" })],
	["caller-gave-up", peerEnd("cancelled", 487)],
	["nobody-in-room", nodeEnd("no-answer", { message: "nobody in the room could hear the caller in time" })],
	["no-capacity", nodeEnd("rejected", { sipStatus: 503, sipReason: "At Capacity" })],
	["no-capacity", nodeEnd("rejected", { sipStatus: 503, sipReason: "Shutting Down" })],
	["no-capacity", nodeEnd("not-claimed", { message: "no media node took the call in time" }), out],
	["call-limit", nodeEnd("rejected", { sipStatus: 503, sipReason: "Trunk At Capacity", message: "the trunk has its 3 calls at a time" })],
	["call-limit", nodeEnd("rejected", { message: "the project has used its 10 minutes of today (UTC) (minutesPerDay = 10)" }), out],
	[
		"region-pinned",
		nodeEnd("not-claimed", { message: "the call is pinned to eu-west-1, and this is us-east-1: it is not placed from here" }),
		out,
	],
	["codec-mismatch", nodeEnd("media-mismatch", { message: "the SDP offer cannot be answered: SDP has none of the codecs PCMU" })],
	["srtp-mismatch", nodeEnd("media-mismatch", { message: "encrypted audio (SRTP) is required, but there is no a=crypto line" })],
	["room-key", nodeEnd("room-failed", { message: "the room server did not accept the token: 401" })],
	["room-unreachable", nodeEnd("room-failed", { message: "no room server answers: connect ECONNREFUSED" })],
	["room-unreachable", { by: "room", reason: "room-failed", message: "the connection to the room ended: gone" }],
	["room-refused", nodeEnd("room-failed", { message: "the room server refused the join (ROOM_FULL)" })],
	["destination-forbidden", nodeEnd("rejected", { message: "the destination may not be called: premium" }), out],
	["provider-credentials", peerEnd("unauthorized", 401), out],
	["provider-forbidden", peerEnd("rejected", 403), out],
	["number-unknown", peerEnd("not-found", 404), out],
	["not-available", peerEnd("no-answer", 480), out],
	["busy", peerEnd("busy", 486), out],
	["declined", peerEnd("declined", 603), out],
	["request-terminated", peerEnd("cancelled", 487), out],
	["peer-codec-mismatch", peerEnd("media-mismatch", 488), out],
	["provider-unavailable", peerEnd("rejected", 503), out],
	["provider-refused", peerEnd("rejected", 420), out],
	["no-answer", nodeEnd("no-answer", { sipStatus: 408 }), { ...out, timeline: [{ at: 1, event: "ringing" }] }],
	["no-response", nodeEnd("no-answer", { sipStatus: 408 }), out],
	["no-response", nodeEnd("unreachable", { message: "no answer to INVITE" }), out],
	["dns", nodeEnd("unreachable", { message: "the name carrier.example cannot be resolved: no such name" }), out],
	["tls-certificate", nodeEnd("unreachable", { message: "TLS with localhost: certificate has expired" }), out],
	["connection-failed", nodeEnd("unreachable", { message: "connect ECONNREFUSED 127.0.0.1:9" }), out],
	["no-audio", nodeEnd("media-timeout", { message: "no audio ever came from the telephone" })],
	["audio-stopped", nodeEnd("media-timeout", { message: "the telephone's audio stopped" })],
	[
		"session-timer",
		nodeEnd("peer-gone", {
			message: "nobody refreshed the session in time (RFC 4028): the telephone, or a proxy on the way, is not there any more",
		}),
	],
	["no-ack", nodeEnd("peer-gone", { message: "the telephone never acknowledged the answer" })],
	["peer-gone", nodeEnd("peer-gone", { message: "the telephone does not know the call any more" })],
	["max-duration", nodeEnd("max-duration")],
	["transfer-refused", peerEnd("hangup"), { timeline: [{ at: 1, event: "transfer-failed", detail: "603 Decline" }] }],
	[
		"hung-up",
		peerEnd("hangup"),
		{ timeline: [{ at: 1, event: "transfer-failed", detail: "the call ended before the transfer was done" }] },
	],
	["node-stopped", nodeEnd("shutdown")],
	["node-lost", nodeEnd("internal-error", { message: "the process that had the call was stopped without warning" })],
	["internal-error", nodeEnd("internal-error", { message: "boom" })],
	["hung-up", peerEnd("hangup")],
	["transferred", { by: "api", reason: "transferred" }],
	["cancelled", { by: "api", reason: "cancelled" }, out],
	["rejected-by-us", { by: "api", reason: "declined" }],
	["participant-removed", { by: "api", reason: "participant-removed" }],
	["room-closed", { by: "room", reason: "room-closed" }],
];
