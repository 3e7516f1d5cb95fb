import { DigestClient } from "../auth/client.ts";
import type { Dialog } from "../dialog/dialog.ts";
import type { Address, Credentials, EndpointOptions, LegId, SipEvent, SipInput } from "../endpoint-types.ts";
import { SipUsageError } from "../errors.ts";
import { hex } from "../grammar/text.ts";
import type { Millis } from "../machine.ts";
import type { Envelope } from "../message/envelope.ts";
import type { SipRequest } from "../message/message.ts";
import type { TimerQueue } from "../timers.ts";
import type { TransactionLayer } from "../transaction/layer.ts";
import { RELIABLE } from "./option-tags.ts";
import type { SessionTimerOptions } from "./session-timer.ts";

/** Methods that the endpoint serves by itself. */
const OWN_METHODS = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"] as const;

const ENTROPY = 512;
const NO_SESSION_TIMER: SessionTimerOptions = { mode: "off", expiresSeconds: 1800, minSeconds: 90 };

export type LegInput = Extract<SipInput, { leg: LegId }>;

/** An INVITE usage as the endpoint sees it. */
export interface Leg {
	readonly id: LegId;
	handle(input: LegInput, now: Millis): void;
}

/** Whoever has a dialog in the endpoint's table. */
export interface DialogOwner {
	readonly dialog: Dialog;
	/** a request inside the dialog that repeats no live transaction; never CANCEL */
	onRequest(request: SipRequest, envelope: Envelope, responseTo: Address, now: Millis): void;
}

/** A request that waits for the driver's `respond` (or `accept`). */
export interface PendingRequest {
	respond(answer: Answer, now: Millis): void;
}

export type Answer = Pick<Extract<SipInput, { kind: "respond" }>, "status" | "reason" | "headers" | "body">;

/** What all legs of an endpoint share: options, tables, the way out. Holds no protocol rules. */
export class Core {
	readonly options: EndpointOptions;
	readonly layer: TransactionLayer;
	readonly timers: TimerQueue;
	readonly legs = new Map<LegId, Leg>();
	readonly dialogs = new Map<string, DialogOwner>();
	readonly pending = new Map<string, PendingRequest>();
	readonly allowed: readonly string[];
	readonly emit: (event: SipEvent) => void;
	#entropy: Uint8Array = new Uint8Array(0);

	constructor(options: EndpointOptions, layer: TransactionLayer, emit: (event: SipEvent) => void) {
		this.options = options;
		this.layer = layer;
		this.timers = layer.timers;
		this.emit = emit;
		const prack = options.supported?.includes(RELIABLE) === true ? ["PRACK"] : [];
		this.allowed = [...new Set<string>([...OWN_METHODS, ...prack, ...(options.allow ?? [])])];
	}

	/** of INVITEs that come in, until the driver says otherwise of a leg */
	get sessionTimer(): SessionTimerOptions {
		return this.options.sessionTimer ?? NO_SESSION_TIMER;
	}

	/** inside a dialog, by the driver */
	serves(method: string): boolean {
		return this.allowed.includes(method) || this.options.unlisted?.includes(method) === true;
	}

	/** 64*T1: how long a request is waited for before its sender is given up. */
	get patience(): Millis {
		return 64 * this.layer.constants.t1;
	}

	/** Hexadecimal digits of n random bytes. RFC 3261 §19.3: a tag needs at least 32 bits; ours have 64, so that no dialog can be guessed. */
	token(n: number): string {
		// One draw serves many tokens: a call needs some ten, and each draw is a trip to the operating system.
		if (this.#entropy.length < n) this.#entropy = this.options.random(ENTROPY);
		const taken = this.#entropy.subarray(0, n);
		if (taken.length < n) throw new SipUsageError("random gave fewer bytes than asked for");
		this.#entropy = this.#entropy.subarray(n);
		return hex(taken);
	}

	/** Of a dialog of ours. */
	tag(): string {
		return this.token(8) + (this.options.tagSuffix ?? "");
	}

	digest(credentials: Credentials | undefined): DigestClient {
		return new DigestClient(credentials, this.options.hashes, this.options.random);
	}

	/** Keeps a request for the driver to answer; gives the name it answers by. Forget it with `pending.delete`. */
	await(pending: PendingRequest): string {
		const name = this.token(12);
		this.pending.set(name, pending);
		return name;
	}
}
