import { randomInt } from "node:crypto";
import { EventEmitter } from "node:events";
import {
	type Body,
	type HeaderInput,
	type ReferProgress,
	type SipEvent,
	type SipInput,
	type SipRequest,
	type SipResponse,
} from "@trunkline/sip";
import {
	answerOffer,
	type AudioCodec,
	createOffer,
	type Direction,
	type LocalCrypto,
	type LocalDtls,
	type LocalMedia,
	type Negotiated,
	readAnswer,
	type SdpProblem,
} from "@trunkline/sdp";
import type { CallEnd } from "./call-end.ts";
import { CallFailedError, PhoneError } from "./errors.ts";
import type { CallMedia, MediaStats } from "./media.ts";
import type { Recording } from "./recording.ts";
import { type AudioSource, pcmSource, silence, toneSource } from "./sources.ts";
import { sdpBody, sdpOf } from "./text.ts";

export type CallState = "calling" | "ringing" | "answered" | "ended";

/** Instants of `performance.now()`. */
export interface CallTiming {
	startedAt: number;
	ringingAt?: number;
	answeredAt?: number;
	endedAt?: number;
}

export interface CallEvents {
	/** 1xx above 100, to an outgoing call */
	provisional: [{ status: number; reason: string; response: SipResponse }];
	ringing: [];
	answered: [Negotiated];
	/** last event */
	ended: [CallEnd];
	/** a digit begins to be pressed on the far side */
	dtmf: [string];
	/** how a REFER of ours goes (RFC 3515 §2.4.4) */
	referral: [ReferProgress];
	/** the source that was played is over */
	played: [];
}

/** What a call needs of its phone. */
export interface CallLine {
	feed(input: SipInput): void;
	openMedia(call: PhoneCall): Promise<CallMedia>;
	/** what we offer and answer with; the version grows with each description */
	localMedia(media: CallMedia, codecs: readonly AudioCodec[], sessionId: number, version: number): LocalMedia;
	/** a request inside the call that is no re-INVITE */
	asked(call: PhoneCall, transaction: string, request: SipRequest): void;
	/** the call is over; its socket is free when `closed` resolves */
	forget(call: PhoneCall, closed: Promise<void> | undefined): void;
}

/** What a new offer changes. */
export interface Renegotiation {
	direction?: Direction;
	codecs?: readonly AudioCodec[];
	crypto?: LocalCrypto | undefined;
	newPort?: boolean;
}

/** One call of a phone, either direction. */
export abstract class PhoneCall extends EventEmitter<CallEvents> {
	abstract readonly direction: "outgoing" | "incoming";
	readonly leg: string;
	readonly timing: CallTiming = { startedAt: performance.now() };
	/** digits pressed on the far side so far */
	digits = "";
	protected readonly line: CallLine;
	protected media: CallMedia | undefined;
	protected codecs: readonly AudioCodec[];
	/** @internal SRTP and our keys; unset: in the clear */
	crypto: LocalCrypto | undefined;
	/** @internal the same of a handshake */
	dtls: LocalDtls | undefined;
	protected local: LocalMedia | undefined;
	#direction: Direction = "sendrecv";
	readonly #sessionId = randomInt(2 ** 31);
	#version = 0;
	#state: CallState = "calling";
	#end: CallEnd | undefined;
	#source: AudioSource = silence;
	#answerTimer: NodeJS.Timeout | undefined;
	/** requests of ours that wait for an answer */
	readonly #requests = new Map<string, (response: SipResponse | undefined) => void>();
	/** set when we end the call for a reason of our own, which the SIP event does not know */
	#endReason: Pick<CallEnd, "cause" | "reason"> | undefined;
	#finalStats: MediaStats | undefined;

	constructor(line: CallLine, leg: string, codecs: readonly AudioCodec[]) {
		super();
		this.line = line;
		this.leg = leg;
		this.codecs = codecs;
	}

	get state(): CallState {
		return this.#state;
	}

	/** set once the call is over */
	get end(): CallEnd | undefined {
		return this.#end;
	}

	/** what was heard; RTP that comes before the answer (early media) too */
	get received(): Recording {
		return this.requireMedia().recording;
	}

	get negotiated(): Negotiated | undefined {
		return this.media?.negotiated;
	}

	/** our RTP port, and where packets go to */
	get rtp(): { localPort: number; remote: { address: string; port: number } | undefined } {
		const media = this.requireMedia();
		return { localPort: media.port, remote: media.remote };
	}

	stats(): MediaStats {
		return this.#finalStats ?? this.media?.stats() ?? { packetsSent: 0, packetsReceived: 0, packetsLost: 0, jitterMs: 0, srtpErrors: 0 };
	}

	/** Resolves when the call is answered; rejects with CallFailedError when it ends before that. */
	async answered(): Promise<Negotiated> {
		const negotiated = this.negotiated;
		if (this.#state === "answered" && negotiated !== undefined) return negotiated;
		return new Promise((resolve, reject) => {
			if (this.#end !== undefined) return reject(new CallFailedError(this.#end));
			this.once("answered", resolve);
			this.once("ended", (end) => reject(new CallFailedError(end)));
		});
	}

	/** Resolves when the call is over, however it ended. */
	async ended(): Promise<CallEnd> {
		if (this.#end !== undefined) return this.#end;
		return new Promise((resolve) => this.once("ended", resolve));
	}

	/** Resolves when the far side has pressed as many digits in all; rejects with PhoneError when the call ends before. */
	async waitForDigits(count: number): Promise<string> {
		while (this.digits.length < count) {
			if (this.#end !== undefined) throw new PhoneError(`the call ended after the digits "${this.digits}"`);
			await new Promise<void>((resolve) => {
				const done = (): void => {
					this.off("dtmf", done);
					this.off("ended", done);
					resolve();
				};
				this.on("dtmf", done);
				this.on("ended", done);
			});
		}
		return this.digits;
	}

	/** session interval that was agreed upon (RFC 4028), in seconds; unset = none, or the call is not answered by the far side */
	sessionSeconds: number | undefined;

	/** Sends digits (0-9 * # A-D, w = half a second of nothing) as telephone-event, each held for `toneMs` (default 160). */
	sendDtmf(digits: string, toneMs?: number): void {
		if (this.#state !== "answered") throw new PhoneError("digits can be sent in an answered call only");
		if (this.negotiated?.telephoneEvent === undefined) throw new PhoneError("the far side does not take digits (no telephone-event)");
		if (!this.requireMedia().sendDtmf(digits, toneMs)) throw new PhoneError(`not all of "${digits}" are digits (0-9 * # A-D w)`);
	}

	/** Says PCM of 8 kHz into the call; silence follows, and the event "played". May be set before the answer. */
	play(pcm: Int16Array, options: { loop?: boolean } = {}): void {
		this.setSource(pcmSource(pcm, options.loop));
	}

	/** A steady tone of this RMS level (dBov; a full-scale sine is −3). */
	tone(hz: number, levelDbov = -20): void {
		this.setSource(toneSource(hz, levelDbov));
	}

	silence(): void {
		this.setSource(silence);
	}

	/** Any other source; it is asked for 20 ms right before each packet leaves. */
	setSource(source: AudioSource): void {
		this.#source = source;
		this.media?.play(source);
	}

	/** Asks the far side to call somebody else (RFC 3515); resolves with its answer, `referral` events tell how it goes. Rejects when there is none. */
	async refer(target: string, headers: readonly HeaderInput[] = []): Promise<{ status: number; reason: string }> {
		const transaction = `refer-${randomInt(2 ** 31)}`;
		const answered = new Promise<{ status: number; reason: string }>((resolve, reject) => {
			this.#requests.set(transaction, (response) =>
				response === undefined ? reject(new PhoneError("the far side did not answer the REFER")) : resolve(response),
			);
		});
		this.line.feed({ kind: "request", leg: this.leg, transaction, method: "REFER", headers: [["Refer-To", target], ...headers] });
		return answered;
	}

	/** Calls for every RTP packet that belongs to the call, before it is forgotten: the object is reused, its payload is not. */
	onRtp(listener: NonNullable<CallMedia["onRtp"]>): void {
		this.requireMedia().onRtp = listener;
	}

	/** Sends these bytes from the call's RTP port to the peer, at once. */
	sendRtp(packet: Uint8Array): void {
		this.requireMedia().sendRaw(packet);
	}

	/** Ends the call in whatever state: BYE, CANCEL or 480. Nothing when it is over. */
	hangup(headers: readonly HeaderInput[] = []): void {
		if (this.#state !== "ended") this.line.feed({ kind: "bye", leg: this.leg, headers });
	}

	/**
	 * A new offer inside the call (re-INVITE), with these keys from now on, or in the clear. Gives the final status; when the far side refuses, all stays
	 * as it was.
	 */
	async reoffer(crypto: LocalCrypto | undefined): Promise<number> {
		return this.renegotiate({ crypto });
	}

	/**
	 * A new offer inside the call (re-INVITE) with what changes; the rest stays. `newPort`: RTP goes by another port from now on, and so does `received`.
	 * Gives the final status; when the far side refuses, all stays as it was.
	 */
	async renegotiate(change: Renegotiation): Promise<number> {
		const before = { media: this.requireMedia(), crypto: this.crypto, codecs: this.codecs, direction: this.#direction };
		if ("crypto" in change) this.crypto = change.crypto;
		this.codecs = change.codecs ?? this.codecs;
		this.#direction = change.direction ?? this.#direction;
		if (change.newPort === true) {
			this.media = await this.line.openMedia(this);
			this.media.play(this.#source);
		}
		const media = this.requireMedia();
		const local = this.describe(media);
		const response = await this.ask("INVITE", { body: sdpBody(createOffer(local)) });
		const answer = response?.status === 200 ? readAnswer(sdpOf(response) ?? "", local) : undefined;
		if (answer?.ok === true) {
			this.connected(answer.negotiated);
			if (media !== before.media) await before.media.close();
		} else {
			if (media !== before.media) await media.close();
			({ media: this.media, crypto: this.crypto, codecs: this.codecs, direction: this.#direction } = before);
		}
		return response?.status ?? 0;
	}

	/** Any request inside the call; gives its final response, undefined when there is none. */
	ask(method: string, parts: { headers?: readonly HeaderInput[]; body?: Body } = {}): Promise<SipResponse | undefined> {
		const transaction = `${method}-${randomInt(2 ** 31)}`;
		return new Promise((resolve) => {
			this.#requests.set(transaction, resolve);
			this.line.feed({ kind: "request", leg: this.leg, transaction, method, ...parts });
		});
	}

	/** @internal events of the SIP endpoint for this leg */
	onSip(event: Exclude<SipEvent, { type: "incoming" } | { type: "out-of-dialog" }>): void {
		switch (event.type) {
			case "provisional":
				this.onEarly(event);
				return this.#onProvisional(event.response);
			case "answered":
				return this.onAnswered(event.response);
			case "failed":
				return this.#onFailed(event);
			case "cancelled":
				return this.finish({ answered: false, by: "remote", cause: "cancelled", status: 487, reason: "the caller gave up" });
			case "acked":
				return this.onAcked(event.request);
			case "ended":
				return this.#onEnded(event);
			case "reinvite":
				return this.#onReinvite(event.transaction, event.request);
			case "in-dialog":
				return this.line.asked(this, event.transaction, event.request);
			case "in-dialog-response":
				this.#requests.get(event.transaction)?.(event.response);
				this.#requests.delete(event.transaction);
				return undefined;
			case "update":
				return this.#onUpdate(event.transaction, event.request);
			case "ack-timeout":
			case "pracked":
			case "registration":
			case "refreshed":
				return undefined;
		}
	}

	/** @internal the phone is closed: over at once, whether the far side knows or not */
	abandon(): void {
		this.finish({ answered: this.#state === "answered", by: "local", cause: "closed", reason: "the phone was closed" });
	}

	protected onAcked(_request: SipRequest): void {}

	protected onEarly(_event: Extract<SipEvent, { type: "provisional" }>): void {}

	protected onAnswered(_response: SipResponse): void {}

	protected requireMedia(): CallMedia {
		if (this.media === undefined) throw new PhoneError("the call has no audio yet");
		return this.media;
	}

	protected async openMedia(): Promise<CallMedia> {
		this.media ??= await this.line.openMedia(this);
		this.media.play(this.#source);
		return this.media;
	}

	/** Our side of the next offer or answer. */
	protected describe(media: CallMedia): LocalMedia {
		this.#version += 1;
		const { crypto, dtls } = this;
		const common = this.line.localMedia(media, this.codecs, this.#sessionId, this.#version);
		this.local = { ...common, direction: this.#direction, ...(crypto && { crypto }), ...(dtls && { dtls }) };
		return this.local;
	}

	protected ringsNow(): void {
		if (this.#state !== "calling") return;
		this.#state = "ringing";
		this.timing.ringingAt = performance.now();
		this.emit("ringing");
	}

	/** Audio flows from here on. */
	protected connected(negotiated: Negotiated): void {
		clearTimeout(this.#answerTimer);
		this.requireMedia().start(negotiated);
		if (this.#state === "answered" || this.#state === "ended") return;
		this.#state = "answered";
		this.timing.answeredAt = performance.now();
		this.emit("answered", negotiated);
	}

	protected giveUpAfter(timeoutMs: number): void {
		this.#answerTimer = setTimeout(() => {
			this.#endReason = { cause: "no-answer", reason: `no answer within ${timeoutMs / 1000} s` };
			this.line.feed({ kind: "cancel", leg: this.leg });
			// RFC 3261 §9.1: a CANCEL waits for a provisional answer; where nobody answers at all the person need not wait for it.
			if (this.#state === "calling") this.finish({ answered: false, by: "local", cause: "no-answer", reason: "" });
		}, timeoutMs);
	}

	protected endForMedia({ reason }: SdpProblem): void {
		this.#endReason = { cause: "media", reason };
		this.line.feed({ kind: "bye", leg: this.leg });
	}

	protected finish(end: CallEnd): void {
		if (this.#state === "ended") return;
		this.#state = "ended";
		this.#end = { ...end, ...this.#endReason };
		this.timing.endedAt = performance.now();
		clearTimeout(this.#answerTimer);
		this.#finalStats = this.media?.stats();
		this.line.forget(this, this.media?.close());
		this.emit("ended", this.#end);
	}

	#onProvisional(response: SipResponse): void {
		if (response.status === 100) return;
		this.emit("provisional", { status: response.status, reason: response.reason, response });
		if (response.status === 180) this.ringsNow();
	}

	#onFailed(event: Extract<SipEvent, { type: "failed" }>): void {
		const { status, response, cause, message } = event;
		this.finish({
			answered: false,
			by: cause === "cancelled" ? "local" : "remote",
			cause,
			...(status !== undefined && { status }),
			reason: response === undefined || response.reason === "" ? message : response.reason,
		});
	}

	#onEnded(event: Extract<SipEvent, { type: "ended" }>): void {
		const reason = event.cause === "bye" ? "hung up" : `ended (${event.cause})`;
		this.finish({ answered: this.timing.answeredAt !== undefined, by: event.by, cause: event.cause, reason });
	}

	/** UPDATE (RFC 3311): like a re-INVITE, or without SDP to keep the session alive. */
	#onUpdate(transaction: string, request: SipRequest): void {
		if (sdpOf(request) === undefined) this.line.feed({ kind: "respond", transaction, status: 200 });
		else this.#onReinvite(transaction, request);
	}

	/** The far side changes something: hold, another address (RFC 3261 §14.2). */
	#onReinvite(transaction: string, request: SipRequest): void {
		const offer = sdpOf(request);
		const media = this.media;
		const answer = offer === undefined || media === undefined ? undefined : answerOffer(offer, this.describe(media));
		if (answer === undefined || !answer.ok) {
			this.line.feed({ kind: "respond", transaction, status: 488 });
			return;
		}
		this.line.feed({ kind: "accept", leg: this.leg, transaction, body: sdpBody(answer.answerSdp) });
		this.connected(answer.negotiated);
	}
}
