import type { CallEnd, CallRecord, DecisionStep, NoiseSuppression, TrunkSettings } from "@trunkline/contracts";
import { effectiveSettings } from "@trunkline/domain";
import { inbound, initialInbound } from "./inbound.ts";
import { suppressing } from "./noise.ts";
import { pressing } from "./pressing.ts";
import { withAttributes } from "./attribute-headers.ts";
import { familyOfOffer } from "@trunkline/sdp";
import type { HeaderList, InboundInvite, MediaSession, ReplaceableCall, SipLeg, SipLegEvent } from "./ports.ts";
import type { DialogName } from "./replaceable.ts";
import { preferredCodec } from "./local-description.ts";
import type { TermsInput } from "./media-terms.ts";
import { allowsRefer } from "./allow.ts";
import { provisionally, ringsReliably } from "./early-media.ts";
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
	/** the trunk's, for REFER and BYE */
	attributesToHeaders: Record<string, string>;
	/** attributes that headers of later messages give; unset: none */
	attributesFrom?(headers: HeaderList): Record<string, string>;
	/** trunk's and rule's codecs and encryption */
	terms: TermsInput;
	/** the trunk's */
	settings?: TrunkSettings;
	/** unset: noise is not taken out */
	suppression?: NoiseSuppression;
}

export type PinVerdict =
	| { verdict: "accepted"; steps: DecisionStep[]; plan: InboundPlan }
	| { verdict: "wrong" | "locked"; steps?: DecisionStep[] };

/** Which rule a PIN leads to; "" = none was entered. */
export type PinQuestion = (pin: string) => Promise<PinVerdict>;

export interface InboundOutcome {
	/** the plan is that of a caller who has not entered a PIN: it has neither rule nor room */
	askPin?: PinQuestion;
	decision: Decision;
	steps: DecisionStep[];
	plan?: InboundPlan;
	/** known even for a refused call, "" otherwise */
	trunkId: string;
	/** the call whose telephone leg the INVITE takes the place of */
	replaced?: ReplaceableCall;
	/** whose call it is; unset when the called number is nobody's */
	projectId?: string;
}

export type Decide = (invite: InboundInvite, callId: string) => Promise<InboundOutcome>;

/** RFC 3261 §13.3: the called side of a call. */
export class InboundCall extends CallRunner {
	readonly #invite: InboundInvite;
	#leg: SipLeg;
	#peerAddress: string;
	/** who listens to the leg since another call has it */
	#heir: ((event: SipLegEvent) => void) | undefined;
	readonly #decide: Decide;
	#outcome: InboundOutcome | undefined;
	/** our side: the answer, or the offer when the INVITE had none */
	#sdp = "";
	#progressing = false;
	readonly #invitedAt: number;
	/** it went out in a reliable 1xx: the 200 has none (RFC 3262 §5) */
	#agreed = false;

	constructor(callId: string, deps: CallDeps, invite: InboundInvite, leg: SipLeg, decide: Decide) {
		super(callId, deps, initialInbound, pressing(suppressing(inbound)));
		this.#invite = invite;
		this.#leg = leg;
		this.#peerAddress = invite.source.address;
		this.#invitedAt = deps.clock.now();
		this.#decide = decide;
	}

	protected override performOwn(effect: Effect): void {
		switch (effect.do) {
			case "decide":
				return this.run("matching trunk and rule", this.#match());
			case "ring":
				return this.#ring();
			case "early-media":
				this.#progressing = true;
				return this.#early(183);
			case "accept":
				return this.#accept();
			case "hand-over":
				this.#heir = this.#outcome?.replaced?.takeOver(this.#invite, this.#leg);
				return;
			case "reject":
				return this.#leg.reject(effect.status, effect.reason, this.#withAttributes(effect.headers));
			case "check-pin":
				return this.run("checking a PIN", this.#checkPin(effect.pin));
			case "bye":
				return this.#leg.bye(this.farewell());
			case "create-record":
				return this.#createRecord(effect.ended);
			default:
				throw new Error(`an inbound call has no effect ${effect.do}`);
		}
	}

	override onLeg(event: SipLegEvent): void {
		if (this.#heir === undefined) super.onLeg(event);
		else this.#heir(event);
	}

	protected override mediaFamily(): 4 | 6 {
		return familyOfOffer(this.#invite.sdp, this.#invite.source.address);
	}

	protected override dialog(): DialogName {
		const { sipCallId, localTag, remoteTag } = this.#invite;
		return { callId: sipCallId, localTag, remoteTag };
	}

	protected override changeLeg(leg: SipLeg, peerAddress: string): SipLeg {
		const before = this.#leg;
		this.#leg = leg;
		this.#peerAddress = peerAddress;
		return before;
	}

	#accept(): void {
		const { acceptHeaders, settings } = this.#plan();
		this.#leg.accept(this.#agreed ? undefined : this.#sdp, this.#withAttributes(acceptHeaders), effectiveSettings(settings).sessionTimer);
	}

	/** Somebody in the room may have changed attributes since the call came. */
	#withAttributes(headers: HeaderList = []): HeaderList {
		return withAttributes(headers, this.room?.attributes() ?? {}, this.#outcome?.plan?.attributesToHeaders ?? {});
	}

	async #match(): Promise<void> {
		const outcome = await this.#decide(this.#invite, this.callId);
		this.#outcome = outcome;
		if (outcome.plan !== undefined)
			this.local.terms.set({ ...outcome.plan.terms, secureSignalling: this.#invite.source.transport === "TLS" });
		this.dispatch({ type: "decided", decision: provisionally(outcome.decision, this.#invite) });
	}

	async #checkPin(pin: string): Promise<void> {
		const outcome = this.#outcome;
		if (outcome?.askPin === undefined) throw new Error("the call has nobody to ask about a PIN");
		const checked = await outcome.askPin(pin);
		if (checked.verdict === "accepted") {
			const { plan, steps } = checked;
			this.#outcome = { ...outcome, plan, steps: [...outcome.steps, ...steps] };
			const { roomName, identity } = plan.room;
			this.records.patch({ ruleId: plan.ruleId, roomName, participantIdentity: identity, decision: this.#outcome.steps });
		}
		const { suppression } = checked.verdict === "accepted" ? checked.plan : {};
		this.dispatch({ type: "pin-checked", verdict: checked.verdict, ...(suppression && { suppression }) });
	}

	get #reliably(): boolean {
		return ringsReliably(this.#invite, this.#outcome?.plan?.settings);
	}

	#ring(): void {
		// RFC 3262 §5: the first reliable response to an INVITE without an offer has one; it waits for the port, which is there at once.
		if (this.#invite.sdp === undefined && this.#reliably && !this.#agreed) return;
		// Where early audio flows, a 180 would bring the telephone's own ringback back.
		if (this.#progressing) return this.#early(183);
		this.#leg.ring(180, undefined, undefined, this.#reliably);
	}

	/** 1xx with SDP. A repeated one, once it is agreed, says nothing new. */
	#early(status: number): void {
		this.#leg.ring(status, undefined, this.#agreed ? undefined : this.#sdp, this.#reliably);
		this.#agreed ||= this.#reliably;
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
			settings: this.#outcome?.plan?.settings,
			peerHost: this.#invite.from.host,
			line: undefined,
		};
	}

	protected override attributesFrom(headers: HeaderList): Record<string, string> {
		return this.#outcome?.plan?.attributesFrom?.(headers) ?? {};
	}

	protected remoteHeaders(): HeaderList {
		return this.#invite.headers;
	}

	protected override projectId(): string {
		return this.#outcome?.projectId ?? this.deps.projectId;
	}

	protected override roomIdentity(): RoomIdentity {
		return this.#plan().room;
	}

	protected override publishCodecs(): readonly ("PCMU" | "PCMA" | "opus")[] {
		return this.local.terms.publishCodecs(preferredCodec(this.#invite.sdp, this.local.terms));
	}

	/** The offer is answered as soon as there is a port; what cannot be answered is refused while the room is still being joined. */
	protected override onMediaOpen(media: MediaSession): void {
		const { sdp } = this.#invite;
		if (sdp === undefined) return this.#offer(media);
		const answer = this.local.answer(sdp, media);
		if (!answer.ok) {
			const end: CallEnd = { by: "node", reason: "media-mismatch", message: `the SDP offer cannot be answered: ${answer.reason}` };
			return this.dispatch({ type: "media-failed", status: 488, reason: "Not Acceptable Here", end });
		}
		this.#sdp = answer.sdp;
		// A trunk that lets the room be heard before the answer (183) wants it to be: there is no ACK yet that could prove anything.
		if (effectiveSettings(this.#outcome?.plan?.settings).earlyMedia.fromRoom !== true) media.awaitProof?.();
		media.start(answer.negotiated, this.#invite.source.address);
		this.dispatch({ type: "media-opened" });
	}

	/** Delayed offer (RFC 3261 §13.2.1): the first reliable response to the INVITE has ours, and PRACK or ACK the answer. */
	#offer(media: MediaSession): void {
		const offer = this.local.renegotiate(undefined, media, this.#invite.source.address);
		if (!offer.ok) {
			const end: CallEnd = { by: "node", reason: "media-mismatch", message: `no SDP can be offered: ${offer.reason}` };
			return this.dispatch({ type: "media-failed", status: 488, reason: "Not Acceptable Here", end });
		}
		this.#sdp = offer.sdp;
		if (this.#reliably) this.#early(180);
		this.dispatch({ type: "media-opened" });
	}

	protected override peerAddress(): string {
		return this.#peerAddress;
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
		this.story.received(record, this.#invitedAt, this.#invite.source.address);
	}
}

/** A call that no trunk took is kept for a day: long enough to ask why, and scanners do not fill the table. */
const STRANGER_TTL_SECONDS = 86_400;
/** Call records are kept for 30 days. */
const RECORD_TTL_SECONDS = 30 * 86_400;
