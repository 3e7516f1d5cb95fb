import type { InboundTrunk, Trunk } from "@trunkline/contracts";
import { formatNetwork, type Network, networkContains, parseAddress, parseNetwork } from "../address.ts";
import { DomainError } from "../errors.ts";
import { normalizeNumber } from "../number.ts";
import type { ConfigStore } from "../ports.ts";
import type { NumberOwner, NumberOwnerStore } from "./ports.ts";

/**
 * Which project an inbound call belongs to, when a deployment has several.
 *
 * A call is the project's whose trunk names the called number and the network it comes from; of several the narrowest network's; then the project's
 * whose trunk names no number but the network. Two projects never own the same number and network, nor networks that overlap: otherwise one could
 * take the other's calls with a trunk that is narrower, or stop them with one that is as good.
 *
 * The list of a number's owners is written before the trunk and is a reservation then; afterwards an entry counts as long as its trunk says the same, so
 * neither a crash nor a deletion leaves anything that has to be cleared away.
 */
export interface NumberOwnership {
	/** `store`, but for inbound trunks: they are created and updated only with numbers that are no other project's. */
	configStore: ConfigStore;
	/** The project of a call to `calledNumber` from the IP address `source`; the fallback project when nobody owns them. */
	projectForInbound(calledNumber: string, source: string): Promise<string | undefined>;
}

export interface NumberOwnershipOptions {
	store: ConfigStore;
	owners: NumberOwnerStore;
	/** a project that is gone owns nothing */
	isProject(projectId: string): Promise<boolean>;
	/** The deployment's own project: gets the calls that nobody owns. It alone may have a trunk for any number from anywhere. */
	fallbackProject?: string;
	/** ms since the epoch */
	now(): number;
}

/** A trunk is written within this, or not at all. */
const RESERVED_MS = 60_000;
/** Clocks of two machines differ by less. */
const CLOCK_SKEW_MS = 30_000;
const PARALLEL = 10;
/** Entries without effect are looked for when a list gets this long; below that they are left until they are in the way. */
const SWEEP_AT = 50;

export function numberOwnership(options: NumberOwnershipOptions): NumberOwnership {
	const numbers = new OwnedNumbers(options);
	const guarded: Pick<ConfigStore, "createTrunk" | "updateTrunk" | "deleteTrunk"> = {
		createTrunk: (projectId, trunk) => numbers.createTrunk(projectId, trunk),
		updateTrunk: (projectId, previous, next) => numbers.updateTrunk(projectId, previous, next),
		deleteTrunk: (projectId, trunkId) => numbers.deleteTrunk(projectId, trunkId),
	};
	return {
		configStore: new Proxy(options.store, {
			get: (store, name) => {
				const own: unknown = Reflect.get(guarded, name) ?? Reflect.get(store, name);
				return typeof own === "function" ? (own.bind(store) as unknown) : own;
			},
		}),
		projectForInbound: (calledNumber, source) => numbers.projectForInbound(calledNumber, source),
	};
}

class OwnedNumbers {
	readonly #options: NumberOwnershipOptions;

	constructor(options: NumberOwnershipOptions) {
		this.#options = options;
	}

	async createTrunk(projectId: string, trunk: Trunk): Promise<void> {
		if (trunk.kind === "outbound") return this.#options.store.createTrunk(projectId, trunk);
		await this.#withNumbers(projectId, trunk, numbersOf(trunk), async (isInTime) => {
			await this.#options.store.createTrunk(projectId, trunk);
			if (isInTime()) return;
			await this.#options.store.deleteTrunk(projectId, trunk.trunkId);
			throw tooSlow(trunk);
		});
	}

	async updateTrunk(projectId: string, previous: Trunk, next: Trunk): Promise<boolean> {
		const { store } = this.#options;
		if (next.kind === "outbound" || previous.kind === "outbound") return store.updateTrunk(projectId, previous, next);
		const same = sameNetworks(networksOf(previous), networksOf(next));
		const had = new Set(same ? numbersOf(previous) : []);
		const added = numbersOf(next).filter((number) => !had.has(number));
		return this.#withNumbers(projectId, next, added, async (isInTime) => {
			// Written too late, the trunk has numbers that may be somebody else's by now: it owns them only if they are still reserved.
			const written = await store.updateTrunk(projectId, previous, next);
			if (written && !isInTime()) {
				await store.updateTrunk(projectId, next, { ...previous, version: next.version + 1 });
				throw tooSlow(next);
			}
			return written;
		});
	}

	async deleteTrunk(projectId: string, trunkId: string): Promise<Trunk | undefined> {
		const trunk = await this.#options.store.deleteTrunk(projectId, trunkId);
		if (trunk?.kind !== "inbound") return trunk;
		// What is not taken out here has no effect either, but its reservation may hold for a while.
		await inParallel(numbersOf(trunk), (number) => this.#remove(number, (owner) => owner.trunkId === trunkId)).catch(() => undefined);
		return trunk;
	}

	async projectForInbound(calledNumber: string, source: string): Promise<string | undefined> {
		const called = normalizeNumber(calledNumber);
		for (const number of called === "" ? [""] : [called, ""]) {
			const owners = await this.#options.owners.get(number);
			const ranked = owners
				.map((owner) => ({ owner, rank: prefixOf(owner, source) }))
				.filter(({ rank }) => rank !== undefined)
				.sort((a, b) => (b.rank ?? 0) - (a.rank ?? 0));
			for (const { owner } of ranked) if (await this.#isTrunk(owner, number)) return owner.projectId;
		}
		return this.#options.fallbackProject;
	}

	/** Reserves the numbers, writes the trunk; takes the reservations back when it is not written. */
	async #withNumbers<T>(
		projectId: string,
		trunk: InboundTrunk,
		numbers: readonly string[],
		write: (isInTime: () => boolean) => Promise<T>,
	): Promise<T> {
		this.#checkWildcard(projectId, trunk);
		const reservedUntil = this.#options.now() + RESERVED_MS;
		const owner: NumberOwner = { projectId, trunkId: trunk.trunkId, networks: networksOf(trunk), reservedUntil };
		const reserved: string[] = [];
		try {
			await inParallel(numbers, async (number) => {
				await this.#reserve(number, owner);
				reserved.push(number);
			});
			const written = await write(() => this.#options.now() < reservedUntil);
			if (written === false) await inParallel(reserved, (number) => this.#release(number, owner));
			return written;
		} catch (error) {
			await inParallel(reserved, (number) => this.#release(number, owner)).catch(() => undefined);
			throw error;
		}
	}

	async #reserve(number: string, owner: NumberOwner): Promise<void> {
		await this.#options.owners.change(number, async (owners) => {
			const kept: NumberOwner[] = [];
			const sweep = owners.length >= SWEEP_AT;
			for (const other of owners) {
				const conflict =
					other.projectId !== owner.projectId &&
					!this.#isFallback(number, other) &&
					!this.#isFallback(number, owner) &&
					overlap(other, owner);
				const inForce = conflict || sweep ? await this.#inForce(other, number) : true;
				if (conflict && inForce) throw taken(number);
				if (inForce && !isSame(other, owner)) kept.push(other);
			}
			return [...kept, owner];
		});
	}

	#release(number: string, owner: NumberOwner): Promise<void> {
		return this.#remove(number, (other) => isSame(other, owner) && other.reservedUntil === owner.reservedUntil);
	}

	#remove(number: string, which: (owner: NumberOwner) => boolean): Promise<void> {
		return this.#options.owners.change(number, async (owners) => {
			const kept = owners.filter((owner) => !which(owner));
			return kept.length === owners.length ? undefined : kept;
		});
	}

	async #inForce(owner: NumberOwner, number: string): Promise<boolean> {
		return owner.reservedUntil + CLOCK_SKEW_MS > this.#options.now() || (await this.#isTrunk(owner, number));
	}

	/** Does the trunk say what the entry says? */
	async #isTrunk({ projectId, trunkId, networks }: NumberOwner, number: string): Promise<boolean> {
		const trunk = await this.#options.store.getTrunk(projectId, trunkId);
		if (trunk?.kind !== "inbound" || !numbersOf(trunk).includes(number) || !sameNetworks(networksOf(trunk), networks)) return false;
		return projectId === this.#options.fallbackProject || (await this.#options.isProject(projectId));
	}

	#isFallback(number: string, { projectId, networks }: NumberOwner): boolean {
		return number === "" && networks.length === 0 && projectId === this.#options.fallbackProject;
	}

	#checkWildcard(projectId: string, trunk: InboundTrunk): void {
		if (trunk.numbers.length > 0 || projectId === this.#options.fallbackProject) return;
		const wide = trunk.allowedAddresses.find((entry) => isTooWide(parseNetwork(entry)));
		if (wide !== undefined)
			throw new DomainError(
				"invalid_argument",
				`${wide} is too wide for a trunk without numbers, which would take calls of other projects: name numbers, or networks of /${WIDEST.ipv4} (IPv6 /${WIDEST.ipv6}) or smaller`,
			);
		if (trunk.allowedAddresses.length > 0) return;
		throw new DomainError(
			"invalid_argument",
			"a trunk without numbers needs allowed_addresses: several projects share this deployment, and it would take the calls of all",
		);
	}
}

/** Prefix lengths: larger networks than these are no one customer's. 0.0.0.0/0 is the same as no network at all. */
const WIDEST = { ipv4: 16, ipv6: 32 };

function isTooWide(network: Network | undefined): boolean {
	return network !== undefined && network.prefixLength < WIDEST[network.address.kind()];
}

/** Normalised; "" for a trunk that names none. */
function numbersOf(trunk: InboundTrunk): string[] {
	return trunk.numbers.length === 0 ? [""] : [...new Set(trunk.numbers.map(normalizeNumber))];
}

function networksOf(trunk: InboundTrunk): string[] {
	return [...new Set(trunk.allowedAddresses.map((entry) => formatted(parseNetwork(entry)) ?? entry))].sort();
}

function formatted(network: Network | undefined): string | undefined {
	return network && formatNetwork(network);
}

function sameNetworks(a: readonly string[], b: readonly string[]): boolean {
	return a.length === b.length && a.every((network, index) => network === b[index]);
}

function isSame(a: NumberOwner, b: NumberOwner): boolean {
	return a.projectId === b.projectId && a.trunkId === b.trunkId && sameNetworks(a.networks, b.networks);
}

function overlap(a: NumberOwner, b: NumberOwner): boolean {
	if (a.networks.length === 0 || b.networks.length === 0) return true;
	const parsed = b.networks.map(parseNetwork);
	return a.networks.some((text) => {
		const network = parseNetwork(text);
		return parsed.some((other) => network !== undefined && other !== undefined && intersect(network, other));
	});
}

/** Two networks are disjoint, or one is in the other. */
function intersect(a: Network, b: Network): boolean {
	return a.prefixLength <= b.prefixLength ? networkContains(a, b.address) : networkContains(b, a.address);
}

/** Length of the longest network that the source is in, -1 where any source is let in. */
function prefixOf({ networks }: NumberOwner, source: string): number | undefined {
	if (networks.length === 0) return -1;
	const address = parseAddress(source);
	if (address === undefined) return undefined;
	const containing = networks.map(parseNetwork).filter((network) => network !== undefined && networkContains(network, address));
	return containing.length === 0 ? undefined : Math.max(...containing.map((network) => network?.prefixLength ?? 0));
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
	const left = [...items];
	const worker = async (): Promise<void> => {
		for (let next = left.shift(); next !== undefined; next = left.shift()) await run(next);
	};
	// All of them end before this does, so that what was done can be taken back.
	const results = await Promise.allSettled(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
	const failed = results.find((result) => result.status === "rejected");
	if (failed !== undefined) throw failed.reason;
}

/** Says nothing of the other: not even that it is a project. */
function taken(number: string): DomainError {
	const what = number === "" ? "calls to any number" : `calls to ${JSON.stringify(number)}`;
	return new DomainError(
		"already_exists",
		`${what} from these addresses are taken on this deployment; name other numbers or narrower allowed_addresses`,
	);
}

function tooSlow({ trunkId }: InboundTrunk): DomainError {
	return new DomainError("aborted", `${trunkId}: the store was too slow; try again`);
}
