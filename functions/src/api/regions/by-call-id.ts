import { regionCode, regionCodeOf } from "@trunkline/domain";

/** What each region of the deployment has one of. */
export interface InRegion<T> {
	region: string;
	store: T;
}

/** At least one; the first is the home region. */
export type PerRegion<T> = readonly [InRegion<T>, ...InRegion<T>[]];

/**
 * Finds the region of a call: its id says it. An id without a region is one from before there were several, or of a region that AWS does not have: such a call is
 * looked for in every region, the home region first.
 */
export class ByCallId<T> {
	readonly #regions: PerRegion<T>;
	readonly #byCode = new Map<string, T>();

	/** Throws when two regions would have one code. */
	constructor(regions: PerRegion<T>) {
		this.#regions = regions;
		for (const { region, store } of regions) {
			const code = regionCode(region);
			if (code === "") continue;
			if (this.#byCode.has(code))
				throw new Error(`regions ${region} and another one have the same code ${code}: ids of calls could not tell them apart`);
			this.#byCode.set(code, store);
		}
	}

	get all(): readonly T[] {
		return this.#regions.map(({ store }) => store);
	}

	/** Throws for a region that this deployment has not. */
	in(region: string): T {
		const found = this.#regions.find((one) => one.region === region);
		if (found === undefined) throw new Error(`this deployment has no region ${region}`);
		return found.store;
	}

	/** undefined: the id does not say it */
	named(callId: string): T | undefined {
		return this.#byCode.get(regionCodeOf(callId));
	}

	/** The store of the call, by its id or by who knows it (`find`); the home region's when nobody does. */
	async of<Found>(callId: string, find: (store: T) => Promise<Found | undefined>): Promise<{ store: T; found?: Found }> {
		const named = this.named(callId);
		if (named !== undefined) return { store: named };
		const [home, ...others] = this.#regions;
		const there = await find(home.store);
		if (there !== undefined) return { store: home.store, found: there };
		const elsewhere = await Promise.all(others.map(async ({ store }) => ({ store, found: await find(store) })));
		const hit = elsewhere.find(({ found }) => found !== undefined);
		return hit?.found === undefined ? { store: home.store } : { store: hit.store, found: hit.found };
	}
}
