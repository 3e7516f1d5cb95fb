import type { CallEnd } from "@trunkline/contracts";
import { effectiveSettings } from "@trunkline/domain";
import { noMetrics } from "@trunkline/observability";
import type { Replaces } from "@trunkline/sip";
import type { CallDeps, Referrer } from "./call-deps.ts";
import { countryOf } from "./tone-country.ts";
import { CallRooms } from "./call-rooms.ts";
import { CallTimers } from "./call-timers.ts";
import { IncomingDigits } from "./digit-merge.ts";
import { farewellHeaders, peerReason } from "./farewell.ts";
import { LiveQuality } from "./live-quality.ts";
import { LocalDescription } from "./local-description.ts";
import { MediaTerms } from "./media-terms.ts";
import { legFailed, roomEvent } from "./peer-events.ts";
import {
	type AudioUplink,
	type HeaderList,
	type MediaEvent,
	type MediaSession,
	MediaUnavailableError,
	type ReplaceableCall,
	type RoomEvent,
	RoomJoinError,
	type RoomSession,
	type SipLeg,
	type SipLegEvent,
} from "./ports.ts";
import { Prompting } from "./prompting.ts";
import { recordQuality } from "./quality-metrics.ts";
import { RecordWriter } from "./record-writer.ts";
import { Recorder } from "./recorder.ts";
import { Reducing } from "./reducing.ts";
import { Renegotiation } from "./renegotiation.ts";
import type { DialogName } from "./replaceable.ts";
import type { RoomIdentity } from "./room-identity.ts";
import { type RoomLink, within } from "./room-link.ts";
import { roomRpc } from "./room-rpc.ts";
import type { CallEvent, CallState, Effect, Reduce } from "./state.ts";
import { CallStory } from "./story.ts";
import { TakeOver } from "./takeover.ts";
import { Transferring } from "./transferring.ts";

export type { RoomIdentity };

export type { CallDeps, CallLog, Referrer } from "./call-deps.ts";

/**
 * Carries out the effects of a call's reducer and feeds back what happens. What differs by direction is in `inbound-call.ts` and
 * `outbound-call.ts`; closing order is written in docs/closing.md.
 */
export abstract class CallRunner {
	readonly callId: string;
	protected readonly deps: CallDeps;
	protected readonly records: RecordWriter;
	protected readonly story: CallStory;
	protected readonly local: LocalDescription;
	protected media: MediaSession | undefined;
	readonly #rooms: CallRooms;
	readonly #transferring: Transferring;
	readonly #takeOver: TakeOver;
	readonly #renegotiation: Renegotiation;
	readonly #prompting: Prompting;
	readonly #recorder: Recorder;
	readonly #liveQuality: LiveQuality;
	readonly #digits = new IncomingDigits(
		() => this.deps.clock.now(),
		(event) => this.dispatch(event),
	);
	readonly #reducing: Reducing;
	readonly #timers: CallTimers;
	#stopRingback: (() => void) | undefined;
	#mediaClosed = false;
	/** headers for our BYE of whoever asked for the end */
	#lastWords: HeaderList = [];

	constructor(callId: string, given: CallDeps, initial: CallState, reduce: Reduce) {
		this.callId = callId;
		this.story = new CallStory({ callId, now: () => given.clock.now(), metrics: given.metrics, log: given.log });
		const deps: CallDeps = { ...given, log: this.story.log };
		this.deps = deps;
		this.#reducing = new Reducing({
			...{ callId, initial, reduce, log: deps.log },
			now: () => deps.clock.now(),
			perform: (effect) => this.#perform(effect),
		});
		this.#timers = new CallTimers(deps.clock, (name) => this.dispatch({ type: "timer", name }));
		const terms = new MediaTerms(deps.random, (media) => {
			this.records.patch({ media });
			this.story.agreed(media);
			if (media.keysInTheClear === true)
				deps.log.warn({ callId, srtp: media.srtp }, "the keys of encrypted audio travel in the clear: no TLS");
		});
		this.local = new LocalDescription(deps.random, terms);
		this.#rooms = new CallRooms({
			clock: deps.clock,
			onEvent: (event) => this.#onRoom(event),
			onProblem: (error, message) => deps.log.warn({ callId, err: error }, message),
		});
		const own = {
			...{ callId, deps, rooms: this.#rooms, local: this.local },
			media: () => this.media,
			referrer: () => this.referrer(),
			projectId: () => this.projectId(),
			dispatch: (event: CallEvent) => this.dispatch(event),
		};
		this.#transferring = new Transferring({
			...own,
			roomIdentity: () => this.roomIdentity(),
			bridgeTrunkId: () => this.#reducing.state.bridgeTrunkId,
			join: (link, identity) => this.#join(link, identity),
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
		this.#prompting = new Prompting({
			...own,
			language: () => effectiveSettings(this.referrer().settings).promptLanguage,
			run: (what, work) => this.run(what, work),
		});
		this.#recorder = new Recorder({
			...{ ...own, records: this.records },
			recordState: () => (this.#reducing.end === undefined ? "active" : "ended"),
			run: (what, work) => this.run(what, work),
		});
		this.#liveQuality = new LiveQuality({
			...{ callId, deps, stats: () => this.media?.stats() },
			summary: (stats) => this.local.terms.summary(stats),
		});
		this.#takeOver = new TakeOver({
			...{ ...own, records: this.records },
			isActive: () => this.phase === "active",
			dialog: () => this.dialog(),
			changeLeg: (leg, peerAddress) => this.changeLeg(leg, peerAddress),
			setAttributes: (attributes) => this.setAttributes(attributes),
			onLeg: (event) => this.onCurrentLeg(event),
		});
	}

	/** the room that the call is in */
	protected get room(): RoomSession | undefined {
		return this.#rooms.current.session;
	}

	/** where its media and rooms are */
	get #place(): string {
		return this.deps.place ?? this.callId;
	}

	get phase(): CallState["phase"] {
		return this.#reducing.state.phase;
	}

	/**
	 * Feeds one event; effects run before it returns, what they start asynchronously comes back as events. Never throws: it is called from sockets
	 * and timers, where nobody would catch.
	 */
	dispatch(event: CallEvent): void {
		this.#reducing.dispatch(event);
	}

	/** Of the leg that the call began with; once another one has its place, nobody cares. */
	onLeg(event: SipLegEvent): void {
		if (!this.#takeOver.done) this.onCurrentLeg(event);
	}

	/** SIP events common to both directions. */
	protected onCurrentLeg(event: SipLegEvent): void {
		switch (event.type) {
			case "acked":
				this.#renegotiation.onAcknowledged(event.sdp);
				this.media?.proven?.();
				return this.dispatch({ type: "acked" });
			case "ack-timeout":
				return this.dispatch({ type: event.type });
			case "cancelled":
				return this.dispatch(event);
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
				return this.dispatch(legFailed(event));
			case "info-digits":
				return this.#digits.onInfo(event.digits);
			case "answered":
			case "in-dialog":
				return this.onDialog(event);
			default:
				return this.#renegotiate(event);
		}
	}

	/** Offers and answers once the call stands, or nearly. */
	#renegotiate(event: Extract<SipLegEvent, { type: "update" | "pracked" | "reinvite" | "reinvite-answered" | "refreshed" }>): void {
		switch (event.type) {
			case "update":
				return this.#renegotiation.onUpdate(event);
			case "pracked":
				return this.#renegotiation.onPracked(event);
			case "reinvite":
				this.#mapHeaders(event.headers);
				return this.#renegotiation.onReinvite(event);
			case "reinvite-answered":
				return this.#renegotiation.onAnswered(event);
			case "refreshed":
				return this.#renegotiation.onRefreshed(event.sdp);
		}
	}

	/** What headers of the peer's later messages say by the trunk's map, as far as it is new. */
	#mapHeaders(headers: HeaderList = []): void {
		const known = this.room?.attributes() ?? {};
		const changed = Object.entries(this.attributesFrom(headers)).filter(([name, value]) => known[name] !== value);
		if (changed.length > 0) this.setAttributes(Object.fromEntries(changed));
	}

	#onBye(headers: HeaderList): void {
		const message = peerReason(headers);
		const attributes = { ...this.attributesFrom(headers), ...(message === undefined ? {} : { "sip.endReason": message }) };
		if (Object.keys(attributes).length > 0) this.setAttributes(attributes);
		this.dispatch({ type: "bye", ...(message === undefined ? {} : { message }) });
	}

	/** Headers of our BYE or CANCEL; `given` are from whoever asked for it. */
	protected farewell(given: HeaderList = this.#lastWords): HeaderList {
		const { attributesToHeaders } = this.referrer();
		const { headers, refused } = farewellHeaders(this.#reducing.end, {
			attributes: this.room?.attributes() ?? {},
			attributesToHeaders,
			given,
		});
		if (refused.length > 0) this.deps.log.warn({ callId: this.callId, refused }, "headers that cannot be sent were left out");
		return headers;
	}

	/** of the peer's message that made the call: its INVITE, or its answer to ours */
	protected abstract remoteHeaders(): HeaderList;
	/** Participant attributes that headers of the peer give, by the trunk's map. */
	protected abstract attributesFrom(headers: HeaderList): Record<string, string>;
	/** RFC 3891: when a Replaces names the call's dialog. */
	replaceable(replaces: Replaces): ReplaceableCall | undefined {
		return this.#takeOver.replaceable(replaces);
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
	protected abstract mediaFamily(): 4 | 6;
	protected abstract referrer(): Referrer;
	protected abstract projectId(): string;
	protected abstract roomIdentity(): RoomIdentity;
	/** After the port is open: inbound answers the offer here. Throws nothing; reports through `dispatch`. */
	protected abstract onMediaOpen(media: MediaSession): void;

	/** Another call's room, and its participant there, in the place of this one's. */
	protected takeRoom(link: RoomLink): void {
		if (this.media === undefined) throw new Error("a call without media has no use for a room");
		this.#rooms.take(link, this.media);
	}

	protected onEnded(_end: CallEnd): void {}

	protected onProvisional(_event: Extract<SipLegEvent, { type: "provisional" }>): void {}

	/** The telephone and the room hear each other from now on. */
	protected onBridged(): void {}

	/** Starts work whose failure is a fault of ours (or of a service below): it ends the call with a reason instead of the process. */
	protected run(what: string, work: Promise<unknown>): void {
		work.catch((error: unknown) => this.#reducing.fault(what, error));
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
				return this.#ringback(effect.on, effect.tone);
			case "send-digits":
				return this.run("sending digits", this.#sendDigits(effect.digits, effect.report));
			case "digit-to-room":
				this.#recordDigit(effect.digit);
				return this.room?.sendDtmf(effect.code, effect.digit);
			case "attributes":
				return this.setAttributes(effect.attributes);
			case "record":
				this.records.transition(effect.from, effect.to, this.deps.clock.now(), effect.event, effect.detail, effect.patch);
				this.story.step(effect.to, effect.event, effect.detail, effect.patch?.answeredAt);
				return this.#recorder.onRecord(effect.to);
			case "end-record":
				return this.#endRecord(effect.end);
			case "timer":
				return this.#timers.set(effect.name, effect.at);
			case "clear-timer":
				return this.#timers.clear(effect.name);
			case "leave-room":
				return this.#rooms.leave();
			case "close-media":
				return this.#closeMedia();
			case "over":
				return this.#over();
			default:
				return this.#performTransfer(effect);
		}
	}

	#performTransfer(effect: Effect): void {
		if (effect.do === "hold") this.#renegotiation.hold(effect.on);
		else if (effect.do === "record-audio") this.#recorder.command(effect.command);
		else if (this.#prompting.perform(effect)) return;
		else if (!this.#transferring.perform(effect)) this.performOwn(effect);
	}

	async #openMedia(): Promise<void> {
		try {
			const media = await this.deps.media.open((event) => this.#onMedia(event), this.mediaFamily(), this.#place);
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
		if (event.type === "quality") {
			recordQuality(this.deps.metrics ?? noMetrics, event);
			return this.#liveQuality.onSample();
		}
		if (event.type === "secured") return this.local.terms.secured(event.suite);
		if (event.type === "recorded") this.#recorder.onRecorded(event);
		else if (event.type === "media-lost") this.dispatch({ type: "fault", message: `media-failed: ${event.message}` });
		else this.#digits.onMedia(event);
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
		return link.join(this.deps.rooms, {
			...{ url, token, publishCodecs: this.publishCodecs(), trackName: identity.identity, place: this.#place },
			renewToken: () => this.deps.token(identity, projectId),
			onRpc: roomRpc({ remoteHeaders: () => this.remoteHeaders(), endCall: (headers) => this.#hangUp(headers) }),
		});
	}

	/** The telephone's own law first: its packets then go through untouched. */
	protected publishCodecs(): readonly ("PCMU" | "PCMA" | "opus")[] {
		return this.local.terms.publishCodecs();
	}

	#onRoom(event: RoomEvent): void {
		const heard = roomEvent(event, this.room);
		if (heard !== undefined) this.dispatch(heard);
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

	#ringback(on: boolean, tone?: "busy" | "congestion"): void {
		this.#stopRingback?.();
		this.#stopRingback = undefined;
		const uplink: AudioUplink | undefined = this.room?.uplink;
		if (on && uplink !== undefined && this.media !== undefined)
			this.#stopRingback = this.media.playRingback(uplink, countryOf(this.referrer()), tone);
	}

	async #sendDigits(digits: string, report: boolean): Promise<void> {
		await this.media?.sendDigits(digits);
		if (report) this.dispatch({ type: "digits-sent" });
	}

	#hangUp(lastWords: HeaderList): void {
		this.#lastWords = lastWords;
		this.dispatch({ type: "hang-up" });
	}

	protected setAttributes(attributes: Record<string, string>): void {
		this.#rooms.current.setAttributes(attributes);
	}

	#endRecord(end: CallEnd): void {
		this.story.ended(end);
		this.records.end(this.deps.clock.now(), end);
		this.onEnded(end);
	}

	#closeMedia(): void {
		this.#mediaClosed = true;
		const { media } = this;
		// Nothing may start it again.
		this.media = undefined;
		if (media === undefined) return;
		const summary = Promise.resolve(media.stats()).then((stats) => this.local.terms.summary(stats));
		// with the record's end, which comes right after
		this.records.patchWith(summary.then((told) => (told === undefined ? {} : { media: told })));
		media.close();
	}

	#over(): void {
		this.#timers.clearAll();
		const gone = Promise.allSettled([this.#rooms.gone, this.#recorder.settled(), this.records.settled()]);
		// A table or a room server that never answers must not keep the call, nor the node's shutdown.
		void within(this.deps.clock, LAST_WRITES_MS, gone).then(() => {
			this.#reducing.attempt("letting go of the call", () => this.deps.onOver(this.callId));
		});
	}
}

/** Longer than the retries of the record's end. */
const LAST_WRITES_MS = 10_000;
