import type { CallEnd, CallRecord, DecisionStep, TrunkSettings } from "@trunkline/contracts";
import { inbound, initialInbound } from "./inbound.ts";
import type { HeaderList, InboundInvite, MediaSession, SipLeg, SipLegEvent } from "./ports.ts";
import { preferredCodec } from "./local-description.ts";
import { allowsRefer } from "./allow.ts";
import { type CallDeps, CallRunner, type Referrer, type RoomIdentity } from "./runner.ts";
import type { Decision, Effect } from "./state.ts";
import { unserved } from "./unserved.ts";

/** What matching made of an INVITE (`decide.ts`). */
export interface InboundPlan {
	trunkId: string;
	ruleId: string;
	room: RoomIdentity;
	/** the called and calling numbers as the record keeps them */
	from: string;
	to: string;
	/** on the 200 OK: the trunk's `headers` and mapped attributes */
	acceptHeaders: HeaderList;
	/** the trunk's, for a REFER */
	attributesToHeaders: Record<string, string>;
	/** the trunk's */
	settings?: TrunkSettings;
}

export interface InboundOutcome {
	decision: Decision;
	steps: DecisionStep[];
	plan?: InboundPlan;
	/** known even for a refused call, "" otherwise */
	trunkId: string;
	/** whose call it is; unset when the called number is nobody's */
	projectId?: string;
}

export type Decide = (invite: InboundInvite, callId: string) => Promise<InboundOutcome>;

/** RFC 3261 §13.3: the called side of a call. */
export class InboundCall extends CallRunner {
	readonly #invite: InboundInvite;
	readonly #leg: SipLeg;
	readonly #decide: Decide;
	#outcome: InboundOutcome | undefined;
	#answerSdp = "";

	constructor(callId: string, deps: CallDeps, invite: InboundInvite, leg: SipLeg, decide: Decide) {
		super(callId, deps, initialInbound, inbound);
		this.#invite = invite;
		this.#leg = leg;
		this.#decide = decide;
	}

	protected override performOwn(effect: Effect): void {
		switch (effect.do) {
			case "decide":
				return this.run("matching trunk and rule", this.#match());
			case "ring":
				return this.#leg.ring(180);
			case "accept":
				return this.#leg.accept(this.#answerSdp, this.#plan().acceptHeaders);
			case "reject":
				return this.#leg.reject(effect.status, effect.reason, effect.headers);
			case "bye":
				return this.#leg.bye();
			case "create-record":
				return this.#createRecord(effect.ended);
			default:
				throw new Error(`an inbound call has no effect ${effect.do}`);
		}
	}

	async #match(): Promise<void> {
		const outcome = await this.#decide(this.#invite, this.callId);
		this.#outcome = outcome;
		this.dispatch({ type: "decided", decision: outcome.decision });
	}

	protected override referrer(): Referrer {
		const { user, host } = this.#invite.to;
		const uri = user === "" ? `sip:${host}` : `sip:${user}@${host}`;
		return {
			leg: this.#leg,
			uri,
			attributesToHeaders: this.#outcome?.plan?.attributesToHeaders ?? {},
			...allowsRefer(this.#invite.headers),
			ownNumber: this.#outcome?.plan?.to ?? user,
			line: undefined,
		};
	}

	protected override projectId(): string {
		return this.#outcome?.projectId ?? this.deps.projectId;
	}

	protected override roomIdentity(): RoomIdentity {
		return this.#plan().room;
	}

	protected override publishCodecs(): readonly ("PCMU" | "PCMA" | "opus")[] {
		return preferredCodec(this.#invite.sdp) === "PCMA" ? ["PCMA", "PCMU", "opus"] : ["PCMU", "PCMA", "opus"];
	}

	/** The offer is answered as soon as there is a port; what cannot be answered is refused while the room is still being joined. */
	protected override onMediaOpen(media: MediaSession): void {
		const { sdp } = this.#invite;
		if (sdp === undefined) {
			const end: CallEnd = { by: "node", reason: "media-mismatch", message: "the INVITE has no SDP offer" };
			return this.dispatch({ type: "media-failed", status: 488, reason: "Not Acceptable Here", end });
		}
		const answer = this.local.answer(sdp, media);
		if (!answer.ok) {
			const end: CallEnd = { by: "node", reason: "media-mismatch", message: `the SDP offer cannot be answered: ${answer.reason}` };
			return this.dispatch({ type: "media-failed", status: 488, reason: "Not Acceptable Here", end });
		}
		this.#answerSdp = answer.sdp;
		media.start(answer.negotiated, this.#invite.source.address);
		this.dispatch({ type: "media-opened" });
	}

	protected override peerAddress(): string {
		return this.#invite.source.address;
	}

	protected override onDialog(event: Extract<SipLegEvent, { type: "answered" | "in-dialog" }>): void {
		switch (event.type) {
			case "in-dialog":
				return this.#leg.respond(event.transaction, ...unserved(event.method));
			case "answered":
				return;
		}
	}

	#plan(): InboundPlan {
		const plan = this.#outcome?.plan;
		if (plan === undefined) throw new Error("the call has no plan yet");
		return plan;
	}

	#createRecord(ended: CallEnd | undefined): void {
		const now = this.deps.clock.now();
		const { plan, steps = [], trunkId = "" } = this.#outcome ?? {};
		const { roomName = "", identity = "" } = plan?.room ?? {};
		const record: CallRecord = {
			callId: this.callId,
			projectId: this.projectId(),
			region: this.deps.region,
			direction: "inbound",
			state: ended === undefined ? "received" : "ended",
			version: 1,
			owner: this.deps.nodeId,
			trunkId,
			ruleId: plan?.ruleId ?? "",
			roomName,
			participantIdentity: identity,
			participantId: "",
			from: plan?.from ?? this.#invite.from.user,
			to: plan?.to ?? this.#invite.to.user,
			sipCallId: this.#invite.sipCallId,
			timeline: [{ at: now, event: ended === undefined ? "received" : "ended" }],
			decision: steps,
			createdAt: now,
			expiresAtSeconds: Math.floor(now / 1000) + (trunkId === "" && ended !== undefined ? STRANGER_TTL_SECONDS : RECORD_TTL_SECONDS),
			...(ended === undefined ? {} : { endedAt: now, end: ended }),
		};
		this.records.create(record);
		this.#logArrival(record, ended);
	}

	#logArrival(record: CallRecord, ended: CallEnd | undefined): void {
		this.deps.log.info(
			{
				callId: this.callId,
				direction: "inbound",
				trunkId: record.trunkId,
				ruleId: record.ruleId,
				sipStatus: ended?.sipStatus,
				reason: ended?.reason,
			},
			ended === undefined ? "call received" : "call refused",
		);
	}
}

/** A call that no trunk took is kept for a day: long enough to ask why, and scanners do not fill the table. */
const STRANGER_TTL_SECONDS = 86_400;
/** Call records are kept for 30 days. */
const RECORD_TTL_SECONDS = 30 * 86_400;
