import { dialogOfCallee } from "../dialog/dialog.ts";
import type { Address, EndCause, LegId } from "../endpoint-types.ts";
import { parseUri } from "../grammar/uri.ts";
import type { Millis } from "../machine.ts";
import type { Envelope } from "../message/envelope.ts";
import { header } from "../message/headers.ts";
import type { SipMessage, SipRequest } from "../message/message.ts";
import type { TimerHandle } from "../timers.ts";
import type { Transaction, TransactionUser } from "../transaction/transaction.ts";
import { buildResponse, contactValue, type ResponseParts } from "./build.ts";
import type { Core, Leg, LegInput } from "./core.ts";
import { asksForSips } from "./own-address.ts";
import { bodyHasSdp, hasSdp } from "./offer-answer.ts";
import { RELIABLE } from "./option-tags.ts";
import { readRAck, reliability, ReliableResponses } from "./reliable.ts";
import { Session, type SessionOwner } from "./session.ts";
import { SessionTimer, type SessionTimerOptions } from "./session-timer.ts";

/** A caller that has our 100 repeats nothing itself, so that one lost packet must not leave it without an answer. */
const SPARING_REPEATS = 1;

/** A peer's INVITE and what comes of it (RFC 3261 §13.3). */
export class CalleeLeg implements Leg, SessionOwner, TransactionUser {
	readonly id: LegId;
	readonly localTag: string;
	readonly #core: Core;
	readonly #request: SipRequest;
	readonly #envelope: Envelope;
	readonly #session: Session;
	readonly #transaction: Transaction;
	readonly #localUser: string | undefined;
	#reliable: ReliableResponses | undefined;
	/** the 200 waits for the PRACK of a 1xx with SDP */
	#accepting: Extract<LegInput, { kind: "accept" }> | undefined;
	#expires: TimerHandle | undefined;
	#state: "ringing" | "answered" | "done" = "ringing";

	/** Sends 100 and reports `incoming`. `remote` is where the INVITE came from, `responseTo` where its responses go. */
	constructor(core: Core, request: SipRequest, envelope: Envelope, remote: Address, responseTo: Address, now: Millis) {
		this.#core = core;
		this.#request = request;
		this.#envelope = envelope;
		this.id = core.token(12);
		this.localTag = core.tag();
		this.#localUser = parseUri(request.uri)?.user ?? parseUri(envelope.to.uri)?.user;
		core.legs.set(this.id, this);
		this.#session = new Session(
			core,
			this.id,
			dialogOfCallee(request, this.localTag, envelope.cseq, remote),
			this,
			core.digest(undefined),
			this.#localUser,
			{ timer: new SessionTimer(core.sessionTimer), ownsCallId: false },
		);
		if (hasSdp(request)) this.#session.exchange.offered("theirs");
		this.#transaction = core.layer.server(request, envelope, responseTo, this, now);
		// RFC 3261 §17.2.1: 100 unless a response is sure to follow within 200 ms; at once, because the driver has to ask others.
		this.#transaction.onResponse(buildResponse(core, request, { status: 100 }), now);
		this.#startExpires(now);
		core.emit({ type: "incoming", leg: this.id, request, remote, localTag: this.localTag });
	}

	handle(input: LegInput, now: Millis): void {
		switch (input.kind) {
			case "ring":
				if (this.#state === "ringing" && this.#accepting === undefined) this.#ring(input, now);
				return;
			case "accept":
				// RFC 3262 §3: no 2xx while a reliable 1xx with a session description waits for its PRACK.
				if (this.#state === "ringing" && this.#reliable?.holdsAnswer === true) this.#accepting ??= input;
				else if (this.#state === "ringing") this.#accept(input, now);
				return;
			case "reject":
				if (this.#state !== "ringing") return;
				if (input.sparing === true) this.#transaction.repeats = SPARING_REPEATS;
				this.#reject(input, now);
				return;
			case "bye":
				if (this.#state === "ringing") this.#hangUpRinging(input.headers, now);
				else this.#session.bye(input.headers, now);
				return;
			case "request":
				this.#session.request(input.transaction, input, now);
				return;
			case "cancel":
			case "prack":
			case "ack":
			case "call":
				return;
		}
	}

	onPrack(request: SipRequest): boolean {
		return this.#reliable?.acknowledge(readRAck(request)) !== undefined;
	}

	proceed(now: Millis): void {
		this.#reliable?.proceed(now);
		const accepting = this.#accepting;
		if (accepting !== undefined && this.#state === "ringing" && this.#reliable?.holdsAnswer !== true) this.#accept(accepting, now);
	}

	/** RFC 3261 §9.2: "SHOULD immediately respond to the original request with a 487" */
	onCancel(now: Millis): void {
		if (this.#state !== "ringing") return;
		this.#reject({ status: 487 }, now);
		this.#core.emit({ type: "cancelled", leg: this.id, request: this.#request });
	}

	/** RFC 6026 §7.1: an ACK to our 2xx with the branch of the INVITE matches its transaction; peers after RFC 3261 give it one of its own. */
	onMessage(ack: SipMessage, now: Millis): void {
		if (ack.kind === "request") this.#session.onAck(ack, this.#envelope.cseq, now);
	}

	onSessionEnd(by: "remote" | "local", cause: EndCause, request: SipRequest | undefined, now: Millis): void {
		// A BYE on the early dialog (RFC 3261 §15: the caller may) ends the INVITE like a CANCEL.
		if (this.#state === "ringing") {
			this.onCancel(now);
			return;
		}
		this.#leave(now);
		this.#core.emit({ type: "ended", leg: this.id, by, cause, ...(request && { request }) });
	}

	#accept(parts: Omit<ResponseParts, "status"> & { sessionTimer?: SessionTimerOptions }, now: Millis): void {
		this.#state = "answered";
		this.#core.timers.stop(this.#expires);
		this.#reliable?.finish();
		const { refresh, exchange } = this.#session;
		if (bodyHasSdp(parts.body)) exchange.responded("ours");
		if (parts.sessionTimer !== undefined) refresh.timer.options = parts.sessionTimer;
		refresh.keep(parts.body);
		const headers = [...refresh.answer(this.#request, now), ...(parts.headers ?? [])];
		this.#session.answer(this.#transaction, this.#build({ ...parts, headers, status: 200 }), this.#envelope.cseq, now);
	}

	#ring(input: Extract<LegInput, { kind: "ring" }>, now: Millis): void {
		const { status, reason, headers, body } = input;
		const parts = { status, reason, headers, body };
		this.#session.refresh.keep(body);
		const theirs = this.#core.options.supported?.includes(RELIABLE) === true ? reliability(this.#request) : "none";
		// RFC 3262 §3: "If the INVITE contains … Require: 100rel, the UAS MUST send all non-100 provisional responses reliably"
		if (theirs === "required" || (theirs === "supported" && input.reliable === true)) this.#reliably().send(parts, now);
		else this.#respond(parts, now);
	}

	#reliably(): ReliableResponses {
		const { timers, layer, options } = this.#core;
		this.#reliable ??= new ReliableResponses({
			timers,
			t1: layer.constants.t1,
			cseq: this.#envelope.cseq,
			random: options.random(4),
			transmit: (parts, rseq, repeated, now) => {
				if (!repeated && bodyHasSdp(parts.body)) this.#session.exchange.responded("ours");
				const headers = [["Require", RELIABLE], ["RSeq", String(rseq)], ...(parts.headers ?? [])] as const;
				this.#respond({ ...parts, headers }, now);
			},
			// RFC 3262 §3: "the UAS SHOULD reject the original request with a 5xx response"
			onTimeout: (now) => {
				this.#reject({ status: 504 }, now);
				this.#core.emit({ type: "cancelled", leg: this.id, request: this.#request, cause: "prack-timeout" });
			},
		});
		return this.#reliable;
	}

	/** Whoever has accepted waits for an end of the call, though the 200 never left. */
	#hangUpRinging(headers: ResponseParts["headers"], now: Millis): void {
		const accepted = this.#accepting !== undefined;
		this.#reject({ status: 480, headers }, now);
		if (accepted) this.#core.emit({ type: "ended", leg: this.id, by: "local", cause: "bye" });
	}

	#reject(parts: ResponseParts, now: Millis): void {
		this.#reliable?.finish();
		this.#respond(parts, now);
		this.#leave(now);
	}

	#respond(parts: ResponseParts, now: Millis): void {
		this.#transaction.onResponse(this.#build(parts), now);
	}

	#build(parts: ResponseParts): ReturnType<typeof buildResponse> {
		const { status, reason, headers, body } = parts;
		// Contact makes the dialog's target (§12.1.1); a redirect brings its own in `headers`.
		const contact = status < 300 ? { contact: this.#contact() } : {};
		return buildResponse(this.#core, this.#request, { status, reason, headers, body, toTag: this.localTag, ...contact });
	}

	#contact(): string {
		return contactValue(this.#core, this.#localUser, this.#transaction.remote, asksForSips(this.#request));
	}

	#leave(now: Millis): void {
		this.#state = "done";
		this.#reliable?.finish();
		this.#core.timers.stop(this.#expires);
		this.#core.legs.delete(this.id);
		this.#session.close(now);
	}

	/** RFC 3261 §13.3.1: when the INVITE's Expires runs out before the answer, 487. */
	#startExpires(now: Millis): void {
		const seconds = header(this.#request, "expires");
		if (seconds === undefined || !/^\d{1,9}$/.test(seconds)) return;
		this.#expires = this.#core.timers.set(now + Number(seconds) * 1000, (at) => this.onCancel(at));
	}
}
