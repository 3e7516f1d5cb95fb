import type { CallEnd, CallRecord, EndReason } from "@trunkline/contracts";
import { boundLog, FAILURE_REASONS, type Metrics, noMetrics } from "@trunkline/observability";
import type { CallLog } from "./call-deps.ts";

export interface StoryOptions {
	callId: string;
	/** ms since the epoch */
	now(): number;
	metrics: Metrics | undefined;
	log: CallLog;
}

/** What is said of a call; those that are unset are not known yet. */
interface Known {
	callId: string;
	direction?: CallRecord["direction"];
	projectId?: string;
	trunkId?: string;
	requestId?: string;
}

/** Ends that are nobody's wish, also after an answer. */
const FAULTS: ReadonlySet<EndReason> = new Set([
	"media-timeout",
	"media-mismatch",
	"room-failed",
	"peer-gone",
	"unreachable",
	"shutdown",
	"internal-error",
]);

type FailureReason = (typeof FAILURE_REASONS)[number];

/**
 * What a call tells whoever runs the system: one line for each step and one for its end, all with its ids, and the measurements of calls.
 * Numbers, addresses of people and names of rooms are in none of them.
 */
export class CallStory {
	/** for everything that is said about the call */
	readonly log: CallLog;
	readonly #options: StoryOptions;
	readonly #metrics: Metrics;
	#known: Known;
	#requestedAt: number | undefined;
	#invitedAt: number | undefined;
	#rangAt: number | undefined;
	#answeredAt: number | undefined;
	#encrypted = false;

	constructor(options: StoryOptions) {
		this.#options = options;
		this.#metrics = options.metrics ?? noMetrics;
		this.#known = { callId: options.callId };
		this.log = boundLog(options.log, ["info", "warn", "error"], () => ({ ...this.#known }));
	}

	/** An INVITE came, and this is what was made of it. `ended`: it was refused. */
	received(record: CallRecord, invitedAt: number, source: string): void {
		const { direction, projectId, trunkId, ruleId, sipCallId, end } = record;
		this.#known = { ...this.#known, direction, projectId, trunkId };
		this.#invitedAt = invitedAt;
		if (trunkId !== "") this.#metrics.record("CallAttempts", 1, { direction });
		if (end === undefined) return this.log.info({ ruleId, sipCallId }, "call received");
		// Who it was is of use only to keep him out, and for no other call than one that nobody took.
		this.log.info({ ruleId, sipCallId, sipStatus: end.sipStatus, reason: end.reason, source }, "call refused");
		this.#failed(end);
	}

	/** A node has it now. */
	claimed({ direction, projectId, trunkId, requestId, createdAt }: CallRecord): void {
		this.#known = { ...this.#known, direction, projectId, trunkId, ...(requestId === undefined ? {} : { requestId }) };
		this.#requestedAt = createdAt;
		this.log.info({ queuedMs: this.#options.now() - createdAt }, "call claimed");
	}

	/** Our INVITE is about to leave. */
	dialling(sipCallId: string): void {
		const now = this.#options.now();
		this.#invitedAt = now;
		this.#metrics.record("CallAttempts", 1, { direction: "outbound" });
		const requestToInviteMs = this.#requestedAt === undefined ? undefined : now - this.#requestedAt;
		if (requestToInviteMs !== undefined) this.#metrics.record("RequestToInvite", requestToInviteMs);
		this.log.info({ state: "dialing", event: "dialing", sipCallId, requestToInviteMs }, "call step");
	}

	/** A step of the call's record; `detail` of an event is a SIP status only where the event says so. */
	step(state: CallRecord["state"], event: string, detail: string | undefined, answeredAt: number | undefined): void {
		if (event === "dtmf") return;
		const { direction } = this.#known;
		const now = this.#options.now();
		if (direction === "outbound" && state === "ringing" && answeredAt === undefined && this.#rangAt === undefined) {
			this.#rangAt = now;
			if (this.#invitedAt !== undefined) this.#metrics.record("InviteToRinging", now - this.#invitedAt);
		}
		if (answeredAt !== undefined && this.#answeredAt === undefined && direction !== undefined) {
			this.#answeredAt = answeredAt;
			this.#metrics.record("CallAnswers", 1, { direction });
			if (this.#invitedAt !== undefined) this.#metrics.record("InviteToAnswer", answeredAt - this.#invitedAt, { direction });
		}
		const sipStatus = event === "ringing" && detail !== undefined && /^\d{3}$/.test(detail) ? Number(detail) : undefined;
		this.log.info({ state, event, sipStatus }, "call step");
	}

	/** What was agreed on with the telephone. */
	agreed({ srtp }: { srtp?: string }): void {
		this.#encrypted = srtp !== undefined;
	}

	ended(end: CallEnd): void {
		const now = this.#options.now();
		const { by, reason, sipStatus } = end;
		const [requestedAt, invitedAt, rangAt, answeredAt] = [this.#requestedAt, this.#invitedAt, this.#rangAt, this.#answeredAt];
		const answered = answeredAt !== undefined;
		const failed = !answered || FAULTS.has(reason);
		const between = (from: number | undefined, to: number | undefined) => (from === undefined || to === undefined ? undefined : to - from);
		const spans = {
			requestToInviteMs: between(requestedAt, invitedAt),
			inviteToRingingMs: between(invitedAt, rangAt),
			inviteToAnswerMs: between(invitedAt, answeredAt),
			durationMs: between(answeredAt, now),
		};
		this.log.info({ by, reason, sipStatus, answered, failed, encrypted: this.#encrypted, ...spans }, "call ended");
		if (answered) this.#metrics.record("EncryptedCalls", this.#encrypted ? 100 : 0);
		if (failed) this.#failed(end);
	}

	#failed({ reason }: CallEnd): void {
		const known = FAILURE_REASONS.find((one) => one === reason);
		this.#metrics.record("CallFailures", 1, { reason: known ?? ("other" satisfies FailureReason) });
	}
}
