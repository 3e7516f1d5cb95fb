import {
	deployedAtOf,
	NODE_DEAD_AFTER_MS,
	NODE_HEARTBEAT_MS,
	NODE_KEPT_SECONDS,
	type NodeRecord,
	type NodeRegistry,
	reasonToDrain,
} from "@trunkline/domain";

/** What changes of a node from one heartbeat to the next. */
export type NodeReadings = Pick<NodeRecord, "state" | "calls" | "maxCalls" | "lateMs" | "cpuShare">;

export interface MembershipOptions {
	registry: NodeRegistry;
	/** what does not change */
	own: Pick<NodeRecord, "nodeId" | "region" | "build" | "advertised" | "relay" | "commandQueueUrl" | "task">;
	/** unset: since its first node */
	deployedAt?: number;
	read(): NodeReadings;
	/** Buries dead peers; never rejects. */
	bury(): Promise<void>;
	/** Peers have taken this node for dead: its calls are ended, and not its own any more. Once. */
	onBuried(): void;
	/** Others have taken over, or it is time to go. Once. */
	onSuperseded(why: string): void;
	/** The node with what it has just said; for what else goes with heartbeats. */
	onBeat?(calls: number): void;
	/** see `reasonToDrain` */
	maxAgeMs?: number;
	/** ms since the epoch */
	now(): number;
	sleep(ms: number, signal: AbortSignal): Promise<void>;
	heartbeatMs?: number;
	/** silence after which peers may bury this node, ms */
	deadAfterMs?: number;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** A node among those of its region: it says that it lives, looks for those that do not, and for those that are newer. */
export class Membership {
	readonly #options: MembershipOptions;
	readonly #stopping = new AbortController();
	readonly #startedAt: number;
	#deployedAt: number | undefined;
	#buried = false;
	#superseded = false;
	/** of the last word that the registry took, ms since the epoch */
	#heardAt = Number.NEGATIVE_INFINITY;
	/** one after the other: what is told last must be what is known last, and nothing may be told after goodbye */
	#beating: Promise<void> = Promise.resolve();
	#running: Promise<unknown> = Promise.resolve();

	constructor(options: MembershipOptions) {
		this.#options = options;
		this.#startedAt = options.now();
		this.#deployedAt = options.deployedAt;
	}

	/**
	 * Has this node said nothing for so long that peers may have buried it, as one that was stopped and goes on? It must take no new call until it has asked: nobody
	 * would end that call in its place. A clock that was set back says nothing of how long ago that was.
	 */
	get silent(): boolean {
		const { now, deadAfterMs = NODE_DEAD_AFTER_MS } = this.#options;
		return this.#buried || Math.abs(now() - this.#heardAt) >= deadAfterMs;
	}

	/** Resolves when the node is known to its peers, or when the registry could not be reached, which is tried again. */
	async start(): Promise<void> {
		await this.#beat();
		this.#running = Promise.all([this.#loop(() => this.#beat()), this.#loop(() => this.#options.bury())]);
	}

	/** The node's state has changed: its peers and the API should know before the next heartbeat. */
	async tell(): Promise<void> {
		if (!this.#stopping.signal.aborted) await this.#beat();
	}

	/** Says goodbye, unless something is `left` that peers have to see to. For a node without calls; idempotent. */
	async stop(left = false): Promise<void> {
		this.#stopping.abort();
		await Promise.all([this.#running, this.#beating]);
		const { registry, own, log } = this.#options;
		if (this.#buried || left) return;
		await registry
			.removeNode(own.nodeId)
			.catch((error: unknown) => log.warn({ err: error }, "this node could not be taken out of the registry; peers find it silent"));
	}

	async #loop(step: () => Promise<void>): Promise<void> {
		const { signal } = this.#stopping;
		for (;;) {
			await this.#options.sleep(this.#options.heartbeatMs ?? NODE_HEARTBEAT_MS, signal);
			if (signal.aborted) return;
			await step();
		}
	}

	#beat(): Promise<void> {
		this.#beating = this.#beating.then(() => this.#say());
		return this.#beating;
	}

	/** Never rejects: a registry that is down ends no calls. */
	async #say(): Promise<void> {
		const { registry, own, read, now, onBuried, onBeat, log } = this.#options;
		if (this.#buried || this.#stopping.signal.aborted) return;
		try {
			// Before it says anything of its own, so that nodes of one build agree.
			this.#deployedAt ??= deployedAtOf({ build: own.build, startedAt: this.#startedAt }, await registry.liveNodes(own.region, now()));
			const readings = read();
			const at = now();
			const expiresAtSeconds = Math.floor(at / 1000) + NODE_KEPT_SECONDS;
			const lives = await registry.beat({ ...own, ...readings, deployedAt: this.#deployedAt, heartbeatAt: at, expiresAtSeconds });
			if (!lives && !this.#buried) {
				this.#buried = true;
				this.#stopping.abort();
				return onBuried();
			}
			this.#heardAt = at;
			onBeat?.(readings.calls);
			if (readings.state === "ready") await this.#look({ ...own, ...readings, deployedAt: this.#deployedAt });
		} catch (error) {
			log.warn({ err: error }, "a heartbeat could not be written");
		}
	}

	async #look(self: Parameters<typeof reasonToDrain>[0]): Promise<void> {
		const { registry, own, now, maxAgeMs, onSuperseded } = this.#options;
		if (this.#superseded) return;
		const live = await registry.liveNodes(own.region, now());
		const terms = { startedAt: this.#startedAt, now: now(), ...(maxAgeMs === undefined ? {} : { maxAgeMs }) };
		const why = reasonToDrain(self, live, terms);
		if (why === undefined) return;
		this.#superseded = true;
		onSuperseded(why);
	}
}
