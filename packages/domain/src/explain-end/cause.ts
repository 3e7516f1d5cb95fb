import type { CallEnd, CallRecord, DecisionStep, EndReason, TimelineEntry } from "@trunkline/contracts";

/** Why a call ended, in a word. */
export type Cause =
	// an inbound call that was not taken
	| "no-trunk"
	| "number-format"
	| "source-not-allowed"
	| "caller-not-allowed"
	| "ambiguous-trunk"
	| "trunk-credentials"
	| "no-rule"
	| "wrong-pin"
	| "pin-locked"
	| "session-interval"
	| "caller-gave-up"
	| "nobody-in-room"
	// both ways
	| "no-capacity"
	| "call-limit"
	| "region-pinned"
	| "codec-mismatch"
	| "srtp-mismatch"
	| "room-key"
	| "room-unreachable"
	| "room-refused"
	| "destination-forbidden"
	// what the provider or the called side said
	| "provider-credentials"
	| "provider-forbidden"
	| "number-unknown"
	| "not-available"
	| "busy"
	| "declined"
	| "request-terminated"
	| "peer-codec-mismatch"
	| "provider-unavailable"
	| "provider-refused"
	| "no-answer"
	// nobody was reached
	| "no-response"
	| "dns"
	| "tls-certificate"
	| "connection-failed"
	// during the call
	| "no-audio"
	| "audio-stopped"
	| "session-timer"
	| "no-ack"
	| "peer-gone"
	| "max-duration"
	| "transfer-refused"
	| "node-stopped"
	| "node-lost"
	| "internal-error"
	// as somebody wanted it
	| "hung-up"
	| "transferred"
	| "cancelled"
	| "rejected-by-us"
	| "participant-removed"
	| "room-closed";

/** The cause of the end; the record must have one. undefined: its reason is a newer version's. */
export function causeOf(record: CallRecord): Cause | undefined {
	const { end } = record;
	if (end === undefined) throw new Error("a call that has not ended has no cause of its end");
	return (BY_REASON as Partial<typeof BY_REASON>)[end.reason]?.(record, end);
}

const BY_REASON: Readonly<Record<EndReason, (record: CallRecord, end: CallEnd) => Cause>> = {
	"no-trunk": trunkCause,
	"no-rule": () => "no-rule",
	"wrong-pin": (_, { sipReason, message = "" }) =>
		/too many/i.test(message) || sipReason === "Too Many Wrong PINs" ? "pin-locked" : "wrong-pin",
	unauthorized: (_, { by }) => (by === "node" ? "trunk-credentials" : "provider-credentials"),
	busy: (_, { by }) => (by === "peer" ? "busy" : "rejected-by-us"),
	declined: (_, { by }) => (by === "peer" ? "declined" : "rejected-by-us"),
	"not-found": () => "number-unknown",
	"no-answer": ({ direction, timeline }, { by }) => {
		if (by === "peer") return "not-available";
		if (direction === "inbound") return "nobody-in-room";
		return timeline.some(({ event }) => event === "ringing") ? "no-answer" : "no-response";
	},
	cancelled: ({ direction }, { by, sipStatus }) => {
		if (by === "api" || by === "room") return "cancelled";
		if (direction === "inbound") return "caller-gave-up";
		return sipStatus === undefined ? "cancelled" : "request-terminated";
	},
	rejected: (record, { by, sipStatus }) => (by === "peer" ? refusedBy(sipStatus) : rejectedByNode(record)),
	unreachable: (_, { message = "" }) => unreachable(message),
	"not-claimed": (_, { message = "" }) => (message.includes("pinned") ? "region-pinned" : "no-capacity"),
	"media-mismatch": (_, { by, message = "" }) => {
		if (by === "peer") return "peer-codec-mismatch";
		return /encrypt|srtp|a=crypto|dtls|secur/i.test(message) ? "srtp-mismatch" : "codec-mismatch";
	},
	"media-timeout": (_, { message = "" }) => (/\bever\b/.test(message) ? "no-audio" : "audio-stopped"),
	"room-failed": (_, { message = "" }) => roomCause(message),
	"peer-gone": (_, { message = "" }) => {
		if (/RFC 4028|session in time/.test(message)) return "session-timer";
		return message.includes("acknowledged") ? "no-ack" : "peer-gone";
	},
	shutdown: () => "node-stopped",
	"internal-error": (_, { message = "" }) =>
		/stopped without warning|is gone|died|stopped answering/i.test(message) ? "node-lost" : "internal-error",
	hangup: (record) => (transferRefusal(record) === undefined ? "hung-up" : "transfer-refused"),
	"max-duration": () => "max-duration",
	transferred: () => "transferred",
	"participant-removed": () => "participant-removed",
	"room-closed": () => "room-closed",
};

/** The step that the first trunk failed at, when the number itself was right. */
export function nearestTrunk(steps: readonly DecisionStep[]): DecisionStep | undefined {
	return steps.find(({ kind, outcome, test }) => kind === "trunk" && outcome === "rejected" && test !== "numbers");
}

function trunkCause({ end, decision = [], to }: CallRecord): Cause {
	if (end?.sipReason === "Ambiguous Trunk" || decision.some(({ test }) => test === "unique")) return "ambiguous-trunk";
	const nearest = nearestTrunk(decision);
	if (nearest?.test === "allowed_addresses" || nearest?.test === "provider") return "source-not-allowed";
	if (nearest?.test === "allowed_numbers") return "caller-not-allowed";
	return isUnusualNumber(to) ? "number-format" : "no-trunk";
}

/** A telephone number that does not begin with a country code: with a trunk's prefix, a national one, an international one with 00. */
function isUnusualNumber(to: string): boolean {
	const digits = to.replace(/[\s\-().]/g, "");
	return /^(?:00?\d{4,}|\d{3,9}|\+0\d+)$/.test(digits);
}

function rejectedByNode({ end, direction }: CallRecord): Cause {
	const { sipStatus, sipReason = "", message = "" } = end ?? {};
	if (
		sipReason === "Trunk At Capacity" ||
		/calls at a time|new calls a second|calls per second|minutes of today|nobody answered yet/.test(message)
	)
		return "call-limit";
	if (["At Capacity", "Overloaded", "Shutting Down"].includes(sipReason) || /limit of calls|overloaded/.test(message)) return "no-capacity";
	if (sipReason === "Wrong Region" || /pinned to/.test(message)) return "region-pinned";
	if (sipStatus === 422) return "session-interval";
	if (/may not be called/.test(message)) return "destination-forbidden";
	return direction === "outbound" && sipStatus === 503 ? "no-capacity" : "rejected-by-us";
}

function refusedBy(status: number | undefined): Cause {
	if (status === 403) return "provider-forbidden";
	return status !== undefined && status >= 500 && status < 600 ? "provider-unavailable" : "provider-refused";
}

function unreachable(message: string): Cause {
	if (/certificate|self.signed|CERT_|TLS|SSL|handshake/i.test(message)) return "tls-certificate";
	if (/cannot be resolved|no address|ENOTFOUND|looked up|is not host/.test(message)) return "dns";
	return /no answer to INVITE|no response/i.test(message) ? "no-response" : "connection-failed";
}

function roomCause(message: string): Cause {
	if (/did not accept the token/.test(message)) return "room-key";
	return /no room server answers|connection to the room ended|not joined within|fetch failed|ECONN|ENOTFOUND/.test(message)
		? "room-unreachable"
		: "room-refused";
}

/** What came of the last transfer of a call that went on because nothing came of it. */
export function transferRefusal({ timeline }: { timeline: readonly TimelineEntry[] }): string | undefined {
	const last = timeline.findLast(({ event }) => event === "transfer-failed" || event === "transferred");
	// The caller's own hanging up is no refusal.
	if (last?.event !== "transfer-failed" || last.detail?.startsWith("the call ended") === true) return undefined;
	return last.detail ?? "";
}
