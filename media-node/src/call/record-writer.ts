import type { CallEnd, CallRecord, CallState } from "@trunkline/contracts";
import type { CallPatch, CallStore } from "@trunkline/domain";

interface WriterLog {
	warn(fields: Record<string, unknown>, message: string): void;
	error(fields: Record<string, unknown>, message: string): void;
}

/**
 * Writes a call's record in order, off the call's path: a slow table delays the record, never the telephone. Only the write to `dialing` is
 * waited for, because it decides whether the call may be dialled at all.
 */
export class RecordWriter {
	readonly #callId: string;
	readonly #owner: string;
	readonly #store: CallStore;
	readonly #log: WriterLog;
	#queue: Promise<void> = Promise.resolve();
	#pending: CallPatch = {};

	constructor(callId: string, owner: string, store: CallStore, log: WriterLog) {
		this.#callId = callId;
		this.#owner = owner;
		this.#store = store;
		this.#log = log;
	}

	create(call: CallRecord): void {
		this.#enqueue("create", async () => {
			if (!(await this.#store.createCall(call))) this.#log.error({ callId: this.#callId }, "a call with this id exists already");
		});
	}

	/** Goes out with the next transition. */
	patch(patch: CallPatch): void {
		this.#pending = { ...this.#pending, ...patch };
	}

	transition(from: readonly CallState[], to: CallState, at: number, event: string, detail?: string, patch?: CallPatch): void {
		const merged = this.#take(patch);
		this.#enqueue(to, async () => {
			await this.#write(from, to, at, event, detail, merged);
		});
	}

	/** Resolves to false when the record is not in `from` any more, or not ours. */
	async decide(from: readonly CallState[], to: CallState, at: number, event: string): Promise<boolean> {
		const merged = this.#take();
		await this.#queue;
		return this.#write(from, to, at, event, undefined, merged);
	}

	end(at: number, end: CallEnd): void {
		this.#enqueue("ended", async () => {
			await this.#store.endCall(this.#callId, at, end);
		});
	}

	/** All writes so far are done or given up. */
	settled(): Promise<void> {
		return this.#queue;
	}

	#take(patch?: CallPatch): CallPatch {
		const merged = { ...this.#pending, ...patch };
		this.#pending = {};
		return merged;
	}

	async #write(
		from: readonly CallState[],
		to: CallState,
		at: number,
		event: string,
		detail: string | undefined,
		patch: CallPatch,
	): Promise<boolean> {
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
	}

	#enqueue(what: string, write: () => Promise<void>): void {
		this.#queue = this.#queue
			.then(write)
			.catch((error: unknown) => this.#log.error({ callId: this.#callId, what, err: error }, "the call's record could not be written"));
	}
}
