import type { OutboundTrunk } from "@trunkline/contracts";
import { checkRoom, chooseRegion, DomainError, type ParticipantRequest, type RegionChoice, type ServedRegion } from "@trunkline/domain";
import type { ApiDeps } from "../deps.ts";

/** What of the API is asked about regions. */
export type RegionsDeps = Pick<ApiDeps, "regions" | "regional" | "callStore">;

/**
 * The region that places a call, and where it may be at all. `regions`: what a request under `/v1` says; `destination.region` of LiveKit's request is the same in
 * its words. Throws as `chooseRegion`.
 */
export function dialRegion(
	deps: Pick<ApiDeps, "regions" | "regional">,
	request: Pick<ParticipantRequest, "destination" | "inlineTrunk">,
	trunk: OutboundTrunk | undefined,
	regions?: readonly string[],
): RegionChoice {
	const named = request.destination?.region ?? "";
	if (named !== "" && regions?.includes(named) === false)
		throw new DomainError("invalid_argument", `destination.region is ${named}, and regions has it not`, { field: "regions" });
	const wanted = named === "" ? regions : [named];
	const line = trunk?.destinationCountry ?? request.inlineTrunk?.destinationCountry ?? "";
	return chooseRegion({
		served: servedRegions(deps),
		trunk: trunk?.settings?.regions,
		...(wanted === undefined ? {} : { request: wanted }),
		country: request.destination?.country || line,
	});
}

/** Without a word about countries every region serves all of them. */
export function servedRegions({ regions, regional }: Pick<ApiDeps, "regions" | "regional">): readonly [ServedRegion, ...ServedRegion[]] {
	if (regional !== undefined) return regional.served;
	const [home, ...others] = regions;
	return [all(home), ...others.map(all)];
}

const all = (region: string): ServedRegion => ({ region, countries: ["*"] });

/**
 * Throws when the region has no room for a call that is not there yet: `resource_exhausted` or `unavailable`, with the region's name. A retry of a call that is
 * there waits for that one. Where nobody knows the nodes, the queue decides.
 */
export async function checkCapacity(deps: RegionsDeps, { region, pin }: RegionChoice, callId: string): Promise<void> {
	const nodes = await deps.regional?.nodesOf?.(region);
	if (nodes === undefined) return;
	try {
		checkRoom(region, nodes, pin !== undefined);
	} catch (error) {
		if ((await deps.callStore.getCall(callId)) === undefined) throw error;
	}
}
