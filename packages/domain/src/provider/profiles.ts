import type { ProviderId, ProviderProfile } from "@trunkline/contracts";
import { generic } from "./data/generic.ts";

const PROFILES: Partial<Record<ProviderId, ProviderProfile>> = { generic };

export function providerProfile(id: ProviderId): ProviderProfile {
	return PROFILES[id] ?? generic;
}
