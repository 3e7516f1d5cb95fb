import type { InboundTrunk } from "@trunkline/contracts";
import { formatNetwork, parseNetwork } from "../address.ts";
import { DomainError } from "../errors.ts";
import { normalizeNumber } from "../number.ts";
import { signallingNetworks } from "../provider/profiles.ts";

/**
 * What an inbound trunk claims for itself alone: called number × allowed caller × set of source networks, "any" where a list is empty. Two
 * trunks with a key in common would be equally good for the same calls, so the store keeps each key for one trunk.
 *
 * LiveKit leaves the source out of its key: there, two carriers cannot both bring calls to one number, nor can there be two wildcard trunks. Here
 * they can, when their networks differ; matching prefers the narrower one.
 */
export function trunkConflictKeys(trunk: InboundTrunk): string[] {
	const sources = canonicalSources(trunk).join(",");
	const keys = new Set<string>();
	for (const number of normalizedOrAny(trunk.numbers)) {
		for (const caller of normalizedOrAny(trunk.allowedNumbers)) keys.add(JSON.stringify([number, caller, sources]));
	}
	return [...keys];
}

/**
 * The networks that a trunk takes calls from, each in its one form, sorted; none = any. A provider's are called by its name: they change, and the claims of
 * a trunk must not change with them.
 */
export function canonicalSources({ allowedAddresses, settings }: Pick<InboundTrunk, "allowedAddresses" | "settings">): string[] {
	const provider = settings?.provider;
	if (allowedAddresses.length === 0 && provider !== undefined && signallingNetworks(provider).length > 0) return [`provider:${provider}`];
	return [...new Set(allowedAddresses.map(canonicalSource))].sort();
}

/** The networks that a trunk takes calls from: its own, or else those that its provider is known to use, if all are; none = any. */
export function sourceNetworks({ allowedAddresses, settings }: Pick<InboundTrunk, "allowedAddresses" | "settings">): readonly string[] {
	if (allowedAddresses.length > 0 || settings?.provider === undefined) return allowedAddresses;
	return signallingNetworks(settings.provider);
}

/** One form of an address or network, however it was written; what is neither stays as it is. */
export function canonicalSource(entry: string): string {
	const network = parseNetwork(entry);
	return network === undefined ? entry : formatNetwork(network);
}

/**
 * The error for a key that another trunk holds; the text is LiveKit's. `key` is one of `trunkConflictKeys`, `trunkId` the trunk's that is updated;
 * LiveKit does not tell the id of one that is being created.
 */
export function trunkConflictError(key: string, otherTrunkId: string, trunkId = "<new>"): DomainError {
	const [number = "", caller = ""] = JSON.parse(key) as string[];
	const conflict = caller === "" ? "without AllowedNumbers set" : `and AllowedNumber ${JSON.stringify(caller)}`;
	return new DomainError(
		"invalid_argument",
		`Conflicting inbound SIP Trunks: ${JSON.stringify(trunkId)} and ${JSON.stringify(otherTrunkId)}, using the same number(s) [${JSON.stringify(number)}] ${conflict}`,
	);
}

function normalizedOrAny(numbers: readonly string[]): string[] {
	return numbers.length === 0 ? [""] : numbers.map(normalizeNumber);
}
