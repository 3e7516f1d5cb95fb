import type { InboundTrunk, ProviderId, Trunk, TrunkSettingsView } from "@trunkline/contracts";
import { networkContains, parseAddress, parseNetwork } from "../address.ts";
import { sourceNetworks } from "../trunk/conflicts.ts";
import { effectiveSettings } from "./effective.ts";
import { providerOfHost, providerProfile, providerProfiles } from "./profiles.ts";

/** A trunk's settings and what follows from them, for people. No secret is in it. */
export function trunkSettingsView(trunk: Trunk): TrunkSettingsView {
	const settings = trunk.settings ?? {};
	const suggested = settings.provider === undefined && trunk.kind === "outbound" ? providerOfHost(trunk.address) : undefined;
	return {
		trunkId: trunk.trunkId,
		kind: trunk.kind,
		settings,
		effective: effectiveSettings(trunk.settings),
		...(trunk.kind === "inbound" ? { accepts: acceptedFrom(trunk) } : {}),
		...(suggested === undefined ? {} : { suggestedProvider: suggested }),
		warnings: warnings(trunk),
	};
}

/** The provider whose published signalling networks the address is in; undefined when it is nobody's. */
export function providerOfSource(source: string): ProviderId | undefined {
	const address = parseAddress(source);
	if (address === undefined) return undefined;
	const contains = (text: string): boolean => {
		const network = parseNetwork(text);
		return network !== undefined && networkContains(network, address);
	};
	return providerProfiles().find(({ addresses }) => addresses.some(({ use, network }) => use === "signalling" && contains(network)))?.id;
}

function acceptedFrom(trunk: InboundTrunk): NonNullable<TrunkSettingsView["accepts"]> {
	const networks = sourceNetworks(trunk);
	if (trunk.allowedAddresses.length > 0) return { from: "allowed_addresses", networks };
	return { from: networks.length > 0 ? "provider" : "anywhere", networks };
}

function warnings(trunk: Trunk): string[] {
	const { provider } = trunk.settings ?? {};
	if (provider === undefined || trunk.kind === "outbound") return [];
	const { name, addresses, signallingComplete } = providerProfile(provider);
	if (trunk.allowedAddresses.length > 0) return [];
	if (!signallingComplete)
		return [
			`not all addresses that ${name} sends calls from are known, so calls are accepted from anywhere: set allowed_addresses to those that you are told`,
		];
	const unsure = addresses.filter((entry) => entry.use === "signalling" && entry.unsure === true).map(({ network }) => network);
	return unsure.length === 0 ? [] : [`to be confirmed with ${name}, and allowed until then: ${unsure.join(", ")}`];
}
