import type { Attempts, DigestClient } from "../auth/client.ts";
import { contactUri, type Dialog, dialogKey, routing } from "../dialog/dialog.ts";
import { nextHop } from "../dialog/next-hop.ts";
import type { Address, EndCause, LegId } from "../endpoint-types.ts";
import type { Millis } from "../machine.ts";
import type { Envelope } from "../message/envelope.ts";
import { field } from "../message/headers.ts";
import type { Body, HeaderField, HeaderInput, SipMessage, SipRequest, SipResponse } from "../message/message.ts";
import { writeMessage } from "../message/write.ts";
import type { TimerHandle } from "../timers.ts";
import type { Transaction } from "../transaction/transaction.ts";
import { unsupportedExtensions } from "./admission.ts";
import { buildAck, buildRequest, buildResponse, contactValue, type ResponseParts } from "./build.ts";
import type { Answer, Core, DialogOwner } from "./core.ts";

export interface SessionOwner {
	/** The dialog is gone: by a BYE, or because nobody is at the other end any more. Called once. */
	onSessionEnd(by: "remote" | "local", cause: EndCause, request: SipRequest | undefined, now: Millis): void;
}

export interface OutgoingRequest {
	method: string;
	headers?: readonly HeaderInput[] | undefined;
	body?: Body | undefined;
}

type Outcome = { response: SipResponse; cause?: "auth" } | { response?: undefined; cause: "timeout" | "transport" | "ended" };

/** A 2xx to INVITE that waits for its ACK (RFC 3261 §13.3.1.4). */
interface Unacknowledged {
	retransmit: TimerHandle | undefined;
	giveUp: TimerHandle;
}

/** Requests of one peer in one dialog that are remembered at a time: each is for 32 s, and quick fingers on SIP INFO make a few a second. */
const MAX_SERVED = 128;

/** One dialog and what happens inside it, for either side: requests both ways, 2xx until ACK, BYE. */
export class Session implements DialogOwner {
	state: "early" | "confirmed" | "ending" | "ended" = "early";
	dialog: Dialog;
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

	constructor(core: Core, leg: LegId, dialog: Dialog, owner: SessionOwner, digest: DigestClient, localUser: string | undefined) {
		this.#core = core;
		this.#leg = leg;
		this.dialog = dialog;
		this.#owner = owner;
		this.#digest = digest;
		this.#localUser = localUser;
		this.#key = dialogKey(dialog.callId, dialog.localTag, dialog.remoteTag);
		core.dialogs.set(this.#key, this);
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
		this.#core.emit({ type: "acked", leg: this.#leg, request });
		if (this.#bye !== undefined && this.#unacknowledged.size === 0) this.#sendBye(this.#bye.headers, now);
	}

	/** Ends it with BYE; before the ACK of our 2xx it waits (RFC 3261 §15: "the callee … MUST NOT send a BYE on a confirmed dialog until it has received an ACK"). */
	bye(headers: readonly HeaderInput[] | undefined, now: Millis): void {
		if (this.state !== "confirmed" || this.#bye !== undefined) return;
		this.#bye = { headers };
		if (this.#unacknowledged.size === 0) this.#sendBye(headers, now);
	}

	/** A request of the driver. */
	request(transaction: string, outgoing: OutgoingRequest, now: Millis): void {
		const leg = this.#leg;
		const report = (outcome: Outcome, at: Millis): void => {
			const { response, cause } = outcome;
			this.#core.emit({ type: "in-dialog-response", leg, transaction, ...(response && { response }), ...(cause && { cause }) });
			// RFC 3261 §12.2.1.2: 481, or nothing at all, means that the dialog is gone at the other end.
			if (response?.status === 481 || response?.status === 408 || cause === "timeout") this.#abandon(at);
		};
		if (this.state === "ending" || this.state === "ended") report({ cause: "ended" }, now);
		else this.#send(outgoing, newAttempts(), report, now);
	}

	onRequest(request: SipRequest, envelope: Envelope, responseTo: Address, now: Millis): void {
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
		if (unsupported.length > 0) this.#reply(transaction, { status: 420, headers: [["Unsupported", unsupported.join(", ")]] }, now);
		else if (request.method === "INVITE") this.#onReinvite(transaction, request, envelope, now);
		else if (request.method === "OPTIONS")
			this.#reply(transaction, { status: 200, headers: [["Allow", this.#core.allowed.join(", ")]] }, now);
		else if (this.#core.allowed.includes(request.method)) this.#report("in-dialog", transaction, request, envelope);
		else this.#reply(transaction, { status: 405, headers: [["Allow", this.#core.allowed.join(", ")]] }, now);
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
			const [byte = 0] = this.#core.options.random(1);
			this.#reply(transaction, { status: 500, headers: [["Retry-After", String(byte % 11)]] }, now);
			return;
		}
		// §14.2: "A UAS that receives an INVITE on a dialog while an INVITE it had sent on that dialog is in progress MUST return a 491"
		if ([...this.#sent.keys()].some((other) => other.request.method === "INVITE")) {
			this.#reply(transaction, { status: 491 }, now);
			return;
		}
		transaction.onResponse(buildResponse(this.#core, request, { status: 100 }), now);
		this.#report("reinvite", transaction, request, envelope);
	}

	#report(type: "reinvite" | "in-dialog", transaction: Transaction, request: SipRequest, envelope: Envelope): void {
		const pending = { respond: (answer: Answer, at: Millis) => this.#respond(transaction, envelope, answer, at) };
		const name = this.#core.await(pending);
		this.#unanswered.set(transaction, name);
		this.#core.emit({ type, leg: this.#leg, transaction: name, request });
	}

	#respond(transaction: Transaction, envelope: Envelope, answer: Answer, now: Millis): void {
		if (answer.status < 200 || answer.status > 299 || transaction.request.method !== "INVITE") {
			this.#reply(transaction, answer, now);
			return;
		}
		this.#forgetUnanswered(transaction);
		this.#refreshTarget(transaction.request);
		this.answer(transaction, this.#response(transaction, answer), envelope.cseq, now);
	}

	#reply(transaction: Transaction, parts: ResponseParts, now: Millis): void {
		if (parts.status >= 200) this.#forgetUnanswered(transaction);
		if (parts.status >= 200 && parts.status < 300 && transaction.request.method === "UPDATE") this.#refreshTarget(transaction.request);
		transaction.onResponse(this.#response(transaction, parts), now);
	}

	#response(transaction: Transaction, parts: ResponseParts): SipResponse {
		const { request, remote } = transaction;
		const refreshes = (request.method === "INVITE" || request.method === "UPDATE") && parts.status > 100 && parts.status < 300;
		const contact = refreshes ? { contact: contactValue(this.#core, this.#localUser, remote) } : {};
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
		const { request, branch, to } = buildInDialog(this.#core, this.dialog, outgoing, this.#digest, this.#localUser);
		let repeatAck: (() => void) | undefined;
		const finish = (outcome: Outcome, at: Millis): void => {
			if (this.#sent.delete(transaction)) done(outcome, at);
		};
		const onMessage = (message: SipMessage, at: Millis): void => {
			if (message.kind !== "response" || message.status < 200) return;
			if (message.status < 300 && request.method === "INVITE") {
				if (repeatAck === undefined) this.#refreshTarget(message);
				if (repeatAck === undefined) repeatAck = acknowledge(this.#core, this.dialog, request);
				else repeatAck();
			}
			if (message.status === 401 || message.status === 407) {
				const useless = this.#digest.learn(message, attempts);
				if (useless === undefined && this.state !== "ended") {
					this.#sent.delete(transaction);
					this.#send(outgoing, attempts, done, at);
					return;
				}
				finish({ response: message, cause: "auth" }, at);
				return;
			}
			finish({ response: message }, at);
		};
		const user = {
			onMessage,
			onTimeout: (at: Millis) => finish({ cause: "timeout" }, at),
			onTransportError: (_: string, at: Millis) => finish({ cause: "transport" }, at),
		};
		const transaction: Transaction = this.#core.layer.client(request, branch, to, user, now, (response) => buildAck(request, response));
		this.#sent.set(transaction, done);
	}

	/** RFC 3261 §12.2.1.2, §12.2.2: a target refresh replaces the remote target, never the route set. */
	#refreshTarget(message: SipRequest | SipResponse): void {
		this.dialog.remoteTarget = contactUri(message) ?? this.dialog.remoteTarget;
	}
}

/** ACK to a 2xx in a dialog; sent now, and again by the function it gives. */
export function acknowledge(core: Core, dialog: Dialog, invite: SipRequest): () => void {
	// §13.2.2.4: "The ACK MUST contain the same credentials as the INVITE"
	const fields = invite.headers.filter(({ key }) => key === "authorization" || key === "proxy-authorization");
	const cseq = Number.parseInt(invite.headers.find(({ key }) => key === "cseq")?.value ?? "0", 10);
	const { uri, routes, nextHop: hop } = routing(dialog);
	const to = nextHop(hop, dialog.peer);
	const { callId, local, remote } = dialog;
	const { request } = buildRequest(core, { method: "ACK", uri, from: local, to: remote, callId, cseq, routes, fields }, to);
	const bytes = writeMessage(request);
	const send = (): void => core.layer.transmit(bytes, to);
	send();
	return send;
}

/** Ends a dialog that nobody wants: a second fork's 2xx, or one that came after CANCEL (RFC 3261 §9.1, §13.2.2.4). */
export function byeAtOnce(core: Core, dialog: Dialog, digest: DigestClient, now: Millis): void {
	const { request, branch, to } = buildInDialog(core, dialog, { method: "BYE" }, digest, undefined);
	core.layer.client(request, branch, to, {}, now);
}

function buildInDialog(
	core: Core,
	dialog: Dialog,
	outgoing: OutgoingRequest,
	digest: DigestClient,
	localUser: string | undefined,
): { request: SipRequest; branch: string; to: Address } {
	const { uri, routes, nextHop: hop } = routing(dialog);
	const to = nextHop(hop, dialog.peer);
	const { callId, local, remote } = dialog;
	dialog.localSeq++;
	const fields: HeaderField[] = digest.headersFor(outgoing.method, uri);
	if (outgoing.method === "REFER" || outgoing.method === "UPDATE") fields.push(field("Contact", contactValue(core, localUser, to)));
	const contact = outgoing.method === "INVITE" ? { contact: contactValue(core, localUser, to) } : {};
	const parts = { method: outgoing.method, uri, from: local, to: remote, callId, cseq: dialog.localSeq, routes, fields, ...contact };
	return { ...buildRequest(core, { ...parts, headers: outgoing.headers, body: outgoing.body }, to), to };
}

function byeCause(outcome: Outcome): EndCause {
	if (outcome.response === undefined) return outcome.cause === "ended" ? "bye" : outcome.cause;
	if (outcome.response.status < 300) return "bye";
	return outcome.response.status === 481 || outcome.response.status === 408 ? "gone" : "error";
}

function newAttempts(): Attempts {
	return { rounds: 0, realms: new Set() };
}
