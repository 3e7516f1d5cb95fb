import type { Millis } from "../machine.ts";
import { header, headerList } from "../message/headers.ts";
import type { SipRequest, SipResponse } from "../message/message.ts";
import type { TimerHandle, TimerQueue } from "../timers.ts";
import type { ResponseParts } from "./build.ts";
import { RELIABLE } from "./option-tags.ts";

/** RFC 3262 §7.2: which response a PRACK acknowledges. */
export interface RAck {
	readonly rseq: number;
	readonly cseq: number;
	readonly method: string;
}

/** undefined: missing or malformed */
export function readRAck(request: SipRequest): RAck | undefined {
	const [, rseq, cseq, method] = /^(\d{1,10})[ \t]+(\d{1,10})[ \t]+(\S+)$/.exec(header(request, "rack") ?? "") ?? [];
	return rseq === undefined || cseq === undefined || method === undefined ? undefined : { rseq: Number(rseq), cseq: Number(cseq), method };
}

/** RSeq of a reliable 1xx; undefined when it is not sent reliably, or its RSeq is out of range (RFC 3262 §7.1: 1 to 2**32 - 1). */
export function readRSeq(response: SipResponse): number | undefined {
	if (response.status <= 100 || response.status >= 200 || !lists(response, "require")) return undefined;
	const value = header(response, "rseq") ?? "";
	const rseq = /^\d{1,10}$/.test(value) ? Number(value) : 0;
	return rseq >= 1 && rseq < 2 ** 32 ? rseq : undefined;
}

/** Whether the sender of an INVITE takes, or insists on, reliable provisional responses. */
export function reliability(request: SipRequest): "none" | "supported" | "required" {
	if (lists(request, "require")) return "required";
	return lists(request, "supported") ? "supported" : "none";
}

const lists = (message: SipRequest | SipResponse, name: string): boolean =>
	headerList(message, name).some((tag) => tag.toLowerCase() === RELIABLE);

/** Responses that wait behind the one that is not acknowledged yet. */
const MOST_WAITING = 8;

interface Outstanding {
	readonly rseq: number;
	readonly parts: ResponseParts;
}

export interface ReliableHost {
	readonly timers: TimerQueue;
	/** ms; see `EndpointOptions.t1` */
	readonly t1: Millis;
	/** CSeq number of the INVITE */
	readonly cseq: number;
	/** four random bytes */
	readonly random: Uint8Array;
	/** sends the response, with Require and RSeq */
	transmit(parts: ResponseParts, rseq: number, repeated: boolean, now: Millis): void;
	/** 64*T1 without PRACK */
	onTimeout(now: Millis): void;
}

/** The called side of RFC 3262 (§3): one unacknowledged response at a time, the others wait their turn. */
export class ReliableResponses {
	readonly #host: ReliableHost;
	#next: number;
	#outstanding: Outstanding | undefined;
	readonly #waiting: ResponseParts[] = [];
	#repeat: TimerHandle | undefined;
	#giveUp: TimerHandle | undefined;
	#final = false;

	constructor(host: ReliableHost) {
		this.#host = host;
		const [a = 0, b = 0, c = 0, d = 0] = host.random;
		// §3: "MUST be between 1 and 2**31 - 1 … chosen uniformly"
		this.#next = ((((a & 0x7f) << 24) | (b << 16) | (c << 8) | d) >>> 0) % (2 ** 31 - 1) || 1;
	}

	/** A 2xx must wait: a response with a session description is not acknowledged (§3). */
	get holdsAnswer(): boolean {
		return [this.#outstanding?.parts, ...this.#waiting].some((parts) => parts?.body !== undefined);
	}

	send(parts: ResponseParts, now: Millis): void {
		// §3: "MUST NOT send new reliable provisional responses … after sending a final response"
		if (this.#final) return;
		if (this.#outstanding === undefined) {
			this.#transmit(parts, now);
			return;
		}
		// A keep-alive of what is being repeated anyway says nothing new.
		const latest = this.#waiting.at(-1) ?? this.#outstanding.parts;
		if (parts.body === undefined && latest.status === parts.status) return;
		if (this.#waiting.length < MOST_WAITING) this.#waiting.push(parts);
	}

	/** false: it names no response that waits for it, and the PRACK gets 481 (§3). Otherwise call `proceed` when it has been answered. */
	acknowledge(rack: RAck | undefined): ResponseParts | undefined {
		const outstanding = this.#outstanding;
		if (outstanding === undefined || rack === undefined) return undefined;
		if (rack.rseq !== outstanding.rseq || rack.cseq !== this.#host.cseq || rack.method !== "INVITE") return undefined;
		this.#outstanding = undefined;
		this.#stopTimers();
		return outstanding.parts;
	}

	/** Sends what has been waiting. */
	proceed(now: Millis): void {
		if (this.#outstanding !== undefined || this.#final) return;
		const next = this.#waiting.shift();
		if (next !== undefined) this.#transmit(next, now);
	}

	/** A final response has been sent: nothing is repeated any more; the PRACK of what is out may still come (§3). */
	finish(): void {
		this.#final = true;
		this.#waiting.length = 0;
		this.#stopTimers();
	}

	#transmit(parts: ResponseParts, now: Millis): void {
		const { timers, t1, onTimeout } = this.#host;
		const rseq = this.#next;
		this.#next += 1;
		this.#outstanding = { rseq, parts };
		this.#giveUp = timers.set(now + 64 * t1, (at) => {
			this.finish();
			onTimeout(at);
		});
		this.#repeatAfter(t1, now, { rseq, parts });
		this.#host.transmit(parts, rseq, false, now);
	}

	/** §3: "retransmitted … with an exponential backoff: T1, doubling for each"; not bounded by T2. */
	#repeatAfter(interval: Millis, from: Millis, { rseq, parts }: Outstanding): void {
		this.#repeat = this.#host.timers.set(from + interval, (at) => {
			this.#repeatAfter(2 * interval, at, { rseq, parts });
			this.#host.transmit(parts, rseq, true, at);
		});
	}

	#stopTimers(): void {
		this.#host.timers.stop(this.#repeat);
		this.#host.timers.stop(this.#giveUp);
		this.#repeat = undefined;
		this.#giveUp = undefined;
	}
}

/** The calling side of RFC 3262 (§4), one for each early dialog. */
export class ReliableReceiver {
	#latest: number | undefined;

	/** "next": to be acknowledged and used; "repeated" and "early" (one before it is missing) are neither acknowledged nor used. */
	receive(rseq: number): "next" | "repeated" | "early" {
		// §4: the first one may have any number; "MUST NOT assume that RSeq starts at one"
		if (this.#latest === undefined || rseq === this.#latest + 1) {
			this.#latest = rseq;
			return "next";
		}
		return rseq <= this.#latest ? "repeated" : "early";
	}
}
