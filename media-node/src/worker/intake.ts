import type { CallRecord, DialMessage } from "@trunkline/contracts";
import type { CLAIM_OUTCOMES, Metrics } from "@trunkline/observability";
import { type CallStore, claimDeadline, type DialQueue, type Received } from "@trunkline/domain";

export interface IntakeOptions {
	queue: DialQueue;
	calls: CallStore;
	nodeId: string;
	region: string;
	/** why a call must not be dialled in this region; unset: nothing is pinned */
	refuses?(record: CallRecord): string | undefined;
	/** how many more calls this node takes now; nothing is received while it is 0 */
	room(): number;
	/** Runs the call; calls `dialled` once it can no longer be lost (the INVITE may leave, or the call is over). A throw ends the call. */
	run(record: CallRecord, dialled: () => void): void;
	now(): number;
	sleep(ms: number, signal: AbortSignal): Promise<void>;
	metrics?: Metrics;
	log: { warn(fields: Record<string, unknown>, message: string): void; error(fields: Record<string, unknown>, message: string): void };
}

/** A node that claimed a call and then died may be replaced after this, as long as nothing was dialled. */
const LEASE_MS = 15_000;
const LONG_POLL_MS = 20_000;
const BUSY_PAUSE_MS = 200;
const ERROR_PAUSE_MS = 1_000;
/** Calls that have been run here and are known to have been: SQS repeats within minutes. */
const REMEMBERED = 10_000;

/** Pulls dial requests from the region's queue while the node has room: the queue is the load balancer. */
export class Intake {
	readonly #options: IntakeOptions;
	readonly #stop = new AbortController();
	#running: Promise<void> = Promise.resolve();
	/** calls that are being claimed: a slot each, so that a node is never over its limit however many messages come at once */
	readonly #claiming = new Set<string>();
	/** calls that this node is claiming, or runs without having acknowledged their message yet */
	readonly #taken = new Set<string>();
	/** calls that are dialled, or over without having been: never run again here, whatever their record says still */
	readonly #ran = new Set<string>();

	constructor(options: IntakeOptions) {
		this.#options = options;
	}

	/** Calls that are about to start: they count against the node's limit. */
	get claiming(): number {
		return this.#claiming.size;
	}

	/** Is a call being claimed here, or run without being dialled yet? */
	has(callId: string): boolean {
		return this.#taken.has(callId);
	}

	start(): void {
		this.#running = this.#loop();
	}

	/** Takes nothing more; resolves when the message at hand is dealt with. */
	async stop(): Promise<void> {
		this.#stop.abort();
		await this.#running;
	}

	async #loop(): Promise<void> {
		const { signal } = this.#stop;
		const { queue, log, room, sleep } = this.#options;
		while (!signal.aborted) {
			try {
				const free = room();
				if (free <= 0) {
					await sleep(BUSY_PAUSE_MS, signal);
					continue;
				}
				const received = await queue.receive(Math.min(10, free), LONG_POLL_MS, signal);
				await Promise.all(received.map((message) => this.#take(message)));
			} catch (error) {
				if (signal.aborted) return;
				log.error({ err: error }, "receiving dial requests failed");
				await sleep(ERROR_PAUSE_MS, signal).catch(() => {});
			}
		}
	}

	async #take(received: Received<DialMessage>): Promise<void> {
		const { region, log } = this.#options;
		const { callId, requestId } = received.message;
		try {
			if (this.#stop.signal.aborted) return await this.#release(received);
			if (received.message.region !== region) {
				this.#count("other-region");
				// Left to the visibility time-out, and after a few rounds to the dead-letter queue: given back it would be here again at once.
				log.error(
					{ callId, requestId, messageRegion: received.message.region, region },
					"a dial request of another region is in this region's queue",
				);
				return;
			}
			// Others may have come while the queue was asked. Another node has room, or this one will have when the message comes back.
			if (this.#options.room() <= 0) return await this.#release(received);
			this.#claiming.add(callId);
			try {
				await this.#claim(received);
			} finally {
				this.#claiming.delete(callId);
			}
		} catch (error) {
			this.#count("failed");
			log.error({ callId, requestId, err: error }, "claiming a call failed; the queue delivers it again");
		}
	}

	#release(received: Received<DialMessage>): Promise<void> {
		this.#count("given-back");
		return received.release();
	}

	#count(outcome: (typeof CLAIM_OUTCOMES)[number]): void {
		this.#options.metrics?.record("DialClaims", 1, { outcome });
	}

	async #claim(received: Received<DialMessage>): Promise<void> {
		const { callId } = received.message;
		// Delivered twice: the first one is at it, and acknowledges when the time has come.
		if (this.#taken.has(callId)) return this.#count("taken");
		this.#taken.add(callId);
		let runs = false;
		try {
			const record = await this.#ours(received);
			runs = record !== undefined && (await this.#run(record, received));
			if (runs) this.#count("claimed");
		} finally {
			if (!runs) this.#taken.delete(callId);
		}
	}

	/** The call's record when it is this node's to run; otherwise the message is dealt with. */
	async #ours(received: Received<DialMessage>): Promise<CallRecord | undefined> {
		const { calls, nodeId, now } = this.#options;
		const { callId } = received.message;
		const at = now();
		const queued = await calls.getCall(callId);
		// The API gives up a call that nobody claimed in time; if it died meanwhile, the call must not ring minutes later all the same.
		if (queued?.state === "queued" && at > claimDeadline(queued)) {
			await calls.endCall(callId, at, { by: "node", reason: "not-claimed", message: "no media node took the call in time" });
			this.#count("late");
			await received.ack();
			return undefined;
		}
		const held = queued === undefined ? undefined : this.#options.refuses?.(queued);
		if (held !== undefined) {
			await calls.endCall(callId, at, { by: "node", reason: "rejected", message: held });
			this.#count("other-region");
			await received.ack();
			return undefined;
		}
		const claimed = await calls.claimCall(callId, nodeId, at, at + LEASE_MS);
		if (claimed !== undefined) return claimed;
		const current = await calls.getCall(callId);
		if (current?.state !== "claimed" && current?.state !== "joining") {
			this.#count("taken");
			await received.ack();
			return undefined;
		}
		// Ours, but we do not run it: the answer to our claim was lost on its way. Anybody else may yet die at it: the message then comes back
		// when its visibility time-out ends.
		if (current.owner === nodeId && !this.#ran.has(callId)) return current;
		this.#count("taken");
		// It came to nothing here, and its end is being written.
		if (current.owner === nodeId) await received.ack();
		return undefined;
	}

	/** false when it is not run after all */
	async #run(record: CallRecord, received: Received<DialMessage>): Promise<boolean> {
		const { calls, nodeId, now, run, log } = this.#options;
		const { callId } = record;
		if (this.#stop.signal.aborted) {
			// Nobody has heard of the call yet: another node may have it at once instead of when the lease is over.
			await calls.transitionCall(callId, { from: ["claimed"], to: "queued", owner: nodeId, at: now(), event: "given-back" });
			await this.#release(received);
			return false;
		}
		// From here on it is counted as a call.
		this.#claiming.delete(callId);
		try {
			run(record, () => {
				this.#taken.delete(callId);
				this.#remember(callId);
				this.#ack(received);
			});
			return true;
		} catch (error) {
			this.#count("failed");
			log.error({ callId, err: error }, "a claimed call could not be started");
			const message = error instanceof Error ? error.message : String(error);
			await calls.endCall(callId, now(), { by: "node", reason: "internal-error", message });
			await received.ack();
			return false;
		}
	}

	#remember(callId: string): void {
		this.#ran.add(callId);
		for (const oldest of this.#ran) {
			if (this.#ran.size <= REMEMBERED) break;
			this.#ran.delete(oldest);
		}
	}

	#ack(received: Received<DialMessage>): void {
		received
			.ack()
			.catch((error: unknown) =>
				this.#options.log.warn({ callId: received.message.callId, err: error }, "a dial request could not be deleted from the queue"),
			);
	}
}
