import { NODE_BURIAL_MS, NODE_DEAD_AFTER_MS, type NodeRecord, type NodeRegistry } from "@trunkline/domain";

interface Known {
	node: NodeRecord;
	claimedBy?: string;
	claimedUntil?: number;
	buriedAt?: number;
}

/** The nodes of any number of regions in memory. */
export class MemoryNodeRegistry implements NodeRegistry {
	readonly #nodes = new Map<string, Known>();
	readonly #deadAfterMs: number;

	constructor(options: { deadAfterMs?: number } = {}) {
		this.#deadAfterMs = options.deadAfterMs ?? NODE_DEAD_AFTER_MS;
	}

	async beat(node: NodeRecord): Promise<boolean> {
		if (this.#nodes.get(node.nodeId)?.claimedBy !== undefined) return false;
		this.#nodes.set(node.nodeId, { node: structuredClone(node) });
		return true;
	}

	async liveNodes(region: string, now: number): Promise<NodeRecord[]> {
		return this.#of(region, ({ node, claimedBy }) => claimedBy === undefined && node.heartbeatAt > now - this.#deadAfterMs);
	}

	async getNode(nodeId: string): Promise<NodeRecord | undefined> {
		return structuredClone(this.#nodes.get(nodeId)?.node);
	}

	async removeNode(nodeId: string): Promise<void> {
		if (this.#nodes.get(nodeId)?.claimedBy === undefined) this.#nodes.delete(nodeId);
	}

	async deadNodes(region: string, now: number): Promise<NodeRecord[]> {
		return this.#of(region, (known) => this.#isDead(known, now) && isFree(known, now));
	}

	async claimDead(nodeId: string, by: string, now: number, certain = false): Promise<boolean> {
		const known = this.#nodes.get(nodeId);
		if (known === undefined || !isFree(known, now) || !(certain || this.#isDead(known, now))) return false;
		known.claimedBy = by;
		known.claimedUntil = now + NODE_BURIAL_MS;
		known.node.heartbeatAt = now - this.#deadAfterMs;
		return true;
	}

	async buried(nodeId: string, by: string, now: number): Promise<void> {
		const known = this.#nodes.get(nodeId);
		if (known?.claimedBy === by) known.buriedAt = now;
	}

	#isDead({ node }: Known, now: number): boolean {
		return node.heartbeatAt <= now - this.#deadAfterMs;
	}

	#of(region: string, wanted: (known: Known) => boolean): NodeRecord[] {
		return [...this.#nodes.values()]
			.filter((known) => known.node.region === region && wanted(known))
			.map(({ node }) => structuredClone(node));
	}
}

const isFree = ({ claimedUntil = 0, buriedAt }: Known, now: number): boolean => buriedAt === undefined && claimedUntil <= now;
