import type { Attempts, DigestClient } from "../auth/client.ts";
import { contactUri, type Dialog, dialogKey, followConnection } from "../dialog/dialog.ts";
import type { Address, EndCause, LegId, SipEvent } from "../endpoint-types.ts";
import type { Millis } from "../machine.ts";
import type { Envelope } from "../message/envelope.ts";
import type { HeaderInput, SipMessage, SipRequest, SipResponse } from "../message/message.ts";
import { writeMessage } from "../message/write.ts";
import type { TimerHandle } from "../timers.ts";
import type { Transaction } from "../transaction/transaction.ts";
import { unsupportedExtensions } from "./admission.ts";
import { buildAck, buildResponse, contactValue, type ResponseParts } from "./build.ts";
import type { Answer, Core, DialogOwner } from "./core.ts";
import { acknowledge, buildInDialog, type OutgoingRequest } from "./in-dialog.ts";
import { bodyHasSdp, hasSdp, OfferAnswer } from "./offer-answer.ts";
import { isSipsDialog } from "./own-address.ts";
import { SessionRefresh } from "./refresh.ts";
import { ReliableReceiver } from "./reliable.ts";
import { type SessionTimer, tooSmall } from "./session-timer.ts";
import { cancelWhenStalled } from "./stalled-invite.ts";

export interface SessionOwner {
	/** The dialog is gone: by a BYE, or because nobody is at the other end any more. Called once. */
	onSessionEnd(by: "remote" | "local", cause: EndCause, request: SipRequest | undefined, now: Millis): void;
	/** PRACK: whether it acknowledges a response of ours (RFC 3262 §3). When it has been answered, `proceed` sends what waited for it. */
	onPrack?(request: SipRequest): boolean;
	proceed?(now: Millis): void;
}

type Outcome = { response: SipResponse; cause?: "auth" } | { response?: undefined; cause: "timeout" | "transport" | "ended" };

/** A 2xx to INVITE that waits for its ACK (RFC 3261 §13.3.1.4). */
interface Unacknowledged {
	retransmit: TimerHandle | undefined;
	giveUp: TimerHandle;
}

/** Requests of one peer in one dialog that are remembered at a time: each is for 32 s, and quick fingers on SIP INFO make a few a second. */
const MAX_SERVED = 128;

/** A PRACK is tried again so many times. */
const MOST_PRACKS = 3;

/** One dialog and what happens inside it, for either side: requests both ways, 2xx until ACK, BYE. */
export class Session implements DialogOwner {
	state: "early" | "confirmed" | "ending" | "ended" = "early";
	dialog: Dialog;
	readonly refresh: SessionRefresh;
	readonly exchange = new OfferAnswer();
	/** responses of an early dialog of ours that the peer sends reliably */
	readonly reliable = new ReliableReceiver();
	readonly #core: Core;
	readonly #leg: LegId;
	readonly #owner: SessionOwner;
	readonly #digest: DigestClient;
	readonly #localUser: string | undefined;
	readonly #key: string;
	/** by CSeq number */
	readonly #unacknowledged = new Map<number, Unacknowledged>();
	/** server transactions that the driver has not answered, with their names */
	readonly #unanswered = new Map<Transaction, string>();
	readonly #sent = new Map<Transaction, (outcome: Outcome, now: Millis) => void>();
	#bye: { headers: readonly HeaderInput[] | undefined } | undefined;
	/** server transactions of this dialog that live, answered or not */
	#serving = 0;

	constructor(
		core: Core,
		leg: LegId,
		dialog: Dialog,
		owner: SessionOwner,
		digest: DigestClient,
		localUser: string | undefined,
		timer: { timer: SessionTimer; ownsCallId: boolean },
	) {
		this.#core = core;
		this.#leg = leg;
		this.dialog = dialog;
		this.#owner = owner;
		this.#digest = digest;
		this.#localUser = localUser;
		this.#key = dialogKey(dialog.callId, dialog.localTag, dialog.remoteTag);
		core.dialogs.set(this.#key, this);
		this.refresh = new SessionRefresh(core, timer.timer, timer.ownsCallId, {
			send: (outgoing, done, now) => this.#ask(outgoing, ({ response }, at) => done(response, at), now),
			busy: () => this.#inviting(),
			onRefreshed: (response) => core.emit({ type: "refreshed", leg, response }),
			onExpired: (now) => {
				// RFC 4028 §10: without a refresh the session is over; RFC 3326: the BYE says why.
				if (this.state === "confirmed") this.#sendBye(EXPIRED, now, "session-expired");
			},
		});
	}

	/** The 2xx that makes an early dialog a confirmed one also says its route and target anew (RFC 3261 §13.2.2.4). */
	confirm(dialog: Dialog): void {
		const { localSeq, remoteSeq } = this.dialog;
		this.dialog = { ...dialog, localSeq: Math.max(localSeq, dialog.localSeq), remoteSeq };
	}

	/** Sends a 2xx and repeats it until the ACK, on every transport (RFC 3261 §13.3.1.4). */
	answer(transaction: Transaction, response: SipResponse, cseq: number, now: Millis): void {
		const { t1, t2 } = this.#core.layer.constants;
		const entry: Unacknowledged = {
			retransmit: undefined,
			giveUp: this.#core.timers.set(now + this.#core.patience, (at) => this.#ackTimeout(cseq, at)),
		};
		const repeatAfter = (interval: Millis, from: Millis): void => {
			entry.retransmit = this.#core.timers.set(from + interval, (at) => {
				transaction.onResponse(response, at);
				repeatAfter(Math.min(2 * interval, t2), at);
			});
		};
		this.#unacknowledged.set(cseq, entry);
		if (this.state === "early") this.state = "confirmed";
		transaction.onResponse(response, now);
		repeatAfter(t1, now);
	}

	/** ACK to one of our 2xx responses; a repeated one does nothing. `cseq` is that of the INVITE. */
	onAck(request: SipRequest, cseq: number, now: Millis): void {
		if (!this.#settle(cseq)) return;
		if (this.exchange.pending === "ours") this.exchange.settled();
		this.#core.emit({ type: "acked", leg: this.#leg, request });
		if (this.#bye !== undefined && this.#unacknowledged.size === 0) this.#sendBye(this.#bye.headers, now);
	}

	/** Ends it with BYE; before the ACK of our 2xx it waits (RFC 3261 §15: "the callee … MUST NOT send a BYE on a confirmed dialog until it has received an ACK"). */
	bye(headers: readonly HeaderInput[] | undefined, now: Millis): void {
		if (this.state !== "confirmed" || this.#bye !== undefined) return;
		this.#bye = { headers };
		if (this.#unacknowledged.size === 0) this.#sendBye(headers, now);
	}

	/** PRACK: nobody hears of its answer, which says nothing about the dialog. */
	acknowledgeReliably(outgoing: OutgoingRequest, now: Millis): void {
		if (bodyHasSdp(outgoing.body)) this.exchange.acknowledged("ours");
		this.refresh.keep(outgoing.body);
		let left = MOST_PRACKS;
		const send = (from: Millis): void => this.#send(outgoing, newAttempts(), again, from);
		const again = ({ response }: Outcome, at: Millis): void => {
			// A later request of ours has overtaken it (RFC 3261 §12.2.2): with a number of its own it is in order.
			if (response?.status === 500 && left-- > 0 && (this.state === "early" || this.state === "confirmed")) send(at);
		};
		send(now);
	}

	/** A request of the driver. */
	request(transaction: string, outgoing: OutgoingRequest, now: Millis): void {
		const leg = this.#leg;
		const report = ({ response, cause }: Outcome | { response?: undefined; cause: "glare" }): void => {
			// RFC 3261 §14.1: who met the other's INVITE waits a while of his own.
			const retryAfter =
				cause === "glare" || (response?.status === 491 && outgoing.method === "INVITE") ? this.refresh.glareWait() : undefined;
			const wait = retryAfter === undefined ? {} : { retryAfter };
			this.#core.emit({ type: "in-dialog-response", leg, transaction, ...(response && { response }), ...(cause && { cause }), ...wait });
		};
		if (this.state === "ending" || this.state === "ended") report({ cause: "ended" });
		// §14.1: "MUST NOT initiate a new INVITE transaction within a dialog while another INVITE transaction is in progress in either direction"
		else if (outgoing.method === "INVITE" && this.#inviting()) report({ cause: "glare" });
		// RFC 3311 §5.1: no offer in an UPDATE while another one waits for its answer.
		else if (outgoing.method === "UPDATE" && bodyHasSdp(outgoing.body) && this.exchange.pending !== undefined) report({ cause: "glare" });
		else this.#ask(outgoing, report, now);
	}

	/** Sends a request and ends the dialog when the answer says that there is none any more. */
	#ask(outgoing: OutgoingRequest, report: (outcome: Outcome, at: Millis) => void, now: Millis): void {
		const done = (outcome: Outcome, at: Millis): void => {
			const { response, cause } = outcome;
			report(outcome, at);
			// RFC 3261 §12.2.1.2: 481, or nothing at all, means that the dialog is gone at the other end.
			if (response?.status === 481 || response?.status === 408 || cause === "timeout") this.#abandon(at);
		};
		this.#send(outgoing, newAttempts(), done, now);
	}

	/** An INVITE transaction is in progress, in either direction (RFC 3261 §14.1). */
	#inviting(): boolean {
		if (this.#unacknowledged.size > 0) return true;
		return [...this.#unanswered.keys(), ...this.#sent.keys()].some((other) => other.request.method === "INVITE");
	}

	onRequest(request: SipRequest, envelope: Envelope, responseTo: Address, now: Millis): void {
		followConnection(this.dialog, responseTo);
		if (request.method === "ACK") {
			this.onAck(request, envelope.cseq, now);
			return;
		}
		if (this.#serving >= MAX_SERVED && request.method !== "BYE") {
			this.#refuse(request, responseTo);
			return;
		}
		this.#serving++;
		const transaction = this.#core.layer.server(
			request,
			envelope,
			responseTo,
			this.#userOf(() => transaction, envelope.cseq),
			now,
		);
		const { remoteSeq } = this.dialog;
		// RFC 3261 §12.2.2: "lower … MUST be rejected with a 500"; an equal number is no new request either (§12.2.1.1: strictly increasing).
		if (remoteSeq !== undefined && envelope.cseq <= remoteSeq) {
			this.#reply(transaction, { status: 500 }, now);
			return;
		}
		this.dialog.remoteSeq = envelope.cseq;
		if (request.method === "BYE") {
			this.#onBye(transaction, request, now);
			return;
		}
		if (this.state === "ending") {
			this.#reply(transaction, { status: 481 }, now);
			return;
		}
		const unsupported = unsupportedExtensions(request, this.#core.options.supported ?? []);
		const short = isRefresh(request.method) ? tooSmall(request, this.refresh.timer.options) : undefined;
		if (short !== undefined) this.#reply(transaction, short, now);
		else if (unsupported.length > 0) this.#reply(transaction, { status: 420, headers: [["Unsupported", unsupported.join(", ")]] }, now);
		else if (request.method === "INVITE") this.#onReinvite(transaction, request, envelope, now);
		else if (request.method === "PRACK") this.#onPrack(transaction, request, envelope, now);
		else if (request.method === "OPTIONS")
			this.#reply(transaction, { status: 200, headers: [["Allow", this.#core.allowed.join(", ")]] }, now);
		else if (!this.#core.serves(request.method))
			this.#reply(transaction, { status: 405, headers: [["Allow", this.#core.allowed.join(", ")]] }, now);
		else if (request.method === "UPDATE") this.#onUpdate(transaction, request, envelope, now);
		else this.#report("in-dialog", transaction, request, envelope);
	}

	/** Answers without keeping anything. 500 ends neither dialog nor usage (RFC 5057 §5.1). */
	#refuse(request: SipRequest, responseTo: Address): void {
		const refusal = { status: 500, headers: [["Retry-After", "5"]] as const, toTag: this.dialog.localTag };
		this.#core.layer.transmit(writeMessage(buildResponse(this.#core, request, refusal)), responseTo);
	}

	/** Forgets everything without a word to the peer. Idempotent. */
	close(now: Millis): void {
		if (this.state === "ended") return;
		this.state = "ended";
		this.refresh.stop();
		this.#core.dialogs.delete(this.#key);
		for (const cseq of [...this.#unacknowledged.keys()]) this.#settle(cseq);
		// RFC 3261 §15.1.2: "The UAS MUST still respond to any pending requests received for that dialog … 487"
		for (const transaction of [...this.#unanswered.keys()]) this.#reply(transaction, { status: 487 }, now);
		for (const [transaction, done] of [...this.#sent]) {
			this.#sent.delete(transaction);
			// An INVITE that got a 1xx has no timer any more: nothing else would ever end it.
			if (transaction.state === "proceeding" && transaction.request.method === "INVITE") transaction.terminate(now);
			done({ cause: "ended" }, now);
		}
	}

	#onBye(transaction: Transaction, request: SipRequest, now: Millis): void {
		this.#reply(transaction, { status: 200 }, now);
		// Both hung up at once: our BYE goes on repeating on its own, the leg is over now.
		this.#end("remote", "bye", request, now);
	}

	#onReinvite(transaction: Transaction, request: SipRequest, envelope: Envelope, now: Millis): void {
		const invitePending = [...this.#unanswered.keys()].some((other) => other.request.method === "INVITE");
		// RFC 3261 §14.2: a second INVITE before the final response to the first → 500 with Retry-After of 0..10 s.
		if (this.state === "early" || invitePending) {
			this.#reply(transaction, this.#later(), now);
			return;
		}
		// §14.2: "A UAS that receives an INVITE on a dialog while an INVITE it had sent on that dialog is in progress MUST return a 491"; an UPDATE
		// with an offer of ours counts alike.
		if (
			[...this.#sent.keys()].some(
				(other) => other.request.method === "INVITE" || (other.request.method === "UPDATE" && hasSdp(other.request)),
			)
		) {
			this.#reply(transaction, { status: 491 }, now);
			return;
		}
		transaction.onResponse(buildResponse(this.#core, request, { status: 100 }), now);
		if (hasSdp(request)) this.exchange.offered("theirs");
		this.#report("reinvite", transaction, request, envelope);
	}

	/** RFC 3311 §5.2. */
	#onUpdate(transaction: Transaction, request: SipRequest, envelope: Envelope, now: Millis): void {
		const updating = [...this.#unanswered.keys()].some((other) => other.request.method === "UPDATE");
		const { pending } = this.exchange;
		// "If a UA receives an UPDATE before it has generated a final response to a previous UPDATE … MUST return a 500 … with Retry-After";
		// so it does when it has not answered another offer yet.
		if (updating || (hasSdp(request) && pending === "theirs")) this.#reply(transaction, this.#later(), now);
		// "… an offer … to which it has not yet received an answer, the UAS MUST reject the UPDATE with a 491"
		else if (hasSdp(request) && pending === "ours") this.#reply(transaction, { status: 491 }, now);
		else {
			if (hasSdp(request)) this.exchange.offered("theirs");
			this.#report("update", transaction, request, envelope);
		}
	}

	/** RFC 3262 §3, §5. */
	#onPrack(transaction: Transaction, request: SipRequest, envelope: Envelope, now: Millis): void {
		if (this.#owner.onPrack?.(request) !== true) {
			this.#reply(transaction, { status: 481 }, now);
			return;
		}
		if (hasSdp(request) && this.exchange.acknowledged("theirs") === "offer") this.#report("pracked", transaction, request, envelope);
		else {
			this.#reply(transaction, { status: 200 }, now);
			this.#core.emit({ type: "pracked", leg: this.#leg, request });
		}
		this.#owner.proceed?.(now);
	}

	/** RFC 3261 §14.2, RFC 3311 §5.2: 500 with a Retry-After drawn from 0 to 10 s. */
	#later(): ResponseParts {
		const [byte = 0] = this.#core.options.random(1);
		return { status: 500, headers: [["Retry-After", String(byte % 11)]] };
	}

	#report(type: "reinvite" | "in-dialog" | "update" | "pracked", transaction: Transaction, request: SipRequest, envelope: Envelope): void {
		const pending = { respond: (answer: Answer, at: Millis) => this.#respond(transaction, envelope, answer, at) };
		const name = this.#core.await(pending);
		this.#unanswered.set(transaction, name);
		const { remoteTag } = this.dialog;
		this.#core.emit({ type, leg: this.#leg, transaction: name, request, ...(type === "update" && { dialog: remoteTag }) } as SipEvent);
	}

	#respond(transaction: Transaction, envelope: Envelope, answer: Answer, now: Millis): void {
		if (answer.status < 200 || answer.status > 299 || transaction.request.method !== "INVITE") {
			this.#reply(transaction, answer, now);
			return;
		}
		this.#forgetUnanswered(transaction);
		this.#refreshTarget(transaction.request);
		this.refresh.keep(answer.body);
		if (hasSdp(transaction.request)) this.exchange.settled();
		else if (bodyHasSdp(answer.body)) this.exchange.offered("ours");
		this.answer(transaction, this.#response(transaction, this.#timed(transaction.request, answer, now)), envelope.cseq, now);
	}

	#reply(transaction: Transaction, parts: ResponseParts, now: Millis): void {
		// An offer that was let in (its request is reported then) has its answer now, or never gets one.
		if (parts.status >= 200 && this.#unanswered.has(transaction) && hasSdp(transaction.request)) this.exchange.settled();
		if (parts.status >= 200) this.#forgetUnanswered(transaction);
		const updates = parts.status >= 200 && parts.status < 300 && transaction.request.method === "UPDATE";
		if (updates) this.#refreshTarget(transaction.request);
		if (updates) this.refresh.keep(parts.body);
		transaction.onResponse(this.#response(transaction, updates ? this.#timed(transaction.request, parts, now) : parts), now);
	}

	/** With what a 2xx to INVITE or UPDATE says of the session timer (RFC 4028 §9). */
	#timed<Parts extends { headers?: readonly HeaderInput[] | undefined }>(request: SipRequest, parts: Parts, now: Millis): Parts {
		return { ...parts, headers: [...this.refresh.answer(request, now), ...(parts.headers ?? [])] };
	}

	#response(transaction: Transaction, parts: ResponseParts): SipResponse {
		const { request, remote } = transaction;
		const refreshes = (request.method === "INVITE" || request.method === "UPDATE") && parts.status > 100 && parts.status < 300;
		const contact = refreshes ? { contact: contactValue(this.#core, this.#localUser, remote, isSipsDialog(this.dialog)) } : {};
		return buildResponse(this.#core, request, { ...parts, ...contact, toTag: this.dialog.localTag });
	}

	#userOf(transaction: () => Transaction, cseq: number) {
		return {
			localTag: this.dialog.localTag,
			// An ACK to our 2xx that has the re-INVITE's branch (RFC 6026 §7.1: passed on in Accepted); with one of its own it comes by the dialog.
			onMessage: (ack: SipMessage, now: Millis) => {
				if (ack.kind === "request") this.onAck(ack, cseq, now);
			},
			onTerminated: () => {
				this.#serving--;
				this.#forgetUnanswered(transaction());
			},
			onCancel: (now: Millis) => this.#reply(transaction(), { status: 487 }, now),
		};
	}

	#forgetUnanswered(transaction: Transaction): void {
		const name = this.#unanswered.get(transaction);
		if (name === undefined) return;
		this.#unanswered.delete(transaction);
		this.#core.pending.delete(name);
	}

	/** false when nothing waited for this ACK */
	#settle(cseq: number): boolean {
		const entry = this.#unacknowledged.get(cseq);
		if (entry === undefined) return false;
		this.#unacknowledged.delete(cseq);
		this.#core.timers.stop(entry.retransmit);
		this.#core.timers.stop(entry.giveUp);
		return true;
	}

	/** §13.3.1.4: "If the server retransmits the 2xx response for 64*T1 seconds without receiving an ACK … the session SHOULD be terminated … with a BYE" */
	#ackTimeout(cseq: number, now: Millis): void {
		this.#settle(cseq);
		this.#core.emit({ type: "ack-timeout", leg: this.#leg });
		if (this.state === "confirmed") this.#sendBye(this.#bye?.headers, now, "ack-timeout");
	}

	/** The peer has no such dialog any more; a BYE tells whoever may still be on the way. */
	#abandon(now: Millis): void {
		if (this.state === "confirmed") this.#sendBye(undefined, now, "gone");
	}

	#sendBye(headers: readonly HeaderInput[] | undefined, now: Millis, cause?: EndCause): void {
		this.state = "ending";
		this.refresh.stop();
		for (const cseq of [...this.#unacknowledged.keys()]) this.#settle(cseq);
		const done = (outcome: Outcome, at: Millis): void => this.#end("local", cause ?? byeCause(outcome), undefined, at);
		this.#send({ method: "BYE", headers }, newAttempts(), done, now);
	}

	#end(by: "remote" | "local", cause: EndCause, request: SipRequest | undefined, now: Millis): void {
		if (this.state === "ended") return;
		this.close(now);
		this.#owner.onSessionEnd(by, cause, request, now);
	}

	#send(outgoing: OutgoingRequest, attempts: Attempts, done: (outcome: Outcome, now: Millis) => void, now: Millis): void {
		const refreshes = isRefresh(outgoing.method);
		const timed = refreshes ? { ...outgoing, headers: [...this.refresh.timer.requestHeaders(), ...(outgoing.headers ?? [])] } : outgoing;
		const { request, branch, to } = buildInDialog(this.#core, this.dialog, timed, this.#digest, this.#localUser);
		const offers = refreshes && bodyHasSdp(outgoing.body);
		if (offers) this.exchange.offered("ours");
		let repeatAck: (() => void) | undefined;
		let stopWatching: (() => void) | undefined;
		const finish = (outcome: Outcome, at: Millis): void => {
			if (!this.#sent.delete(transaction)) return;
			if (offers) this.exchange.settled();
			done(outcome, at);
		};
		const onMessage = (message: SipMessage, at: Millis): void => {
			if (message.kind !== "response" || message.status < 200) return;
			if (message.status < 300 && request.method === "INVITE") {
				if (repeatAck === undefined) this.#refreshTarget(message);
				if (repeatAck === undefined) repeatAck = acknowledge(this.#core, this.dialog, request);
				else repeatAck();
			}
			const again = (): void => {
				this.#sent.delete(transaction);
				this.#send(outgoing, attempts, done, at);
			};
			if (message.status === 401 || message.status === 407) {
				const useless = this.#digest.learn(message, attempts);
				if (useless === undefined && this.state !== "ended") again();
				else finish({ response: message, cause: "auth" }, at);
				return;
			}
			// RFC 4028 §7.3: a 422 is answered by the same request with the larger interval.
			if (message.status === 422 && refreshes && this.#sent.has(transaction) && this.refresh.timer.raise(message)) {
				again();
				return;
			}
			if (message.status < 300 && refreshes && this.#sent.has(transaction)) {
				this.refresh.keep(outgoing.body);
				this.refresh.answered(message, at);
			}
			finish({ response: message }, at);
		};
		const user = {
			onMessage,
			onTimeout: (at: Millis) => finish({ cause: "timeout" }, at),
			onTransportError: (_: string, at: Millis) => finish({ cause: "transport" }, at),
			onTerminated: () => stopWatching?.(),
		};
		const transaction: Transaction = this.#core.layer.client(request, branch, to, user, now, (response, sent) => buildAck(sent, response));
		this.#sent.set(transaction, done);
		if (request.method === "INVITE")
			stopWatching = cancelWhenStalled(this.#core, transaction, branch, (at) => finish({ cause: "timeout" }, at), now);
	}

	/** RFC 3261 §12.2.1.2, §12.2.2: a target refresh replaces the remote target, never the route set. */
	#refreshTarget(message: SipRequest | SipResponse): void {
		this.dialog.remoteTarget = contactUri(message) ?? this.dialog.remoteTarget;
	}
}

/** Target refresh requests, which a session timer counts (RFC 4028 §7, §8). */
const isRefresh = (method: string): boolean => method === "INVITE" || method === "UPDATE";

const EXPIRED: readonly HeaderInput[] = [["Reason", 'SIP ;cause=408 ;text="Session timer expired"']];

function byeCause(outcome: Outcome): EndCause {
	if (outcome.response === undefined) return outcome.cause === "ended" ? "bye" : outcome.cause;
	if (outcome.response.status < 300) return "bye";
	return outcome.response.status === 481 || outcome.response.status === 408 ? "gone" : "error";
}

function newAttempts(): Attempts {
	return { rounds: 0, realms: new Set() };
}
