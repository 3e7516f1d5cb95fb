import { dialledUsers, effectiveSettings, tlsOf, inviteTarget } from "@trunkline/domain";
import type { CallEnd, CallRecord, DialRequest } from "@trunkline/contracts";
import { pii } from "@trunkline/observability";
import { inviteRouting } from "./invite-routing.ts";
import { suppressing } from "./noise.ts";
import { pressing } from "./pressing.ts";
import { initialOutbound, outbound } from "./outbound.ts";
import { familyOfAddress } from "@trunkline/sdp";
import {
	type HeaderList,
	type MediaSession,
	type OutgoingInvite,
	type SipLeg,
	type SipLegEvent,
	UnreachableError,
	type UserAgent,
} from "./ports.ts";
import type { DialogName } from "./replaceable.ts";
import { allowsRefer } from "./allow.ts";
import { EarlyAnswers, earlyToRoom } from "./early-media.ts";
import { type CallDeps, CallRunner, type Referrer, type RoomIdentity } from "./runner.ts";
import type { Effect } from "./state.ts";
import { withIdentity } from "./sendable-headers.ts";
import { withMeaning } from "./status-meaning.ts";
import { unserved } from "./unserved.ts";

export interface OutboundPlan {
	request: DialRequest;
	/** attributes at join, `sip.callStatus: dialing` among them */
	attributes: Record<string, string>;
	/** on the INVITE */
	headers: HeaderList;
	/** SIP Call-ID of the call, derived from its id */
	sipCallId: string;
	/** attributes that the answer's headers give */
	attributesFrom(headers: HeaderList): Record<string, string>;
}

/** RFC 3261 §13.2: the calling side of a call. */
export class OutboundCall extends CallRunner {
	readonly #plan: OutboundPlan;
	readonly #projectId: string;
	readonly #userAgent: UserAgent;
	#leg: SipLeg | undefined;
	#offer = "";
	#peerAddress = "";
	#ownUri = "";
	readonly #early = new EarlyAnswers();
	/** of the 200 */
	#answerHeaders: HeaderList = [];
	#remoteTag = "";
	/** "begun": the record is being written or the address resolved; nobody can tell yet whether an INVITE will leave */
	#dialling: "not-yet" | "begun" | "done" = "not-yet";
	/** CANCEL was wanted; before the INVITE has left it never leaves */
	readonly #cancelling = new AbortController();

	readonly #dialled: () => void;

	/** `dialled` is told once, when the call can no longer be lost: it is marked as being dialled, or it has ended. */
	constructor(deps: CallDeps, record: CallRecord, plan: OutboundPlan, userAgent: UserAgent, dialled: () => void) {
		super(record.callId, deps, initialOutbound(plan.request), pressing(suppressing(outbound)));
		this.#plan = plan;
		this.#projectId = record.projectId;
		this.story.claimed(record);
		this.#userAgent = userAgent;
		let told = false;
		this.#dialled = () => {
			if (!told) dialled();
			told = true;
		};
		this.records.patch({ sipCallId: plan.sipCallId });
		const { mediaEncryption: encryption, media, transport } = plan.request;
		const { keying } = effectiveSettings(plan.request.settings).srtp;
		this.local.terms.set({ encryption, media, keying, secureSignalling: transport === "TLS" });
	}

	get #localTag(): string {
		return this.deps.localTag?.(this.callId) ?? this.callId;
	}

	protected override performOwn(effect: Effect): void {
		switch (effect.do) {
			case "dial":
				return this.run("dialling", this.#dial());
			case "cancel":
				return this.#cancel();
			case "bye":
				return this.#leg?.bye(this.farewell());
			default:
				throw new Error(`an outbound call has no effect ${effect.do}`);
		}
	}

	protected override mediaFamily(): 4 | 6 {
		return familyOfAddress(this.#plan.request.address);
	}

	protected override dialog(): DialogName | undefined {
		return this.#remoteTag === "" ? undefined : { callId: this.#plan.sipCallId, localTag: this.#localTag, remoteTag: this.#remoteTag };
	}

	protected override changeLeg(leg: SipLeg, peerAddress: string): SipLeg | undefined {
		const before = this.#leg;
		this.#leg = leg;
		this.#peerAddress = peerAddress;
		return before;
	}

	protected override onEnded(_end: CallEnd): void {
		this.#dialled();
	}

	protected override referrer(): Referrer {
		const { request } = this.#plan;
		const { attributesToHeaders, from } = request;
		return {
			leg: this.#leg,
			uri: this.#ownUri,
			attributesToHeaders,
			...allowsRefer(this.#answerHeaders),
			ownNumber: from,
			line: request,
			settings: request.settings,
			peerHost: request.address.replace(/:\d+$/, ""),
		};
	}

	protected override attributesFrom(headers: HeaderList): Record<string, string> {
		return this.#plan.attributesFrom(headers);
	}

	protected remoteHeaders(): HeaderList {
		return this.#answerHeaders;
	}

	protected override projectId(): string {
		return this.#projectId;
	}

	protected override roomIdentity(): RoomIdentity {
		const { request, attributes } = this.#plan;
		return {
			roomName: request.roomName,
			identity: request.participantIdentity,
			name: request.participantName,
			metadata: request.participantMetadata,
			attributes,
		};
	}

	protected override onMediaOpen(media: MediaSession): void {
		if (this.local.terms.codecs.length === 0) {
			const end: CallEnd = { by: "node", reason: "media-mismatch", message: "the trunk allows only codecs that this node does not have" };
			return this.dispatch({ type: "media-failed", status: 488, reason: "Not Acceptable Here", end });
		}
		this.#offer = this.local.offer(media);
		this.dispatch({ type: "media-opened" });
	}

	async #dial(): Promise<void> {
		this.#dialling = "begun";
		try {
			await this.#invite();
		} finally {
			this.#dialling = "done";
			this.#endUndialled();
		}
	}

	/** `dialing` is written before the INVITE leaves: from then on nobody else may ever dial this call. */
	async #invite(): Promise<void> {
		const { request } = this.#plan;
		const { clock } = this.deps;
		const forbidden = await this.deps.mayCall?.(this.#projectId, dialledUsers(request));
		if (forbidden !== undefined) {
			this.deps.log.warn(
				{ callId: this.callId, projectId: this.#projectId, to: pii(request.callTo) },
				"a dial request is against the policy",
			);
			return this.dispatch({ type: "forbidden", message: forbidden });
		}
		const full = this.deps.trunkLimits?.admit(request.trunkId, this.callId, request.settings?.limits, clock.now());
		if (full !== undefined) return this.dispatch({ type: "forbidden", message: full.message, sipStatus: 503 });
		const ours = await this.records.decide(["claimed", "joining"], "dialing", clock.now(), "dialing");
		this.#dialled();
		if (!ours) return this.dispatch({ type: "dial-lost" });
		if (this.#cancelling.signal.aborted) return;
		this.story.dialling(this.#plan.sipCallId);
		const { signal } = this.#cancelling;
		try {
			const outgoing = this.#outgoing();
			this.#ownUri = outgoing.from.uri;
			this.#leg = await this.#userAgent.invite(
				request.address,
				request.transport,
				outgoing,
				(event) => this.onLeg(withMeaning(event, request.settings)),
				signal,
			);
		} catch (error) {
			if (signal.aborted) return;
			if (!(error instanceof UnreachableError)) throw error;
			return this.dispatch({ type: "unreachable", message: error.message });
		}
		if (signal.aborted) this.#leg.cancel(this.farewell());
	}

	#outgoing(): OutgoingInvite {
		const { request, sipCallId, headers } = this.#plan;
		const { requestUri, from, to, identity } = inviteTarget(request, this.#userAgent.advertisedHost);
		return {
			callId: sipCallId,
			localTag: this.#localTag,
			requestUri,
			from,
			to,
			headers: withIdentity(headers, identity),
			sessionTimer: effectiveSettings(request.settings).sessionTimer,
			routing: inviteRouting(request, async (targets) => this.deps.mayCall?.(this.#projectId, targets)),
			sdp: this.#offer,
			reliable: effectiveSettings(request.settings).reliableProvisional !== "off",
			tls: tlsOf(request.settings, this.#projectId, this.deps.projectId),
			...(request.authUsername === "" ? {} : { auth: { username: request.authUsername, password: request.authPassword } }),
		};
	}

	#cancel(): void {
		this.#cancelling.abort();
		this.#leg?.cancel(this.farewell());
		this.#endUndialled();
	}

	/** Cancelled, and no INVITE has left or ever will: no leg is there to report the end. */
	#endUndialled(): void {
		if (!this.#cancelling.signal.aborted || this.#dialling === "begun" || this.#leg !== undefined) return;
		this.dispatch({ type: "failed", cause: "cancelled", message: "cancelled before the INVITE left" });
	}

	protected override peerAddress(): string {
		return this.#peerAddress;
	}

	protected override onDialog(event: Extract<SipLegEvent, { type: "answered" | "in-dialog" }>): void {
		switch (event.type) {
			case "answered":
				return this.#onAnswer(event);
			case "in-dialog":
				return this.#leg?.respond(event.transaction, ...unserved(event.method));
		}
	}

	/** The latest fork that has audio is heard, until one of them answers. */
	protected override onProvisional(event: Extract<SipLegEvent, { type: "provisional" }>): void {
		const sdp = this.#early.take(event);
		if (sdp === undefined || this.phase !== "ringing" || earlyToRoom(this.#plan.request.settings).early === undefined) return;
		const answer = this.local.answered(sdp);
		if (!answer.ok) return this.deps.log.warn({ callId: this.callId, reason: answer.reason }, "early media cannot be used");
		this.#peerAddress = event.source;
		this.media?.start(answer.negotiated, event.source);
		this.dispatch({ type: "early-media" });
	}

	#onAnswer(event: Extract<SipLegEvent, { type: "answered" }>): void {
		const sdp = event.sdp ?? this.#early.of(event.remoteTag);
		const answer = sdp === undefined ? { ok: false as const, reason: "the 200 OK has no SDP" } : this.local.answered(sdp);
		if (!answer.ok) return this.dispatch({ type: "answer-unusable", message: `the SDP answer cannot be used: ${answer.reason}` });
		this.#peerAddress = event.source;
		this.#answerHeaders = event.headers;
		this.#remoteTag = event.remoteTag;
		this.media?.start(answer.negotiated, event.source);
		this.dispatch({ type: "answered", sipCallId: event.sipCallId });
		const attributes = { "sip.callIDFull": event.sipCallId, "sip.callTag": event.remoteTag, ...this.#plan.attributesFrom(event.headers) };
		this.setAttributes(attributes);
	}
}
