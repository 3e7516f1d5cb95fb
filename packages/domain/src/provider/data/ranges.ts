import type { ProviderAddress } from "@trunkline/contracts";

type Origin = Pick<ProviderAddress, "use" | "asOf" | "source" | "unsure" | "note">;

/** Networks by region, all with the same origin; a single address is the network of that address alone. */
export function addresses(origin: Origin, byRegion: Readonly<Record<string, readonly string[]>>): ProviderAddress[] {
	return Object.entries(byRegion).flatMap(([region, networks]) =>
		networks.map((network) => ({ network: network.includes("/") ? network : `${network}/32`, region, ...origin })),
	);
}
