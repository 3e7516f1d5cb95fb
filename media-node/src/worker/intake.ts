import type { CallRecord, DialMessage } from "@trunkline/contracts";
import { type CallStore, claimDeadline, type DialQueue, type Received } from "@trunkline/domain";

export interface IntakeOptions {
	queue: DialQueue;
	calls: CallStore;
	nodeId: string;
	region: string;
	/** how many more calls this node takes now; nothing is received while it is 0 */
	room(): number;
	/** Runs the call; calls `dialled` once it can no longer be lost (the INVITE may leave, or the call is over). */
	run(record: CallRecord, dialled: () => void): void;
	now(): number;
	sleep(ms: number, signal: AbortSignal): Promise<void>;
	log: { warn(fields: Record<string, unknown>, message: string): void; error(fields: Record<string, unknown>, message: string): void };
}

/** A node that claimed a call and then died may be replaced after this, as long as nothing was dialled. */
const LEASE_MS = 15_000;
const LONG_POLL_MS = 20_000;
const BUSY_PAUSE_MS = 200;
const ERROR_PAUSE_MS = 1_000;

/** Pulls dial requests from the region's queue while the node has room: the queue is the load balancer. */
export class Intake {
	readonly #options: IntakeOptions;
	readonly #stop = new AbortController();
	#running: Promise<void> = Promise.resolve();

	constructor(options: IntakeOptions) {
		this.#options = options;
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
		const { calls, nodeId, region, now, run, log } = this.#options;
		const { callId } = received.message;
		try {
			if (this.#stop.signal.aborted || received.message.region !== region) return await received.release();
			const at = now();
			const queued = await calls.getCall(callId);
			// The API gives up a call that nobody claimed in time; if it died meanwhile, the call must not ring minutes later all the same.
			if (queued?.state === "queued" && at > claimDeadline(queued)) {
				await calls.endCall(callId, at, { by: "node", reason: "not-claimed", message: "no media node took the call in time" });
				return await received.ack();
			}
			const record = await calls.claimCall(callId, nodeId, at, at + LEASE_MS);
			if (record !== undefined) return run(record, () => this.#ack(received));
			const current = await calls.getCall(callId);
			const leased =
				current !== undefined && (current.state === "claimed" || current.state === "joining") && (current.leaseUntil ?? 0) > at;
			// Somebody else is at it and may yet die: the message comes back when its visibility time-out ends.
			if (leased && current.owner !== nodeId) return;
			await received.ack();
		} catch (error) {
			log.error({ callId, err: error }, "claiming a call failed; the queue delivers it again");
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
