import { dialogKey } from "./dialog/dialog.ts";
import { type DialogPeers, mayComeFrom } from "./dialog/source.ts";
import { responseAddress, stampVia } from "./dialog/next-hop.ts";
import type { Address, Arrival, EndpointOptions, EndpointStats, SipEvent, SipInput, SipOutput } from "./endpoint-types.ts";
import { SipUsageError } from "./errors.ts";
import { hex, utf8Encode } from "./grammar/text.ts";
import { parseVia, writeVia } from "./grammar/via.ts";
import type { Machine, Millis } from "./machine.ts";
import { type Envelope, readEnvelope, replaceTopVia, topVia } from "./message/envelope.ts";
import { header } from "./message/headers.ts";
import type { SipRequest, SipResponse } from "./message/message.ts";
import { type ParseErrorCode, parseMessage } from "./message/parse.ts";
import { writeMessage } from "./message/write.ts";
import { Registrations } from "./register/registrations.ts";
import { RFC3261_TIMERS, TimerQueue } from "./timers.ts";
import { TransactionLayer } from "./transaction/layer.ts";
import type { Transaction } from "./transaction/transaction.ts";
import { type Refusal, refuse } from "./ua/admission.ts";
import { assertCommand, assertOptions } from "./ua/assert.ts";
import { buildResponse } from "./ua/build.ts";
import { CalleeLeg } from "./ua/callee.ts";
import { CallerLeg } from "./ua/caller.ts";
import { type Answer, Core } from "./ua/core.ts";
import { tooSmall } from "./ua/session-timer.ts";

const DEFAULT_MAX_TRANSACTIONS = 20_000;

type Received = Extract<SipInput, { kind: "received" }>;

/** Where a request came from, where its answers go, and whether somebody else has them to give. */
interface From {
	remote: Address;
	responseTo: Address;
	another(found: Arrival["found"]): boolean;
}

/** A SIP user agent (RFC 3261, RFC 6026, RFC 3581) without sockets and without a clock. */
export class SipEndpoint implements Machine<SipInput, SipOutput> {
	readonly #core: Core;
	readonly #timers = new TimerQueue();
	readonly #layer: TransactionLayer;
	readonly #registrations: Registrations;
	readonly #outputs: SipOutput[] = [];
	readonly #maxTransactions: number;
	/** key of the To tags of answers that keep no state: the same request gets the same tag (RFC 3261 §8.2.7) */
	readonly #tagKey: Uint8Array;
	#nextOutput = 0;

	constructor(options: EndpointOptions) {
		assertOptions(options);
		const constants = { t1: options.t1 ?? RFC3261_TIMERS.t1, t2: options.t2 ?? RFC3261_TIMERS.t2, t4: options.t4 ?? RFC3261_TIMERS.t4 };
		this.#layer = new TransactionLayer(this.#timers, constants, (bytes, to) => this.#outputs.push({ kind: "transmit", bytes, to }));
		this.#core = new Core(options, this.#layer, (event) => this.#emit(event));
		this.#registrations = new Registrations(this.#core);
		this.#maxTransactions = options.maxTransactions ?? DEFAULT_MAX_TRANSACTIONS;
		this.#tagKey = options.random(32);
	}

	/** Never throws on what a peer sent; throws SipUsageError, before anything changed, on a command that could not be written. */
	handle(input: SipInput, now: Millis): void {
		switch (input.kind) {
			case "received":
				this.#onBytes(input, now);
				return;
			case "transport-error":
				this.#layer.onTransportError(input.remote, input.message, now);
				this.#registrations.onTransportError(input.remote, input.message, now);
				return;
			case "respond":
				assertCommand(input);
				this.#core.pending.get(input.transaction)?.respond(input, now);
				return;
			case "call":
				assertCommand(input);
				if (this.#core.legs.has(input.leg)) throw new SipUsageError("call: the leg exists");
				new CallerLeg(this.#core, input, now);
				return;
			case "register":
			case "unregister":
				this.#registrations.handle(input, now);
				return;
			default:
				assertCommand(input);
				if (input.kind === "accept" && input.transaction !== undefined) {
					this.#core.pending.get(input.transaction)?.respond({ ...input, status: 200 }, now);
				} else {
					this.#core.legs.get(input.leg)?.handle(input, now);
				}
		}
	}

	pollOutput(): SipOutput | undefined {
		const output = this.#outputs[this.#nextOutput];
		if (output === undefined) return undefined;
		this.#nextOutput++;
		if (this.#nextOutput === this.#outputs.length) {
			this.#outputs.length = 0;
			this.#nextOutput = 0;
		}
		return output;
	}

	nextTimeout(): Millis | undefined {
		return this.#timers.next();
	}

	handleTimeout(now: Millis): void {
		this.#timers.advance(now);
	}

	/** What is alive. All zero when every call is over and its transactions have timed out (32 s over UDP). */
	stats(): EndpointStats {
		const { dialogs, legs, pending } = this.#core;
		return {
			...{ transactions: this.#layer.size, dialogs: dialogs.size, legs: legs.size },
			...{ unanswered: pending.size, timers: this.#timers.size },
		};
	}

	#emit(event: SipEvent): void {
		this.#outputs.push({ kind: "event", event });
	}

	#onBytes(input: Received, now: Millis): void {
		const { bytes, remote } = input;
		const parsed = parseMessage(bytes);
		if (!parsed.ok) {
			if (parsed.code !== "keep-alive") this.#core.options.suspect?.(remote, "malformed");
			if (parsed.request !== undefined) this.#refuseMalformed(parsed.request, remote, parsed.code, parsed.detail);
			return;
		}
		const { message } = parsed;
		const read = readEnvelope(message);
		if (!read.ok) {
			this.#core.options.suspect?.(remote, "malformed");
			if (message.kind === "request") this.#refuseMalformed(message, remote, "header", read.detail);
			return;
		}
		if (message.kind === "response") this.#onResponse(message, read.envelope, now);
		else this.#onRequest(input.passedOnBy === undefined ? stamped(message, read.envelope, remote) : message, read.envelope, input, now);
	}

	#onResponse(response: SipResponse, envelope: Envelope, now: Millis): void {
		// RFC 3261 §8.1.3.3: a response with more than one Via was not meant for us.
		if (envelope.viaCount !== 1) return;
		this.#layer.matchClient(envelope)?.onResponse(response, now);
	}

	#onRequest(request: SipRequest, envelope: Envelope, input: Received, now: Millis): void {
		const { remote } = input;
		const known = this.#layer.matchServer(request, envelope);
		if (known !== undefined) {
			known.onRequest(request, now);
			return;
		}
		const responseTo = input.passedOnBy ?? responseAddress(envelope.via, remote);
		const another = (found: Arrival["found"]): boolean => this.#isAnothers(found, request, envelope, input, responseTo);
		if (request.method === "CANCEL") {
			this.#onCancel(request, envelope, { remote, responseTo, another }, now);
			return;
		}
		if (envelope.toTag !== "") {
			const dialog = this.#core.dialogs.get(dialogKey(envelope.callId, envelope.toTag, envelope.fromTag));
			// RFC 3261 §12.2.2: a dialog that we do not know → 481; an ACK is never answered.
			if (dialog !== undefined && this.#isForeign(dialog.dialog, request, envelope, remote, responseTo)) return;
			if (dialog !== undefined) dialog.onRequest(request, envelope, responseTo, now);
			else if (!another("stray") && request.method !== "ACK") this.#refuse(request, envelope, responseTo, { status: 481 });
			return;
		}
		if (request.method !== "ACK") this.#onNewRequest(request, envelope, { remote, responseTo, another }, now);
	}

	/** Does somebody else answer it, or nobody? */
	#isAnothers(found: Arrival["found"], request: SipRequest, envelope: Envelope, input: Received, responseTo: Address): boolean {
		if (input.last !== undefined) return input.last === "silent" && found !== "invite";
		const { via, callId, fromTag, toTag, cseq } = envelope;
		const arrival: Arrival = { found, remote: input.remote, responseTo, branch: via.branch ?? "", callId, fromTag, toTag, cseq };
		return this.#core.options.handOver?.(request, arrival) === true;
	}

	#onNewRequest(request: SipRequest, envelope: Envelope, { remote, responseTo, another }: From, now: Millis): void {
		const { allowed, options } = this.#core;
		const short = request.method === "INVITE" ? tooSmall(request, this.#core.sessionTimer) : undefined;
		const refusal = refuse(request, envelope, { allowed, supported: options.supported ?? [] }) ?? short ?? this.#refuseByState(envelope);
		if (refusal !== undefined) {
			if (refusal.status === 405) options.suspect?.(remote, "bad-method");
			this.#refuse(request, envelope, responseTo, refusal);
			return;
		}
		if (request.method === "INVITE") {
			if (another("invite")) return;
			new CalleeLeg(this.#core, request, envelope, remote, responseTo, now);
			return;
		}
		if (options.answerOptions) {
			this.#refuse(request, envelope, responseTo, { status: 200, headers: this.#capabilities() });
			return;
		}
		this.#offer(request, envelope, remote, responseTo, now);
	}

	#refuseByState(envelope: Envelope): Refusal | undefined {
		// RFC 3261 §8.2.2.2: the same request by another way.
		if (this.#layer.matchMerged(envelope) !== undefined) return { status: 482 };
		// RFC 3261 §21.5.4
		// Half of the room is for calls alone, so that a flood of OPTIONS keeps nobody from calling.
		const most = envelope.cseqMethod === "INVITE" ? this.#maxTransactions : this.#maxTransactions / 2;
		if (this.#layer.size >= most) return { status: 503, headers: [["Retry-After", "5"]] };
		return undefined;
	}

	/** Hands a request outside dialogs to the driver. */
	#offer(request: SipRequest, envelope: Envelope, remote: Address, responseTo: Address, now: Millis): void {
		const toTag = this.#core.tag();
		const respond = (answer: Answer, at: Millis): void => {
			const { status, reason, headers, body } = answer;
			const added = request.method === "OPTIONS" && status < 300 ? [...this.#capabilities(), ...(headers ?? [])] : headers;
			if (status >= 200) this.#core.pending.delete(name);
			transaction.onResponse(buildResponse(this.#core, request, { status, reason, headers: added, body, toTag }), at);
		};
		const name = this.#core.await({ respond });
		const user = { localTag: toTag, onTerminated: () => void this.#core.pending.delete(name) };
		const transaction: Transaction = this.#layer.server(request, envelope, responseTo, user, now);
		this.#emit({ type: "out-of-dialog", transaction: name, request, remote });
	}

	/** Refuses what comes from an address that has no part in the dialog; the dialog does not notice. */
	#isForeign(dialog: DialogPeers, request: SipRequest, envelope: Envelope, remote: Address, responseTo: Address): boolean {
		if (mayComeFrom(dialog, remote.host, this.#core.options.sameParty)) return false;
		this.#core.options.suspect?.(remote, "foreign-dialog");
		if (request.method !== "ACK") this.#refuse(request, envelope, responseTo, { status: 403 });
		return true;
	}

	#onCancel(request: SipRequest, envelope: Envelope, { remote, responseTo, another }: From, now: Millis): void {
		const invite = this.#layer.matchCancelled(request, envelope);
		if (invite === undefined && another("cancel")) return;
		// RFC 3261 §9.1: CANCEL goes where the INVITE went, hop by hop; it comes from where that came from.
		const foreign = invite !== undefined && !mayComeFrom({ peer: invite.remote }, remote.host, this.#core.options.sameParty);
		if (foreign) this.#core.options.suspect?.(remote, "foreign-dialog");
		if (invite === undefined || foreign) {
			this.#refuse(request, envelope, responseTo, { status: 481 });
			return;
		}
		const transaction = this.#layer.server(request, envelope, responseTo, {}, now);
		const { localTag } = invite.user;
		transaction.onResponse(buildResponse(this.#core, request, { status: 200, ...(localTag !== undefined && { toTag: localTag }) }), now);
		// RFC 3261 §9.2: after a final response the CANCEL has no effect.
		if (invite.state === "proceeding") invite.user.onCancel?.(now);
	}

	#capabilities(): [string, string][] {
		// RFC 3261 §11.2
		const { allowed, options } = this.#core;
		const supported: [string, string][] = options.supported?.length ? [["Supported", options.supported.join(", ")]] : [];
		return [["Allow", allowed.join(", ")], ["Accept", "application/sdp"], ...supported];
	}

	/** Answers without keeping anything (RFC 3261 §8.2.7): what strangers get wrong costs us no memory. */
	#refuse(request: SipRequest, envelope: Envelope, responseTo: Address, refusal: Refusal): void {
		const identity = `${envelope.callId} ${envelope.fromTag} ${envelope.cseq} ${envelope.via.branch ?? ""}`;
		const toTag = hex(this.#core.options.hashes.hmacSha256(this.#tagKey, utf8Encode(identity)).subarray(0, 8));
		this.#layer.transmit(writeMessage(buildResponse(this.#core, request, { ...refusal, toTag })), responseTo);
	}

	/** Whatever can be read of a broken request is echoed; without any Via no client could match the answer. */
	#refuseMalformed(request: SipRequest, remote: Address, code: ParseErrorCode, detail: string): void {
		const value = header(request, "via");
		if (value === undefined || request.method === "ACK") return;
		const via = parseVia(topVia(value));
		const refusal = REFUSAL_OF[code] ?? { status: 400, reason: `Bad Request (${detail})` };
		const written = via && stampVia(via, remote);
		const headers = written === undefined ? request.headers : replaceTopVia(request.headers, writeVia(written));
		// A Via that says nothing is echoed as it is; where the request came from is then the best address.
		const to = via === undefined ? remote : responseAddress(via, remote);
		this.#layer.transmit(writeMessage(buildResponse(this.#core, { ...request, headers }, refusal)), to);
	}
}

const REFUSAL_OF: Readonly<Partial<Record<ParseErrorCode, Refusal>>> = { version: { status: 505 }, "uri-length": { status: 414 } };

/** The request as it is from here on: with the source in its topmost Via (RFC 3261 §18.2.1, RFC 3581 §4). */
function stamped(request: SipRequest, envelope: Envelope, remote: Address): SipRequest {
	const via = stampVia(envelope.via, remote);
	return via === undefined ? request : { ...request, headers: replaceTopVia(request.headers, writeVia(via)) };
}
