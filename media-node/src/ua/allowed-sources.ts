import type { InboundTrunk } from "@trunkline/contracts";
import { type Network, networkContains, parseAddress, parseNetwork, sourceNetworks } from "@trunkline/domain";

export interface AllowedSourcesOptions {
	/** of all projects that this node takes calls for, up to `most`; undefined = more than that */
	trunks(most: number): Promise<readonly InboundTrunk[] | undefined>;
	log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** With more trunks a node knows no list, and answers strangers. */
const MOST_TRUNKS = 5_000;
const MOST_REMEMBERED = 4_096;
const REFRESH_MS = 10_000;
/** A wider network than these tells nobody from anybody: whoever writes 0.0.0.0/0, or two halves of it, takes calls from everywhere. */
const WIDEST = { ipv4: 8, ipv6: 16 } as const;

/**
 * Which addresses the trunks name, read every ten seconds and kept in memory: asked before a datagram is parsed, when there is no time for a store.
 * An address that was added counts after that time; callers repeat an INVITE for 32 s (RFC 3261 §17.1.1.2), so no call is lost to it.
 */
export class AllowedSources {
	readonly #options: AllowedSourcesOptions;
	#trunks: readonly (readonly Network[])[] = [];
	#closed = false;
	#known = new Map<string, boolean>();
	#timer: NodeJS.Timeout | undefined;
	#stopped = false;

	constructor(options: AllowedSourcesOptions) {
		this.#options = options;
	}

	/** There is a trunk, and each has addresses that may call: others can have no business here. False until the first list is read. */
	get closed(): boolean {
		return this.#closed;
	}

	has(host: string): boolean {
		const known = this.#known.get(host);
		if (known !== undefined) return known;
		const found = this.#trunkOf(host) !== undefined;
		// Forged addresses are many; what is remembered is not.
		if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
		this.#known.set(host, found);
		return found;
	}

	/** One trunk names both. */
	together(peer: string, source: string): boolean {
		const [a, b] = [parseAddress(peer), parseAddress(source)];
		if (a === undefined || b === undefined) return false;
		return this.#trunks.some(
			(networks) => networks.some((network) => networkContains(network, a)) && networks.some((network) => networkContains(network, b)),
		);
	}

	/** Reads the list now and then every ten seconds, until `stop`. Never rejects: while the store cannot be read, the last list holds. */
	async start(): Promise<void> {
		await this.refresh();
		if (this.#stopped) return;
		this.#timer = setTimeout(() => void this.start(), REFRESH_MS);
		this.#timer.unref();
	}

	stop(): void {
		this.#stopped = true;
		clearTimeout(this.#timer);
	}

	async refresh(): Promise<void> {
		try {
			const trunks = await this.#options.trunks(MOST_TRUNKS);
			const sources = trunks?.map(sourceNetworks) ?? [];
			const networks = sources.map((entries) => entries.flatMap((entry) => parseNetwork(entry) ?? []));
			this.#closed = sources.length > 0 && sources.every((entries) => entries.length > 0) && !networks.flat().some(isEverybody);
			// One customer's list must neither protect the whole internet from bans nor let it into another customer's calls.
			this.#trunks = networks.map((one) => one.filter((network) => !isEverybody(network)));
			this.#known = new Map();
		} catch (error) {
			this.#options.log.warn({ err: error }, "the trunks' addresses could not be read; the last list holds");
		}
	}

	#trunkOf(host: string): readonly Network[] | undefined {
		const address = parseAddress(host);
		if (address === undefined) return undefined;
		return this.#trunks.find((networks) => networks.some((network) => networkContains(network, address)));
	}
}

function isEverybody({ address, prefixLength }: Network): boolean {
	return prefixLength < WIDEST[address.kind()];
}
