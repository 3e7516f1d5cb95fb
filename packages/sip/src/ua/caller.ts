import type { Attempts, DigestClient } from "../auth/client.ts";
import { type Dialog, dialogOfCaller, tagOf } from "../dialog/dialog.ts";
import type { EndCause, FailureCause, LegId, SipInput } from "../endpoint-types.ts";
import { writeNameAddr } from "../grammar/name-addr.ts";
import { parseUri } from "../grammar/uri.ts";
import type { Millis } from "../machine.ts";
import type { Body, HeaderInput, SipMessage, SipRequest, SipResponse } from "../message/message.ts";
import type { TimerHandle } from "../timers.ts";
import type { Transaction, TransactionUser } from "../transaction/transaction.ts";
import { buildAck, buildCancel, buildRequest, contactValue } from "./build.ts";
import type { Core, Leg, LegInput } from "./core.ts";
import { isSips } from "./own-address.ts";
import { acknowledge, byeAtOnce } from "./in-dialog.ts";
import { bodyHasSdp, hasSdp } from "./offer-answer.ts";
import { readRSeq } from "./reliable.ts";
import { Session, type SessionOwner } from "./session.ts";
import { SessionTimer } from "./session-timer.ts";

type Call = Extract<SipInput, { kind: "call" }>;

/** An INVITE of ours and what comes of it (RFC 3261 §13.2). */
export class CallerLeg implements Leg, SessionOwner {
	readonly id: LegId;
	readonly #core: Core;
	readonly #call: Call;
	readonly #callId: string;
	readonly #localTag: string;
	readonly #localUser: string | undefined;
	readonly #digest: DigestClient;
	readonly #attempts: Attempts = { rounds: 0, realms: new Set() };
	readonly #timer: SessionTimer;
	/** dialogs that 1xx responses made, by To tag; the 2xx leaves one */
	readonly #early = new Map<string, Session>();
	/** CSeq numbers that early dialogs which are over have used, by To tag: their 2xx may still come */
	readonly #sequences = new Map<string, number>();
	/** To tags of early dialogs that a 199 ended */
	readonly #terminated = new Set<string>();
	/** To tag of the 2xx whose offer has no answer yet: its ACK waits for it */
	#unansweredOffer: string | undefined;
	/** offers in reliable 1xx that the driver has not answered */
	readonly #offers = new Map<
		string,
		(parts: { headers?: readonly HeaderInput[] | undefined; body?: Body | undefined }, now: Millis) => void
	>();
	/** To tags of the 2xx responses so far, each with what repeats its ACK */
	readonly #acks = new Map<string, () => void>();
	#state: "calling" | "answered" | "done" = "calling";
	#cseq: number;
	#invite: SipRequest | undefined;
	#branch = "";
	#transaction: Transaction | undefined;
	#session: Session | undefined;
	#provisionals = 0;
	#cancel: { headers: readonly HeaderInput[] | undefined; sent: boolean } | undefined;
	#cancelTimer: TimerHandle | undefined;

	constructor(core: Core, call: Call, now: Millis) {
		this.#core = core;
		this.#call = call;
		this.id = call.leg;
		this.#callId = call.callId ?? core.token(16);
		this.#localTag = call.localTag ?? core.tag();
		this.#localUser = parseUri(call.from.uri)?.user;
		this.#digest = core.digest(call.auth);
		this.#timer = new SessionTimer(call.sessionTimer ?? core.sessionTimer);
		// RFC 3261 §8.1.1.5: any start below 2**31; a small one leaves room to count.
		this.#cseq = (call.cseq ?? 1) - 1;
		core.legs.set(this.id, this);
		this.#sendInvite(now);
	}

	handle(input: LegInput, now: Millis): void {
		switch (input.kind) {
			case "cancel":
				this.#onCancel(input.headers, now);
				if (input.abandon === true) this.#transaction?.stopRepeating();
				return;
			case "bye":
				// The peer repeats its 2xx until an ACK comes, whatever is in it.
				this.#answerOffer(undefined);
				if (this.#session === undefined) this.#onCancel(input.headers, now);
				else this.#session.bye(input.headers, now);
				return;
			case "request":
				this.#request(input, now);
				return;
			case "ack":
				this.#answerOffer(input.body);
				return;
			case "prack":
				this.#offers.get(input.prack)?.(input, now);
				this.#offers.delete(input.prack);
				return;
			case "ring":
			case "accept":
			case "reject":
			case "call":
				return;
		}
	}

	onSessionEnd(by: "remote" | "local", cause: EndCause, request: SipRequest | undefined, now: Millis): void {
		// Only an answered dialog counts; an early one that goes leaves the INVITE to its final response.
		for (const [tag, session] of this.#early) if (session.state === "ended") this.#closeOne(tag, session, now);
		if (this.#state !== "answered") return;
		this.#leave(now);
		this.#core.emit({ type: "ended", leg: this.id, by, cause, ...(request && { request }) });
	}

	#sendInvite(now: Millis): void {
		const { requestUri, from, to, target, headers, body } = this.#call;
		this.#cseq++;
		const { request, branch } = buildRequest(
			this.#core,
			{
				method: "INVITE",
				uri: requestUri,
				from: writeNameAddr({ uri: from.uri, displayName: from.displayName ?? "", params: [{ name: "tag", value: this.#localTag }] }),
				to: writeNameAddr({ uri: to.uri, displayName: to.displayName ?? "", params: [] }),
				callId: this.#callId,
				cseq: this.#cseq,
				contact: contactValue(this.#core, this.#localUser, target, isSips(requestUri)),
				// RFC 7616 §3.4.6: uri is the Request-URI, byte for byte.
				fields: this.#digest.headersFor("INVITE", requestUri, body?.bytes),
				headers: [...this.#timer.requestHeaders(), ...(this.#call.reliable === true ? RELIABLY : []), ...(headers ?? [])],
				body,
			},
			target,
		);
		this.#invite = request;
		this.#branch = branch;
		const user = this.#userOf(request);
		this.#transaction = this.#core.layer.client(request, branch, target, user, now, (response, sent) => buildAck(sent, response));
	}

	/** Bound to one INVITE, so that late responses to the one before a challenge do not count. */
	#userOf(invite: SipRequest): TransactionUser {
		const current = (): boolean => this.#invite === invite && this.#state === "calling";
		return {
			onMessage: (message: SipMessage, now) => {
				if (message.kind === "response" && this.#invite === invite) this.#onResponse(message, now);
			},
			onTimeout: (now) => {
				if (current()) this.#fail("timeout", undefined, "no answer to INVITE", now);
			},
			onTransportError: (message, now) => {
				if (current()) this.#fail("transport", undefined, message, now);
			},
		};
	}

	#onResponse(response: SipResponse, now: Millis): void {
		if (response.status >= 200 && response.status < 300) {
			this.#onSuccess(response, now);
			return;
		}
		if (this.#state !== "calling") return;
		if (response.status < 200) {
			this.#onProvisional(response, now);
			return;
		}
		if ((response.status === 401 || response.status === 407) && this.#cancel === undefined) {
			const useless = this.#digest.learn(response, this.#attempts);
			if (useless !== undefined) {
				this.#fail("auth", response, useless, now);
				return;
			}
			this.#closeEarly(now);
			this.#sendInvite(now);
			return;
		}
		// RFC 4028 §7.3: the interval was too short; the same call again, with a longer one.
		if (response.status === 422 && this.#cancel === undefined && this.#timer.raise(response)) {
			this.#closeEarly(now);
			this.#sendInvite(now);
			return;
		}
		this.#fail("status", response, response.reason, now);
	}

	#onProvisional(response: SipResponse, now: Millis): void {
		this.#provisionals++;
		const session = this.#earlyDialog(response);
		const rseq = this.#call.reliable === true ? readRSeq(response) : undefined;
		const received = session !== undefined && rseq !== undefined ? this.#acknowledge(session, response, rseq, now) : { reliable: false };
		if (received !== undefined) this.#core.emit({ type: "provisional", leg: this.id, response, ...received });
		// RFC 6228 §4: "the early dialog is considered terminated"
		if (response.status === 199 && session !== undefined) {
			this.#terminated.add(tagOf(response, "to"));
			this.#closeOne(tagOf(response, "to"), session, now);
		}
		// RFC 3261 §9.1: "the client MUST wait for the arrival of a provisional response before sending the [CANCEL]"
		if (this.#cancel?.sent === false) this.#sendCancel(now);
	}

	/** The early dialog of a 1xx, made by the first one (RFC 3261 §12.1.2). */
	#earlyDialog(response: SipResponse): Session | undefined {
		const tag = tagOf(response, "to");
		if (response.status === 100 || tag === "" || this.#invite === undefined || this.#terminated.has(tag)) return undefined;
		const known = this.#early.get(tag);
		if (known !== undefined || this.#early.size + this.#terminated.size >= MAX_FORKS) return known;
		const session = this.#newSession(this.#dialog(this.#invite, response));
		this.#early.set(tag, session);
		return session;
	}

	/** RFC 3262 §4: PRACK to a reliable 1xx. undefined: it is a repetition, or one before it is missing; it is then as if it had not come. */
	#acknowledge(session: Session, response: SipResponse, rseq: number, now: Millis): { reliable: true; prack?: string } | undefined {
		if (session.reliable.receive(rseq) !== "next") return undefined;
		const rack: HeaderInput = ["RAck", `${rseq} ${this.#cseq} INVITE`];
		const offer = hasSdp(response) && session.exchange.responded("theirs") === "offer";
		if (!offer) {
			session.acknowledgeReliably({ method: "PRACK", headers: [rack] }, now);
			return { reliable: true };
		}
		// §5: "If the UAC receives a reliable provisional response with an offer …, it MUST generate an answer in the PRACK"
		const prack = this.#core.token(12);
		this.#offers.set(prack, ({ headers, body }, at) =>
			session.acknowledgeReliably({ method: "PRACK", headers: [rack, ...(headers ?? [])], body }, at),
		);
		return { reliable: true, prack };
	}

	#onSuccess(response: SipResponse, now: Millis): void {
		const tag = tagOf(response, "to");
		const repeat = this.#acks.get(tag);
		if (repeat !== undefined) {
			// RFC 3261 §13.2.2.4: the ACK is passed to the transport again for every repeated 2xx.
			repeat();
			return;
		}
		if (this.#invite === undefined || this.#acks.size >= MAX_FORKS) return;
		// The route set of an early dialog is computed anew from the 2xx (§13.2.2.4).
		const dialog = this.#dialog(this.#invite, response);
		const early = this.#early.get(tag);
		const taken = this.#state === "calling" && this.#cancel === undefined;
		// §13.2.2.4: "If the 2xx contains an offer (…) the ACK MUST carry an answer": the driver's, when it goes on with this dialog.
		const offers = taken && this.#call.delayedOffer === true && hasSdp(response) && early?.exchange.responded("theirs") !== "repeated";
		if (offers) this.#unansweredOffer = tag;
		this.#acks.set(tag, offers ? () => {} : acknowledge(this.#core, dialog, this.#invite));
		if (this.#state !== "calling" || this.#cancel !== undefined) {
			// Another fork, or an answer that crossed our CANCEL: acknowledged and hung up.
			byeAtOnce(this.#core, dialog, this.#digest, now);
			if (this.#state === "calling") this.#fail("cancelled", response, "answered while being cancelled", now);
			return;
		}
		this.#state = "answered";
		this.#early.delete(tag);
		this.#closeEarly(now);
		if (early !== undefined) early.confirm(dialog);
		this.#session = early ?? this.#newSession(dialog);
		this.#session.state = "confirmed";
		this.#session.exchange.settled();
		this.#session.refresh.answered(response, now);
		this.#core.emit({ type: "answered", leg: this.id, response });
	}

	#answerOffer(body: Body | undefined): void {
		const tag = this.#unansweredOffer;
		if (tag === undefined || this.#session === undefined || this.#invite === undefined) return;
		this.#unansweredOffer = undefined;
		this.#session.exchange.settled();
		this.#session.refresh.keep(body);
		this.#acks.set(tag, acknowledge(this.#core, this.#session.dialog, this.#invite, body));
	}

	#onCancel(headers: readonly HeaderInput[] | undefined, now: Millis): void {
		if (this.#state !== "calling" || this.#cancel !== undefined) return;
		this.#cancel = { headers, sent: false };
		this.#transaction?.stayWithTransport();
		if (this.#transaction?.state === "proceeding") this.#sendCancel(now);
	}

	#sendCancel(now: Millis): void {
		if (this.#cancel === undefined || this.#transaction === undefined) return;
		this.#cancel.sent = true;
		// §9.1: the same way as the INVITE, which may have been too large for UDP
		const { request: invite, remote } = this.#transaction;
		const request = buildCancel(this.#core, invite, this.#cancel.headers);
		this.#core.layer.client(request, this.#branch, remote, {}, now);
		// §9.1: without a final response "in 64*T1 seconds … the client SHOULD then consider the original transaction cancelled"
		this.#cancelTimer = this.#core.timers.set(now + this.#core.patience, (at) => {
			this.#transaction?.terminate(at);
			this.#fail("cancelled", undefined, "no final response to the cancelled INVITE", at);
		});
	}

	#request(input: Extract<SipInput, { kind: "request" }>, now: Millis): void {
		const [oldest] = this.#early.values();
		const early = input.dialog === undefined ? oldest : this.#early.get(input.dialog);
		const session = this.#session ?? early;
		if (session !== undefined) session.request(input.transaction, input, now);
		else this.#core.emit({ type: "in-dialog-response", leg: this.id, transaction: input.transaction, cause: "ended" });
	}

	#fail(why: FailureCause, response: SipResponse | undefined, message: string, now: Millis): void {
		const cause = this.#cancel === undefined ? why : "cancelled";
		this.#leave(now);
		const status = response === undefined ? {} : { status: response.status, response };
		this.#core.emit({ type: "failed", leg: this.id, ...status, cause, provisionals: this.#provisionals, message });
	}

	#leave(now: Millis): void {
		this.#state = "done";
		this.#core.timers.stop(this.#cancelTimer);
		this.#core.legs.delete(this.id);
		this.#closeEarly(now);
		this.#session?.close(now);
	}

	#closeEarly(now: Millis): void {
		for (const [tag, session] of this.#early) this.#closeOne(tag, session, now);
	}

	#closeOne(tag: string, session: Session, now: Millis): void {
		if (this.#sequences.size < MAX_SEQUENCES) this.#sequences.set(tag, session.dialog.localSeq);
		session.close(now);
		this.#early.delete(tag);
	}

	#dialog(invite: SipRequest, response: SipResponse): Dialog {
		const dialog = dialogOfCaller(invite, response, this.#call.target);
		const tag = dialog.remoteTag;
		// §12.2.1.1: numbers go up within a dialog; PRACKs and UPDATEs have used some.
		dialog.localSeq = Math.max(dialog.localSeq, this.#early.get(tag)?.dialog.localSeq ?? this.#sequences.get(tag) ?? 0);
		return dialog;
	}

	#newSession(dialog: Dialog): Session {
		const session = new Session(this.#core, this.id, dialog, this, this.#digest, this.#localUser, { timer: this.#timer, ownsCallId: true });
		if (bodyHasSdp(this.#call.body)) session.exchange.offered("ours");
		session.refresh.keep(this.#call.body);
		return session;
	}
}

/** Dialogs that one INVITE may make; a peer that invents more gets no more memory. */
const MAX_FORKS = 16;

/** A peer can end early dialogs and make others as often as it likes. */
const MAX_SEQUENCES = 64;

const RELIABLY: readonly HeaderInput[] = [["Supported", "100rel, 199"]];
