import type { CallEnd, DialRequest, TrunkSettings } from "@trunkline/contracts";
import type { CallStore, TransferCommand, TransferOutcome } from "@trunkline/domain";
import { dtmfCode } from "@trunkline/rtp";
import type { MayCall } from "./fraud.ts";
import { DigitMerge } from "./digit-merge.ts";
import { farewellHeaders, peerReason } from "./farewell.ts";
import { LocalDescription } from "./local-description.ts";
import { MediaTerms } from "./media-terms.ts";
import { RecordWriter } from "./record-writer.ts";
import { type DialogName, isSameDialog, type ReplaceableCall } from "./replaceable.ts";
import type { RoomIdentity } from "./room-identity.ts";
import { referHeaders } from "./refer-headers.ts";
import { Renegotiation } from "./renegotiation.ts";
import {
	type AudioUplink,
	type Clock,
	type InboundInvite,
	type HeaderList,
	type HoldMusic,
	type MediaEvent,
	type MediaPort,
	type MediaSession,
	MediaUnavailableError,
	type RoomConnector,
	type RoomEvent,
	RoomJoinError,
	type RoomSession,
	type SipLeg,
	type SipLegEvent,
} from "./ports.ts";
import { CallRooms } from "./call-rooms.ts";
import { Moves } from "./moves.ts";
import { type RoomLink, within } from "./room-link.ts";
import type { DialSecondLeg } from "./second-leg-types.ts";
import type { TrunkLimits } from "./trunk-limits.ts";
import type { CallEvent, CallState, Effect, Step, TimerName } from "./state.ts";

export type { RoomIdentity };

export interface CallLog {
	info(fields: Record<string, unknown>, message: string): void;
	warn(fields: Record<string, unknown>, message: string): void;
	error(fields: Record<string, unknown>, message: string): void;
}

export interface CallDeps {
	clock: Clock;
	media: MediaPort;
	rooms: RoomConnector;
	calls: CallStore;
	projectId: string;
	/** each project may have a LiveKit server of its own */
	roomUrl(projectId: string): Promise<string>;
	token(identity: RoomIdentity, projectId: string): Promise<string>;
	nodeId: string;
	region: string;
	/** ms without a packet before the call is ended: before the first one, and later */
	mediaTimeoutMs: { first: number; later: number };
	random(length: number): Uint8Array;
	/** Does the call's project want the digits that callers press on the records of its calls? Unset: none does. */
	recordsDigits?: ((projectId: string) => Promise<boolean>) | undefined;
	/** dials somebody whom a call is to be joined to; unset: calls are never joined */
	dialSecondLeg?: DialSecondLeg | undefined;
	log: CallLog;
	/** asked before an INVITE of ours leaves: why the project may not call that; unset: the API has seen to it */
	mayCall?: MayCall | undefined;
	/** `settings.limits` of trunks; `onOver` releases the slot */
	trunkLimits?: TrunkLimits | undefined;
	/** what came of transfers; called once for each */
	onTransfer(transferIds: readonly string[], outcome: TransferOutcome): void;
	/** the call is gone; nothing of it is left */
	onOver(callId: string): void;
}

/** What a REFER needs of the call. */
export interface Referrer {
	leg: SipLeg | undefined;
	/** our address in the dialog */
	uri: string;
	attributesToHeaders: Readonly<Record<string, string>>;
	/** false: the peer's Allow has no REFER */
	allowsRefer?: boolean;
	/** our number in the call */
	ownNumber: string;
	/** what was dialled; unset for a call that came in */
	line: DialRequest | undefined;
	/** the trunk's */
	settings: TrunkSettings | undefined;
	/** host of the far end's address, without port */
	peerHost: string;
}

/**
 * Carries out the effects of a call's reducer and feeds back what happens. What differs by direction is in `inbound-call.ts` and
 * `outbound-call.ts`; closing order is written in docs/closing.md.
 */
export abstract class CallRunner {
	readonly callId: string;
	protected readonly deps: CallDeps;
	protected readonly records: RecordWriter;
	protected readonly local: LocalDescription;
	protected media: MediaSession | undefined;
	readonly #rooms: CallRooms;
	readonly #moves: Moves;
	readonly #renegotiation: Renegotiation;
	readonly #digits = new DigitMerge();
	/** why the call ends; known before its BYE leaves */
	#end: CallEnd | undefined;
	#state: CallState;
	readonly #reduce: (state: CallState, event: CallEvent, now: number) => Step;
	readonly #inbox: CallEvent[] = [];
	#draining = false;
	#faulted = false;
	readonly #timers = new Map<TimerName, () => void>();
	#stopRingback: (() => void) | undefined;
	#stopDialtone: (() => void) | undefined;
	#stopMusic: (() => void) | undefined;
	#mediaClosed = false;
	/** the dialog that has taken the place of the first one */
	#takenOver: DialogName | undefined;

	constructor(callId: string, deps: CallDeps, initial: CallState, reduce: (state: CallState, event: CallEvent, now: number) => Step) {
		this.callId = callId;
		this.deps = deps;
		this.#state = initial;
		this.#reduce = reduce;
		const terms = new MediaTerms(deps.random, (media) => {
			this.records.patch({ media });
			if (media.keysInTheClear === true) deps.log.warn({ callId, srtp: media.srtp }, "the keys of encrypted audio travel in the clear: no TLS");
		});
		this.local = new LocalDescription(deps.random, terms);
		this.#rooms = new CallRooms({
			clock: deps.clock,
			onEvent: (event) => this.#onRoom(event),
			onProblem: (error, message) => deps.log.warn({ callId, err: error }, message),
		});
		this.#moves = new Moves({
			rooms: this.#rooms,
			media: () => this.media,
			join: (link, identity) => this.#join(link, identity),
			dispatch: (event) => this.dispatch(event),
			run: (what, work) => this.run(what, work),
		});
		this.#renegotiation = new Renegotiation({
			local: this.local,
			media: () => this.media,
			leg: () => this.referrer().leg,
			peerAddress: () => this.peerAddress(),
			dispatch: (event) => this.dispatch(event),
		});
		this.records = new RecordWriter(callId, deps.nodeId, deps.calls, deps.clock, deps.log);
	}

	/** the room that the call is in */
	protected get room(): RoomSession | undefined {
		return this.#rooms.current.session;
	}

	get phase(): CallState["phase"] {
		return this.#state.phase;
	}

	/**
	 * Feeds one event; effects run before it returns, what they start asynchronously comes back as events. Never throws: it is called from sockets
	 * and timers, where nobody would catch. An effect that throws does not keep the ones after it from running, and ends the call.
	 */
	dispatch(event: CallEvent): void {
		this.#inbox.push(event);
		if (this.#draining) return;
		this.#draining = true;
		try {
			for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) {
				const effects = this.#step(next);
				for (const effect of effects) if (effect.do === "end-record") this.#end = effect.end;
				for (const effect of effects) this.#attempt(`effect ${effect.do}`, () => this.#perform(effect));
			}
		} finally {
			this.#draining = false;
		}
	}

	#step(event: CallEvent): readonly Effect[] {
		let effects: readonly Effect[] = [];
		this.#attempt(`event ${event.type}`, () => {
			const step = this.#reduce(this.#state, event, this.deps.clock.now());
			this.#state = step.state;
			effects = step.effects;
		});
		return effects;
	}

	#attempt(what: string, work: () => void): void {
		try {
			work();
		} catch (error) {
			this.#fault(what, error);
		}
	}

	#fault(what: string, error: unknown): void {
		this.deps.log.error({ callId: this.callId, what, err: error }, "a step of the call failed");
		// Once: what fails again while the call is being ended for it has nothing more to say, and must not go round for ever.
		if (this.#faulted) return;
		this.#faulted = true;
		this.dispatch({ type: "fault", message: `${what}: ${error instanceof Error ? error.message : String(error)}` });
	}

	/** Of the leg that the call began with; once another one has its place, nobody cares. */
	onLeg(event: SipLegEvent): void {
		if (this.#takenOver === undefined) this.onTakenLeg(event);
	}

	/** SIP events common to both directions. */
	protected onTakenLeg(event: SipLegEvent): void {
		switch (event.type) {
			case "acked":
				this.#renegotiation.onAcknowledged(event.sdp);
				return this.dispatch({ type: "acked" });
			case "ack-timeout":
				return this.dispatch({ type: event.type });
			case "cancelled":
				return this.dispatch(event);
			case "update":
				return this.#renegotiation.onUpdate(event);
			case "pracked":
				return this.#renegotiation.onPracked(event);
			case "bye-done":
				return this.dispatch(event);
			case "bye":
				return this.#onBye(event.headers);
			case "attempt":
			case "refer-answered":
			case "refer-progress":
			case "referred":
				return this.dispatch(event);
			case "provisional":
				this.dispatch({ type: "provisional", status: event.status });
				return this.onProvisional(event);
			case "failed":
				return this.dispatch({
					type: "failed",
					cause: event.cause,
					message: event.message,
					...(event.status === undefined ? {} : { status: event.status }),
					...(event.reason === undefined ? {} : { reason: event.reason }),
				});
			case "reinvite":
				return this.#renegotiation.onReinvite(event);
			case "reinvite-answered":
				return this.#renegotiation.onAnswered(event);
			case "refreshed":
				return this.#renegotiation.onRefreshed(event.sdp);
			case "info-digits":
				return this.#onInfoDigits(event.digits);
			case "answered":
			case "in-dialog":
				return this.onDialog(event);
		}
	}

	#onBye(headers: HeaderList): void {
		const message = peerReason(headers);
		const attributes = { ...this.attributesFrom(headers), ...(message === undefined ? {} : { "sip.endReason": message }) };
		if (Object.keys(attributes).length > 0) this.setAttributes(attributes);
		this.dispatch({ type: "bye", ...(message === undefined ? {} : { message }) });
	}

	/** Headers of our BYE or CANCEL; `given` are from whoever asked for it. */
	protected farewell(given: HeaderList = []): HeaderList {
		const { attributesToHeaders } = this.referrer();
		const { headers, refused } = farewellHeaders(this.#end, { attributes: this.room?.attributes() ?? {}, attributesToHeaders, given });
		if (refused.length > 0) this.deps.log.warn({ callId: this.callId, refused }, "headers that cannot be sent were left out");
		return headers;
	}

	/** Participant attributes that headers of the peer give, by the trunk's map. */
	protected abstract attributesFrom(headers: HeaderList): Record<string, string>;
	/** RFC 3891: what another INVITE may name to take the place of this call's telephone leg; undefined when it is not this dialog. */
	replaceable(replaces: Replaces): ReplaceableCall | undefined {
		if (!isSameDialog(this.#takenOver ?? this.dialog(), replaces)) return undefined;
		const { ownNumber, settings } = this.referrer();
		return {
			...{ callId: this.callId, projectId: this.projectId(), ownNumber },
			allowed: effectiveSettings(settings).transfer.replaces,
			confirmed: this.#state.phase === "active",
			takeOver: (invite, leg) => this.#takeOver(invite, leg),
		};
	}

	#takeOver(invite: InboundInvite, leg: SipLeg): (event: SipLegEvent) => void {
		const { media } = this;
		const answer = media === undefined || invite.sdp === undefined ? undefined : this.local.answer(invite.sdp, media);
		if (media === undefined || answer === undefined || !answer.ok) {
			leg.reject(488, "Not Acceptable Here");
			return () => {};
		}
		const { sipCallId, localTag, remoteTag } = invite;
		this.#takenOver = { callId: sipCallId, localTag, remoteTag };
		media.start(answer.negotiated, invite.source.address);
		leg.accept(answer.sdp);
		// RFC 3891 §3: "the UA … MUST attempt to accept the new INVITE … and shut down the … replaced dialog"
		this.changeLeg(leg, invite.source.address)?.bye();
		this.setAttributes({ "sip.callIDFull": sipCallId, "sip.callTag": remoteTag });
		this.records.transition(["active"], "active", this.deps.clock.now(), "replaced", sipCallId, { sipCallId });
		return (event) => {
			if (this.#takenOver?.localTag === localTag) this.onTakenLeg(event);
		};
	}

	/** network source of the telephone's signalling */
	protected abstract peerAddress(): string;
	/** of the first telephone leg, as soon as both sides know it */
	protected abstract dialog(): DialogName | undefined;
	/** Another leg takes the place of the telephone's; gives the one before. */
	protected abstract changeLeg(leg: SipLeg, peerAddress: string): SipLeg | undefined;
	protected abstract onDialog(event: Extract<SipLegEvent, { type: "answered" | "in-dialog" }>): void;
	/** Only this direction's effects. */
	protected abstract performOwn(effect: Effect): void;
	protected abstract referrer(): Referrer;
	protected abstract projectId(): string;
	protected abstract roomIdentity(): RoomIdentity;
	/** After the port is open: inbound answers the offer here. Throws nothing; reports through `dispatch`. */
	protected abstract onMediaOpen(media: MediaSession): void;

	protected onEnded(_end: CallEnd): void {}

	protected onProvisional(_event: Extract<SipLegEvent, { type: "provisional" }>): void {}

	/** The telephone and the room hear each other from now on. */
	protected onBridged(): void {}

	/** Starts work whose failure is a fault of ours (or of a service below): it ends the call with a reason instead of the process. */
	protected run(what: string, work: Promise<unknown>): void {
		work.catch((error: unknown) => this.#fault(what, error));
	}

	#recordDigit(digit: string): void {
		const { clock, recordsDigits } = this.deps;
		if (recordsDigits !== undefined) this.records.digit(clock.now(), digit, () => recordsDigits(this.projectId()));
	}

	#perform(effect: Effect): void {
		switch (effect.do) {
			case "open-media":
				return this.run("opening a media port", this.#openMedia());
			case "join-room":
				return this.run("joining the room", this.#joinRoom());
			case "listen":
			case "speak":
				return this.#early(effect.do);
			case "bridge":
				return this.#bridge();
			case "ringback":
				return this.#ringback(effect.on);
			case "send-digits":
				return this.run("sending digits", this.#sendDigits(effect.digits, effect.report));
			case "digit-to-room":
				this.#recordDigit(effect.digit);
				return this.room?.sendDtmf(effect.code, effect.digit);
			case "attributes":
				return this.setAttributes(effect.attributes);
			case "record":
				return this.records.transition(effect.from, effect.to, this.deps.clock.now(), effect.event, effect.detail, effect.patch);
			case "end-record":
				return this.#endRecord(effect.end);
			case "timer":
				return this.#setTimer(effect.name, effect.at);
			case "clear-timer":
				return this.#clearTimer(effect.name);
			case "leave-room":
				return this.#leaveRoom();
			case "close-media":
				return this.#closeMedia();
			case "over":
				return this.#over();
			default:
				return this.#performTransfer(effect);
		}
	}

	#performTransfer(effect: Effect): void {
		switch (effect.do) {
			case "hold":
				return this.#renegotiation.hold(effect.on);
			case "dialtone":
				return this.#dialtone(effect.on);
			case "refer":
				return this.#refer(effect.command);
			case "answer-notify":
				return this.referrer().leg?.respond(effect.transaction, effect.status);
			case "transfer-outcome":
				return this.deps.onTransfer(effect.transferIds, effect.outcome);
			case "dial-target":
				return this.#dialTarget(effect);
			case "join-target":
				return this.#moves.joinTarget();
			case "drop-target":
				return this.#rooms.abandon();
			case "move-room":
				return this.#moveRoom(effect.roomName);
			case "music":
				return this.#music(effect.music);
			case "answer-refer":
				return this.referrer().leg?.respond(effect.transaction, effect.status, effect.reason, undefined, effect.headers);
			case "notify-refer":
				return this.referrer().leg?.notify(effect.headers, effect.progress);
			default:
				return this.performOwn(effect);
		}
	}

	async #openMedia(): Promise<void> {
		try {
			const media = await this.deps.media.open((event) => this.#onMedia(event));
			if (this.#mediaClosed) return media.close();
			this.media = media;
			this.onMediaOpen(media);
		} catch (error) {
			if (!(error instanceof MediaUnavailableError)) throw error;
			this.deps.log.warn({ callId: this.callId, err: error }, "no RTP port for the call");
			const end: CallEnd = { by: "node", reason: "internal-error", message: error.message };
			this.dispatch({ type: "media-failed", status: 503, reason: "Service Unavailable", end });
		}
	}

	#onMedia(event: MediaEvent): void {
		if (event.type !== "digit" || this.#digits.accept("rtp", event.digit, this.deps.clock.now())) this.dispatch(event);
	}

	#onInfoDigits(digits: string): void {
		for (const digit of digits) {
			const code = dtmfCode(digit);
			if (code !== undefined && this.#digits.accept("info", digit, this.deps.clock.now())) this.dispatch({ type: "digit", code, digit });
		}
	}

	async #joinRoom(): Promise<void> {
		const link = this.#rooms.current;
		try {
			const room = await this.#join(link, this.roomIdentity());
			if (room === undefined) return;
			this.records.patch({ participantId: room.participantSid });
			const occupied = room.participants().some((other) => other.kind === "sip");
			this.dispatch({ type: "room-joined", occupied });
		} catch (error) {
			if (link.left) return;
			if (!(error instanceof RoomJoinError)) throw error;
			if (error.closeReason === undefined) {
				this.deps.log.warn({ callId: this.callId, err: error }, "the room cannot be joined");
				this.dispatch({ type: "room-failed", message: error.message });
			} else this.dispatch({ type: "room-closed", reason: error.closeReason, message: error.message });
		}
	}

	async #join(link: RoomLink, identity: RoomIdentity): Promise<RoomSession | undefined> {
		const projectId = this.projectId();
		const [url, token] = await Promise.all([this.deps.roomUrl(projectId), this.deps.token(identity, projectId)]);
		return link.join(this.deps.rooms, { url, token, publishCodecs: this.publishCodecs(), trackName: identity.identity });
	}

	/** The telephone's own law first: its packets then go through untouched. */
	protected publishCodecs(): readonly ("PCMU" | "PCMA" | "opus")[] {
		return ["PCMU", "PCMA", "opus"];
	}

	#onRoom(event: RoomEvent): void {
		switch (event.type) {
			case "participant-joined":
				if (event.participant.kind === "sip") this.dispatch({ type: "room-occupied" });
				return;
			case "track-subscribed":
				return this.dispatch({ type: "room-occupied", hears: this.#canHear(event.track.participantIdentity) });
			case "participant-left":
			case "track-unsubscribed":
			case "track-muted":
				return;
			case "dtmf":
				return this.dispatch({ type: "room-digits", digits: event.digits });
			case "closed":
				return this.dispatch({ type: "room-closed", reason: event.reason, message: event.message });
		}
	}

	/** An ingress or egress has audio without anybody who listens. */
	#canHear(identity: string): boolean {
		const kind = this.room?.participants().find((other) => other.identity === identity)?.kind;
		return kind !== "ingress" && kind !== "egress";
	}

	#early(to: "listen" | "speak"): void {
		if (this.media !== undefined) this.#rooms.current[to](this.media);
	}

	#bridge(): void {
		const { media } = this;
		if (media === undefined || this.room === undefined) return this.dispatch({ type: "fault", message: "bridge without media or room" });
		this.#rooms.current.bridge(media);
		media.watch(this.deps.mediaTimeoutMs.first, this.deps.mediaTimeoutMs.later);
		this.onBridged();
	}

	#ringback(on: boolean): void {
		this.#stopRingback?.();
		this.#stopRingback = undefined;
		const uplink: AudioUplink | undefined = this.room?.uplink;
		if (on && uplink !== undefined && this.media !== undefined) this.#stopRingback = this.media.playRingback(uplink);
	}

	#dialtone(on: boolean): void {
		this.#stopDialtone?.();
		this.#stopDialtone = on ? this.media?.ringPhone() : undefined;
	}

	#refer(command: TransferCommand): void {
		const { leg, uri, attributesToHeaders, allowsRefer, ...dialect } = this.referrer();
		// What RFC 3261 §20.5 lets the peer say beforehand it need not be asked for, where there is another way.
		if (allowsRefer === false && this.#state.bridgeTrunkId !== undefined)
			return this.dispatch({ type: "refer-answered", refer: command.transferId, status: 405, reason: "Method Not Allowed" });
		const attributes = this.room?.attributes() ?? {};
		const { headers, refused } = referHeaders(command, { referredBy: uri, attributes, attributesToHeaders }, dialect);
		if (refused.length > 0) this.deps.log.warn({ callId: this.callId, refused }, "headers that cannot be sent were left out");
		// Nothing that comes from outside may end the call for being unfit to be written.
		if (leg === undefined || headers === undefined)
			return this.dispatch({ type: "refer-answered", refer: command.transferId, cause: "transport" });
		leg.refer(command.transferId, headers);
	}

	/** As the participant is now: what was told of him in this room is true in the other one. */
	#moveRoom(roomName: string): void {
		// A rule's room configuration (agents above all) is for the room that the rule named.
		const { roomConfig: _, roomPreset: __, ...identity } = this.roomIdentity();
		this.#moves.toRoom({ ...identity, attributes: { ...identity.attributes, ...this.room?.attributes() }, roomName });
	}

	#music(music: HoldMusic | undefined): void {
		this.#stopMusic?.();
		this.#stopMusic = music === undefined ? undefined : this.media?.holdPhone(music);
	}

	#dialTarget({ target, trunkId, headers, ringingTimeoutMs }: Extract<Effect, { do: "dial-target" }>): void {
		const { ownNumber, line } = this.referrer();
		const request = { callId: this.callId, projectId: this.projectId(), ownNumber, line, target, trunkId, headers, ringingTimeoutMs };
		this.#moves.dialTarget(this.deps.dialSecondLeg, request);
	}

	async #sendDigits(digits: string, report: boolean): Promise<void> {
		await this.media?.sendDigits(digits);
		if (report) this.dispatch({ type: "digits-sent" });
	}

	protected setAttributes(attributes: Record<string, string>): void {
		this.#rooms.current.setAttributes(attributes);
	}

	#endRecord(end: CallEnd): void {
		this.deps.log.info({ callId: this.callId, by: end.by, reason: end.reason, sipStatus: end.sipStatus }, "call ended");
		this.records.end(this.deps.clock.now(), end);
		this.onEnded(end);
	}

	#setTimer(name: TimerName, at: number): void {
		this.#clearTimer(name);
		this.#timers.set(
			name,
			this.deps.clock.wakeAt(at, () => {
				this.#timers.delete(name);
				this.dispatch({ type: "timer", name });
			}),
		);
	}

	#clearTimer(name: TimerName): void {
		this.#timers.get(name)?.();
		this.#timers.delete(name);
	}

	#leaveRoom(): void {
		this.#rooms.leave();
	}

	#closeMedia(): void {
		this.#mediaClosed = true;
		this.media?.close();
		// Nothing may start it again.
		this.media = undefined;
	}

	#over(): void {
		for (const cancel of this.#timers.values()) cancel();
		this.#timers.clear();
		const gone = Promise.allSettled([this.#rooms.gone, this.records.settled()]);
		// A table or a room server that never answers must not keep the call, nor the node's shutdown.
		void within(this.deps.clock, LAST_WRITES_MS, gone).then(() => {
			this.#attempt("letting go of the call", () => this.deps.onOver(this.callId));
		});
	}
}

/** Longer than the retries of the record's end. */
const LAST_WRITES_MS = 10_000;
