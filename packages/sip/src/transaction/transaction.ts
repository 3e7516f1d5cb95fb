import type { Address } from "../endpoint-types.ts";
import type { Millis } from "../machine.ts";
import type { SipMessage, SipRequest, SipResponse } from "../message/message.ts";
import { writeMessage } from "../message/write.ts";
import type { TimerConstants, TimerHandle, TimerQueue } from "../timers.ts";
import type { Action, Input, State, Table, TimerName } from "./fsm.ts";
import { largeByTcp } from "./large-request.ts";

/** What a transaction needs around it. */
export interface TransactionHost {
	readonly timers: TimerQueue;
	readonly constants: TimerConstants;
	transmit(bytes: Uint8Array, to: Address): void;
	/** takes it out of the layer's tables */
	forget(transaction: Transaction): void;
}

/** The transaction user of RFC 3261 §5; each method is called from inside the endpoint's `handle` or `handleTimeout`. */
export interface TransactionUser {
	/** a response for a client transaction, an ACK for a server transaction in Accepted */
	onMessage?(message: SipMessage, now: Millis): void;
	onTimeout?(now: Millis): void;
	onTransportError?(message: string, now: Millis): void;
	onTerminated?(now: Millis): void;
	/** a CANCEL for this INVITE server transaction (RFC 3261 §9.2); not called once a final response has been sent */
	onCancel?(now: Millis): void;
	/** To tag of our responses, which the 200 to a CANCEL repeats */
	readonly localTag?: string;
}

/** Runs one of the four tables: keeps the state, the message to repeat and the timers; has no rules of its own. */
export class Transaction {
	state: State = "start";
	readonly key: string;
	readonly role: "client" | "server";
	/** as it was sent: its Via says how */
	request: SipRequest;
	remote: Address;
	readonly user: TransactionUser;
	/** of a request outside any dialog: what tells that it came twice on different ways (RFC 3261 §8.2.2.2) */
	readonly mergeKey: string | undefined;
	/** how often timer G may still send the final response again; a repeated request gets it in any case */
	repeats = Number.POSITIVE_INFINITY;
	/** latest response, sent (server) or received (client) */
	response: SipResponse | undefined;
	readonly #table: Table;
	readonly #host: TransactionHost;
	readonly #timers = new Map<TimerName, { handle: TimerHandle; interval: Millis }>();
	readonly #ackFor: ((response: SipResponse, invite: SipRequest) => SipRequest) | undefined;
	#outgoing: Uint8Array | undefined;
	/** the request as it was before it turned out to be too large for UDP */
	#datagram: { request: SipRequest; remote: Address } | undefined;

	/** `ackFor` builds the ACK to a non-2xx response (RFC 3261 §17.1.1.3); only INVITE client transactions have it. */
	constructor(
		table: Table,
		host: TransactionHost,
		init: {
			key: string;
			role: "client" | "server";
			request: SipRequest;
			remote: Address;
			user: TransactionUser;
			mergeKey?: string;
			ackFor?: (response: SipResponse, invite: SipRequest) => SipRequest;
		},
	) {
		this.#table = table;
		this.#host = host;
		this.key = init.key;
		this.role = init.role;
		this.request = init.request;
		this.remote = init.remote;
		this.user = init.user;
		this.mergeKey = init.mergeKey;
		this.#ackFor = init.ackFor;
		if (init.role === "client") this.#outgoing = this.#writeRequest();
	}

	begin(now: Millis): void {
		this.#step("begin", now);
	}

	/** Client: a response came. Server: the user answers; false when the state takes no such answer any more. */
	onResponse(response: SipResponse, now: Millis): boolean {
		const input = responseClass(response.status);
		if (this.#table[this.state]?.[input] === undefined) return false;
		this.response = response;
		if (this.role === "server") this.#outgoing = writeMessage(response);
		this.#step(input, now, response);
		return true;
	}

	/** Server: the request came again, or the ACK. */
	onRequest(request: SipRequest, now: Millis): void {
		this.#step(request.method === "ACK" ? "ack" : "request", now, request);
	}

	onTransportError(message: string, now: Millis): void {
		// RFC 3261 §18.1.1: a peer that refuses TCP "SHOULD" be tried by UDP again.
		if (this.#datagram !== undefined && (this.state === "calling" || this.state === "trying")) {
			({ request: this.request, remote: this.remote } = this.#datagram);
			this.#datagram = undefined;
			this.#outgoing = writeMessage(this.request);
			this.#stopTimers();
			this.state = "start";
			this.begin(now);
			return;
		}
		this.#step("transport-error", now, undefined, message);
	}

	/** Client: a connection that fails ends it, and no datagram takes its place: nobody wants the request any more. */
	stayWithTransport(): void {
		this.#datagram = undefined;
	}

	/** Client: the request is not sent again; its answer is still waited for. */
	stopRepeating(): void {
		for (const name of ["A", "E"] as const) {
			const running = this.#timers.get(name);
			if (running !== undefined) this.#host.timers.stop(running.handle);
			this.#timers.delete(name);
		}
	}

	/** Ends it without telling its user. */
	terminate(now: Millis): void {
		this.#enter("terminated", now);
	}

	#step(input: Input, now: Millis, message?: SipMessage, detail = ""): void {
		const step = this.#table[this.state]?.[input];
		if (step === undefined) return;
		this.#enter(step.to, now);
		for (const action of step.do) this.#act(action, now, message, detail);
	}

	#enter(state: State, now: Millis): void {
		if (this.state === state) return;
		this.state = state;
		if (state !== "terminated") return;
		this.#stopTimers();
		this.#host.forget(this);
		this.user.onTerminated?.(now);
	}

	#stopTimers(): void {
		for (const { handle } of this.#timers.values()) this.#host.timers.stop(handle);
		this.#timers.clear();
	}

	#writeRequest(): Uint8Array {
		const bytes = writeMessage(this.request);
		const byTcp = largeByTcp(this.request, bytes.length, this.remote);
		if (byTcp === undefined) return bytes;
		this.#datagram = { request: this.request, remote: this.remote };
		({ request: this.request, remote: this.remote } = byTcp);
		return writeMessage(this.request);
	}

	#act(action: Action, now: Millis, message: SipMessage | undefined, detail: string): void {
		switch (action) {
			case "send":
				if (this.#outgoing !== undefined) this.#host.transmit(this.#outgoing, this.remote);
				return;
			case "inform":
				if (message !== undefined) this.user.onMessage?.(message, now);
				return;
			case "ack":
				if (message?.kind === "response" && this.#ackFor)
					this.#host.transmit(writeMessage(this.#ackFor(message, this.request)), this.remote);
				return;
			case "inform timeout":
				this.user.onTimeout?.(now);
				return;
			case "inform transport error":
				this.user.onTransportError?.(detail, now);
				return;
			default:
				this.#timer(action, now);
		}
	}

	#timer(action: `${"start" | "stop" | "backoff"} ${TimerName}`, now: Millis): void {
		const [verb, name] = action.split(" ") as ["start" | "stop" | "backoff", TimerName];
		const running = this.#timers.get(name);
		if (running !== undefined) this.#host.timers.stop(running.handle);
		this.#timers.delete(name);
		// An action before it in the same step may have ended the transaction (its user can terminate it).
		if (verb === "stop" || this.state === "terminated") return;
		const first = this.#interval(name);
		if (first === undefined) return;
		const interval = verb === "backoff" ? this.#backoff(name, running?.interval ?? first) : first;
		const handle = this.#host.timers.set(now + interval, (at) => {
			this.#step(`timer ${name}`, at);
		});
		this.#timers.set(name, { handle, interval });
	}

	/** RFC 3261 table 4. undefined: the timer is not used on this transport. */
	#interval(name: TimerName): Millis | undefined {
		const { t1, t4 } = this.#host.constants;
		const reliable = this.remote.transport !== "UDP";
		switch (name) {
			// §17.1.1.2: "If a reliable transport is being used, the client transaction SHOULD NOT start timer A"; E and G alike.
			case "A":
			case "E":
				return reliable ? undefined : t1;
			case "G":
				return reliable || this.repeats-- <= 0 ? undefined : t1;
			// §17.1.1.2: "a value of at least 32 seconds for unreliable transports, and a value of zero seconds for reliable transports"
			case "D":
				return reliable ? 0 : Math.max(32_000, 64 * t1);
			case "I":
			case "K":
				return reliable ? 0 : t4;
			case "J":
				return reliable ? 0 : 64 * t1;
			case "B":
			case "F":
			case "H":
			case "L":
			case "M":
			case "guard":
				return 64 * t1;
		}
	}

	#backoff(name: TimerName, interval: Millis): Millis {
		const { t2 } = this.#host.constants;
		// §17.1.1.2: A doubles without bound (B ends it). §17.1.2.2, §17.2.1: E and G double up to T2; E is T2 once in Proceeding.
		if (name === "A") return interval * 2;
		if (name === "E" && this.state === "proceeding") return t2;
		return Math.min(interval * 2, t2);
	}
}

function responseClass(status: number): "1xx" | "2xx" | "3xx-6xx" {
	if (status < 200) return "1xx";
	return status < 300 ? "2xx" : "3xx-6xx";
}
