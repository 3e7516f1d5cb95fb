/** A call may be here alone: names of regions, at least one. Undefined = anywhere. */
export type Pin = readonly string[] | undefined;

/** Where a call's data may be, and who said so. */
export interface RegionPin {
	regions: readonly string[];
	/** the narrowest word; of several that say the same, the first */
	by: "trunk" | "rule" | "request";
}

/** Does nothing keep a call out of this region? */
export function mayBeIn(region: string, pin: Pin): boolean {
	return pin === undefined || pin.length === 0 || pin.includes(region);
}

/**
 * Where a call may be that several have a say in: only where all of them let it. `regions: []` = nowhere, because they contradict each other. Undefined =
 * nobody says anything.
 */
export function commonPin(pins: readonly { by: RegionPin["by"]; regions: Pin }[]): RegionPin | undefined {
	let common: RegionPin | undefined;
	for (const { by, regions } of pins) {
		if (regions === undefined || regions.length === 0) continue;
		if (common === undefined) common = { by, regions };
		else {
			const both = common.regions.filter((region) => regions.includes(region));
			if (both.length < common.regions.length) common = { by, regions: both };
		}
	}
	return common;
}
