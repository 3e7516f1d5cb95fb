import type { ProviderProfile } from "@trunkline/contracts";
import { generic } from "./generic.ts";

/** Carriers in India that want `user=phone`; Airtel is the one that was reported. */
export const india: ProviderProfile = {
	...generic,
	id: "india",
	name: "Carriers in India (Airtel and the like)",
	summary: "user=phone in URIs, and no transport parameter.",
	sources: { ...generic.sources, sip615: "https://github.com/livekit/sip/issues/615" },
	userPhone: { wanted: "yes", source: "sip615" },
	settings: { uri: { userPhone: true, transportParameter: false } },
	notes: [{ text: "Airtel refuses URIs without user=phone, and those with a transport parameter.", source: "sip615" }],
};
