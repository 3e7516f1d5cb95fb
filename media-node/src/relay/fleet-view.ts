import type { RelayPeer } from "./share.ts";

/** What of the registry of nodes is needed here. */
export interface PeerRegistry {
	/** those that live, of one region */
	liveNodes(region: string, now: number): Promise<readonly RelayPeer[]>;
}

export interface FleetViewOptions {
	registry: PeerRegistry;
	nodeId: string;
	region: string;
	/** ms since the epoch */
	now(): number;
	/** ms; ends early when told */
	sleep(ms: number, signal: AbortSignal): Promise<void>;
	/** how often the nodes are looked at, ms; 2,000 */
	everyMs?: number;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** A view that nobody could renew for so long says nothing any more: nodes that it shows may be gone. */
const KEPT_MS = 20_000;
/** Anybody can name a node in a tag: it does not cost a read of the registry each time. */
const ASKED_EVERY_MS = 500;

/** The other nodes of the region, as they were a moment ago: asked for each INVITE, read every two seconds. */
export class FleetView {
	readonly #options: FleetViewOptions;
	readonly #stopping = new AbortController();
	#peers: readonly RelayPeer[] = [];
	#seenAt = Number.NEGATIVE_INFINITY;
	#running: Promise<void> | undefined;
	#asking: Promise<readonly RelayPeer[]> | undefined;
	#askedAt = Number.NEGATIVE_INFINITY;

	constructor(options: FleetViewOptions) {
		this.#options = options;
	}

	start(): void {
		this.#running ??= this.#run();
	}

	/** Idempotent. */
	async stop(): Promise<void> {
		this.#stopping.abort();
		await this.#running;
	}

	get peers(): readonly RelayPeer[] {
		return this.#options.now() - this.#seenAt > KEPT_MS ? [] : this.#peers;
	}

	/** One that may be newer than the view. Who asks meanwhile gets the same answer. Rejects when the registry cannot be read. */
	async find(nodeId: string): Promise<RelayPeer | undefined> {
		this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
		return (await this.#asking).find((node) => node.nodeId === nodeId);
	}

	async #ask(): Promise<readonly RelayPeer[]> {
		const { registry, region, now, sleep } = this.#options;
		const early = this.#askedAt + ASKED_EVERY_MS - now();
		if (early > 0) await sleep(early, this.#stopping.signal);
		this.#askedAt = now();
		return registry.liveNodes(region, now());
	}

	/** Never rejects. */
	async look(): Promise<void> {
		const { registry, nodeId, region, now, log } = this.#options;
		try {
			const live = await registry.liveNodes(region, now());
			this.#peers = live.filter((node) => node.nodeId !== nodeId && node.region === region);
			this.#seenAt = now();
		} catch (error) {
			log.warn({ err: error }, "the nodes of the region could not be read");
		}
	}

	async #run(): Promise<void> {
		const { signal } = this.#stopping;
		while (!signal.aborted) {
			await this.look();
			await this.#options.sleep(this.#options.everyMs ?? 2_000, signal);
		}
	}
}
