import type { Address, TlsPeer } from "../endpoint-types.ts";
import { MAGIC_COOKIE } from "../grammar/via.ts";
import type { Millis } from "../machine.ts";
import type { Envelope } from "../message/envelope.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { TimerConstants, TimerQueue } from "../timers.ts";
import { INVITE_CLIENT } from "./invite-client.ts";
import { INVITE_SERVER } from "./invite-server.ts";
import { NON_INVITE_CLIENT } from "./non-invite-client.ts";
import { NON_INVITE_SERVER } from "./non-invite-server.ts";
import { Transaction, type TransactionHost, type TransactionUser } from "./transaction.ts";

/** All transactions of an endpoint and the rules that match messages to them (RFC 3261 §17.1.3, §17.2.3). */
export class TransactionLayer implements TransactionHost {
	readonly timers: TimerQueue;
	readonly constants: TimerConstants;
	readonly transmit: (bytes: Uint8Array, to: Address) => void;
	readonly #clients = new Map<string, Transaction>();
	readonly #servers = new Map<string, Transaction>();
	/** requests outside dialogs by From tag, Call-ID and CSeq: RFC 3261 §8.2.2.2 */
	readonly #merge = new Map<string, Transaction>();

	constructor(timers: TimerQueue, constants: TimerConstants, transmit: (bytes: Uint8Array, to: Address) => void) {
		this.timers = timers;
		this.constants = constants;
		this.transmit = transmit;
	}

	get size(): number {
		return this.#clients.size + this.#servers.size;
	}

	/** `branch` is that of the request's topmost Via. */
	client(
		request: SipRequest,
		branch: string,
		remote: Address,
		user: TransactionUser,
		now: Millis,
		ackFor?: (response: SipResponse, invite: SipRequest) => SipRequest,
	): Transaction {
		const table = request.method === "INVITE" ? INVITE_CLIENT : NON_INVITE_CLIENT;
		const key = clientKey(branch, request.method);
		const transaction = new Transaction(table, this, { key, role: "client", request, remote, user, ...(ackFor && { ackFor }) });
		this.#clients.set(key, transaction);
		transaction.begin(now);
		return transaction;
	}

	server(request: SipRequest, envelope: Envelope, responseTo: Address, user: TransactionUser, now: Millis): Transaction {
		const table = request.method === "INVITE" ? INVITE_SERVER : NON_INVITE_SERVER;
		const key = serverKey(request, envelope, request.method);
		const merge = envelope.toTag === "" ? mergeKey(envelope) : undefined;
		const transaction = new Transaction(table, this, {
			key,
			role: "server",
			request,
			remote: responseTo,
			user,
			...(merge !== undefined && { mergeKey: merge }),
		});
		this.#servers.set(key, transaction);
		if (merge !== undefined) this.#merge.set(merge, transaction);
		transaction.begin(now);
		return transaction;
	}

	matchClient(envelope: Envelope): Transaction | undefined {
		return this.#clients.get(clientKey(envelope.via.branch ?? "", envelope.cseqMethod));
	}

	/** The server transaction that a request repeats, or that an ACK belongs to. */
	matchServer(request: SipRequest, envelope: Envelope): Transaction | undefined {
		return this.#servers.get(serverKey(request, envelope, request.method === "ACK" ? "INVITE" : request.method));
	}

	/** RFC 3261 §9.2: the transaction that a CANCEL names "assuming the method is not CANCEL or ACK"; only INVITE can be cancelled in effect. */
	matchCancelled(request: SipRequest, envelope: Envelope): Transaction | undefined {
		return this.#servers.get(serverKey(request, envelope, "INVITE"));
	}

	/** A live transaction of the same request that came another way (§8.2.2.2). */
	matchMerged(envelope: Envelope): Transaction | undefined {
		return envelope.toTag === "" ? this.#merge.get(mergeKey(envelope)) : undefined;
	}

	/** RFC 3261 §18.4: the transport cannot reach this address. */
	onTransportError(remote: Address, message: string, now: Millis): void {
		for (const table of [this.#clients, this.#servers]) {
			for (const transaction of [...table.values()])
				if (sameAddress(transaction.remote, remote)) transaction.onTransportError(message, now);
		}
	}

	forget(transaction: Transaction): void {
		if (transaction.role === "client") {
			this.#clients.delete(transaction.key);
			return;
		}
		this.#servers.delete(transaction.key);
		const { mergeKey } = transaction;
		if (mergeKey !== undefined && this.#merge.get(mergeKey) === transaction) this.#merge.delete(mergeKey);
	}
}

function clientKey(branch: string, method: string): string {
	return `${branch} ${method}`;
}

function serverKey(request: SipRequest, envelope: Envelope, method: string): string {
	const { via } = envelope;
	// A branch that is nothing but the cookie is unique to nobody (RFC 4475 §3.2.1).
	if (via.branch?.startsWith(MAGIC_COOKIE) && via.branch !== MAGIC_COOKIE) return `${via.branch} ${via.host}:${via.port ?? ""} ${method}`;
	// RFC 3261 §17.2.3, peers of RFC 2543: Request-URI, From tag, Call-ID, CSeq number and topmost Via. The To tag cannot be among them here
	// because an ACK carries the one we gave and the INVITE did not.
	return `2543 ${request.uri} ${envelope.fromTag} ${envelope.callId} ${envelope.cseq} ${via.host}:${via.port ?? ""};${via.branch ?? ""} ${method}`;
}

function mergeKey(envelope: Envelope): string {
	return `${envelope.callId} ${envelope.fromTag} ${envelope.cseq} ${envelope.cseqMethod}`;
}

function sameAddress(a: Address, b: Address): boolean {
	return a.host === b.host && a.port === b.port && a.transport === b.transport && sameTls(a.tls ?? {}, b.tls ?? {});
}

function sameTls(a: TlsPeer, b: TlsPeer): boolean {
	return a.serverName === b.serverName && a.minVersion === b.minVersion && a.clientCertificate === b.clientCertificate;
}
