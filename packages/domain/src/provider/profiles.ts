import type { ProviderId, ProviderProfile } from "@trunkline/contracts";
import { exotel } from "./data/exotel.ts";
import { generic } from "./data/generic.ts";
import { genesysAvaya } from "./data/genesys-avaya.ts";
import { india } from "./data/india.ts";
import { plivo } from "./data/plivo.ts";
import { telnyx } from "./data/telnyx.ts";
import { twilio } from "./data/twilio.ts";
import { wavix } from "./data/wavix.ts";

const PROFILES: Readonly<Record<ProviderId, ProviderProfile>> = {
	generic,
	twilio,
	telnyx,
	exotel,
	plivo,
	wavix,
	"genesys-avaya": genesysAvaya,
	india,
};

export function providerProfile(id: ProviderId): ProviderProfile {
	return PROFILES[id];
}

/** Every profile, `generic` first. */
export function providerProfiles(): ProviderProfile[] {
	return Object.values(PROFILES);
}

/** The provider whose host this is (host[:port], as an outbound trunk's address); undefined when it is nobody's. */
export function providerOfHost(address: string): ProviderId | undefined {
	return providerProfiles().find(({ hosts }) => hosts.some(({ host }) => isHostOf(host, address)))?.id;
}

/** Is the host, whatever its port, this one; or, where the pattern begins with `*.`, a name below it? */
export function isHostOf(pattern: string, address: string): boolean {
	const host = address.replace(/:\d+$/, "").replace(/\.$/, "").toLowerCase();
	if (!pattern.startsWith("*.")) return host === pattern;
	const suffix = pattern.slice(1);
	return host.endsWith(suffix) && host.length > suffix.length;
}

/** Networks that an inbound trunk of this provider takes calls from when it names none of its own; none = they are not all known, or nobody's. */
export function signallingNetworks(id: ProviderId): string[] {
	const { addresses, signallingComplete } = providerProfile(id);
	return signallingComplete ? addresses.filter(({ use }) => use === "signalling").map(({ network }) => network) : [];
}
