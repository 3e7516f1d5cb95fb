import type { CallEnd, CallRecord, CallState } from "@trunkline/contracts";
import { type CallPatch, type CallStore, LIVE_STATES } from "@trunkline/domain";
import type { Clock } from "./ports.ts";

interface WriterLog {
	warn(fields: Record<string, unknown>, message: string): void;
	error(fields: Record<string, unknown>, message: string): void;
}

/** What is not written is missing for as long as the record is kept, and without its end a call looks alive; so it is tried again after these waits, ms. */
const RETRY_MS = [1_000, 3_000];

/** Digits of one call that are kept: who never stops to press keys must not make the record too large to be written. */
const MAX_DIGITS = 200;

/**
 * Writes a call's record in order, off the call's path: a slow table delays the record, never the telephone. Only the write to `dialing` is
 * waited for, because it decides whether the call may be dialled at all.
 */
export class RecordWriter {
	readonly #callId: string;
	readonly #owner: string;
	readonly #store: CallStore;
	readonly #clock: Clock;
	readonly #log: WriterLog;
	#queue: Promise<void> = Promise.resolve();
	#pending: CallPatch = {};
	#digits = 0;
	#lost = false;
	#ending = false;

	constructor(callId: string, owner: string, store: CallStore, clock: Clock, log: WriterLog) {
		this.#callId = callId;
		this.#owner = owner;
		this.#store = store;
		this.#clock = clock;
		this.#log = log;
	}

	create(call: CallRecord): void {
		this.#enqueue("create", () =>
			this.#again(async () => {
				if (!(await this.#store.createCall(call))) this.#log.error({ callId: this.#callId }, "a call with this id exists already");
			}),
		);
	}

	/** Goes out with the next transition. */
	patch(patch: CallPatch): void {
		this.#pending = { ...this.#pending, ...patch };
	}

	/** What comes later, with the next write that is told after this. A `patch` that does not come is left out. */
	patchWith(patch: Promise<CallPatch>): void {
		const settled = patch.catch((error: unknown): CallPatch => {
			this.#log.warn({ callId: this.#callId, err: error }, "a part of the call's record is not known");
			return {};
		});
		this.#enqueue("patch", async () => this.patch(await settled));
	}

	transition(from: readonly CallState[], to: CallState, at: number, event: string, detail?: string, patch?: CallPatch): void {
		this.patch(patch ?? {});
		const write = async (): Promise<void> => void (await this.#write(from, to, at, event, detail));
		// The INVITE waits for what is written before `dialing`, which brings the same patch.
		this.#enqueue(to, () => (to === "joining" ? write() : this.#again(write)));
	}

	/**
	 * Resolves to false when the record is not in `from` any more, or not ours; nothing is written from then on, or we would end a call that
	 * another node has taken over. Rejects with the store's error.
	 */
	decide(from: readonly CallState[], to: CallState, at: number, event: string): Promise<boolean> {
		const decided = this.#queue.then(async () => {
			this.#lost = !(await this.#write(from, to, at, event, undefined));
			return !this.#lost;
		});
		// What is written later waits for this one too, whatever comes of it.
		this.#queue = decided.then(
			() => {},
			() => {},
		);
		return decided;
	}

	/** A digit of the telephone, when it is `wanted`: digits may be PINs and card numbers, and are not kept unless somebody asked for them. */
	digit(at: number, digit: string, wanted: () => Promise<boolean>): void {
		this.#digits += 1;
		if (this.#digits > MAX_DIGITS) return;
		this.#enqueue("dtmf", async () => {
			if (await wanted()) await this.#write(["active"], "active", at, "dtmf", digit);
		});
	}

	/** A call that another node has taken over meanwhile, or that somebody else has ended, stays as it is. */
	end(at: number, end: CallEnd): void {
		this.#ending = true;
		const step = { from: LIVE_STATES, to: "ended", owner: this.#owner, at, event: "ended", detail: end.reason } as const;
		this.#enqueue("ended", () =>
			this.#again(async () => {
				await this.#store.transitionCall(this.#callId, { ...step, patch: { ...this.#pending, endedAt: at, end } });
			}, true),
		);
	}

	/** All writes so far are done or given up. */
	settled(): Promise<void> {
		return this.#queue;
	}

	/** The end waits for nothing that can be left out: the process may be about to go. */
	async #again(write: () => Promise<void>, isEnd = false, [wait, ...later]: readonly number[] = RETRY_MS): Promise<void> {
		try {
			await write();
		} catch (error) {
			if (wait === undefined || (this.#ending && !isEnd)) throw error;
			await new Promise<void>((resolve) => {
				this.#clock.wakeAt(this.#clock.now() + wait, resolve);
			});
			await this.#again(write, isEnd, later);
		}
	}

	async #write(from: readonly CallState[], to: CallState, at: number, event: string, detail: string | undefined): Promise<boolean> {
		const patch = this.#pending;
		this.#pending = {};
		try {
			const written = await this.#store.transitionCall(this.#callId, {
				from,
				to,
				owner: this.#owner,
				at,
				event,
				patch,
				...(detail === undefined ? {} : { detail }),
			});
			if (written === undefined) this.#log.warn({ callId: this.#callId, to }, "the call's record was not where this node left it");
			return written !== undefined;
		} catch (error) {
			// What this write should have brought goes out with the next one.
			this.#pending = { ...patch, ...this.#pending };
			throw error;
		}
	}

	#enqueue(what: string, write: () => Promise<void>): void {
		this.#queue = this.#queue
			.then(() => (this.#lost ? undefined : write()))
			.catch((error: unknown) => this.#log.error({ callId: this.#callId, what, err: error }, "the call's record could not be written"));
	}
}
