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
import { Session, type SessionOwner } from "./session.ts";
import { SessionTimer, type SessionTimerOptions } from "./session-timer.ts";

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
	#expires: TimerHandle | undefined;
	#state: "ringing" | "answered" | "done" = "ringing";

	/** Sends 100 and reports `incoming`. `remote` is where the INVITE came from, `responseTo` where its responses go. */
	constructor(core: Core, request: SipRequest, envelope: Envelope, remote: Address, responseTo: Address, now: Millis) {
		this.#core = core;
		this.#request = request;
		this.#envelope = envelope;
		this.id = core.token(12);
		this.localTag = core.token(8);
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
		this.#transaction = core.layer.server(request, envelope, responseTo, this, now);
		// RFC 3261 §17.2.1: 100 unless a response is sure to follow within 200 ms; at once, because the driver has to ask others.
		this.#transaction.onResponse(buildResponse(core, request, { status: 100 }), now);
		this.#startExpires(now);
		core.emit({ type: "incoming", leg: this.id, request, remote, localTag: this.localTag });
	}

	handle(input: LegInput, now: Millis): void {
		switch (input.kind) {
			case "ring":
				if (this.#state === "ringing") this.#respond(input, now);
				return;
			case "accept":
				if (this.#state === "ringing") this.#accept(input, now);
				return;
			case "reject":
				if (this.#state === "ringing") this.#reject(input, now);
				return;
			case "bye":
				if (this.#state === "ringing") this.#reject({ status: 480, headers: input.headers }, now);
				else this.#session.bye(input.headers, now);
				return;
			case "request":
				this.#session.request(input.transaction, input, now);
				return;
			case "cancel":
			case "call":
				return;
		}
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
		const { refresh } = this.#session;
		if (parts.sessionTimer !== undefined) refresh.timer.options = parts.sessionTimer;
		refresh.keep(parts.body);
		const headers = [...refresh.answer(this.#request, now), ...(parts.headers ?? [])];
		this.#session.answer(this.#transaction, this.#build({ ...parts, headers, status: 200 }), this.#envelope.cseq, now);
	}

	#reject(parts: ResponseParts, now: Millis): void {
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
