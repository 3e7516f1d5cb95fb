import type { DecisionStep, InboundTrunk } from "@trunkline/contracts";
import { formatNetwork, networkContains, parseAddress, parseNetwork } from "../address.ts";
import { includesNumber, normalizeNumber } from "../number.ts";
import { calledForms } from "../provider/numbers.ts";
import { providerProfile } from "../provider/profiles.ts";
import { canonicalSources, sourceNetworks } from "./conflicts.ts";

export interface InboundCallOrigin {
	/** caller: user part of From */
	from: string;
	/** called: user part of To */
	to: string;
	/** IP address that the INVITE came from, without port */
	sourceAddress: string;
}

export interface TrunkMatch {
	trunk?: InboundTrunk;
	/** why no trunk could be chosen although some match; a call is then refused */
	problem?: string;
	steps: DecisionStep[];
}

/**
 * The trunk that an inbound call came through. Every filter that a trunk sets must pass, and nothing fails open: an address entry that cannot
 * be read matches nobody, a source address that cannot be read passes no address filter. Entries are never compared with From's host, which the
 * caller writes. A trunk without entries of its own that names its provider takes calls from the provider's networks alone, where all are known.
 *
 * Of several trunks the narrowest wins: one that names the called number, then one that names the caller, then the longest address prefix, then the
 * one with fewer networks; the last word has the text of the networks. (LiveKit fails such calls with "Multiple SIP Trunks matched", although its
 * conflict check lets the two trunks be created.) Only a full tie is a problem, and just what the conflict keys (conflicts.ts) rule out.
 */
export function matchInboundTrunk(trunks: readonly InboundTrunk[], call: InboundCallOrigin): TrunkMatch {
	const steps: DecisionStep[] = [];
	const candidates: Candidate[] = [];
	for (const trunk of [...trunks].sort((a, b) => compareText(a.trunkId, b.trunkId))) {
		const tested = testTrunk(trunk, call);
		if (tested.pass) candidates.push({ trunk, rank: tested.rank });
		else steps.push({ kind: "trunk", id: trunk.trunkId, outcome: "rejected", test: tested.test, detail: tested.detail });
	}
	candidates.sort((a, b) => compareRank(b.rank, a.rank));
	const [best, second] = candidates;
	if (best === undefined) return { steps };
	if (second !== undefined && compareRank(best.rank, second.rank) === 0) {
		for (const { trunk } of candidates) steps.push({ kind: "trunk", id: trunk.trunkId, outcome: "candidate", test: "unique" });
		const wanted = JSON.stringify(call.to);
		return {
			problem: best.rank.number > 0 ? `Multiple SIP Trunks matched for ${wanted}` : `Multiple default SIP Trunks matched for ${wanted}`,
			steps,
		};
	}
	steps.push({ kind: "trunk", id: best.trunk.trunkId, outcome: "selected" });
	for (const { trunk } of candidates.slice(1)) {
		steps.push({
			kind: "trunk",
			id: trunk.trunkId,
			outcome: "candidate",
			test: "specificity",
			detail: `${best.trunk.trunkId} is more specific`,
		});
	}
	return { trunk: best.trunk, steps };
}

interface Rank {
	/** 2 = names the called number, 1 = names it in another form, 0 = takes every number */
	number: 0 | 1 | 2;
	caller: 0 | 1;
	/** -1 = no address filter */
	prefixLength: number;
	/** asked for only when all else is equal */
	sources: () => readonly string[];
}

interface Candidate {
	trunk: InboundTrunk;
	rank: Rank;
}

type Tested = { pass: true; rank: Rank } | { pass: false; test: string; detail: string };

function testTrunk(trunk: InboundTrunk, call: InboundCallOrigin): Tested {
	const number = rankOfNumber(trunk, call.to);
	if (number === undefined)
		return { pass: false, test: "numbers", detail: `called ${quoteNumber(call.to)} is not in ${quoteNumbers(trunk.numbers)}` };
	if (trunk.allowedNumbers.length > 0 && !includesNumber(trunk.allowedNumbers, call.from)) {
		return {
			pass: false,
			test: "allowed_numbers",
			detail: `caller ${quoteNumber(call.from)} is not in ${quoteNumbers(trunk.allowedNumbers)}`,
		};
	}
	const prefixLength = longestPrefix(sourceNetworks(trunk), call.sourceAddress);
	if (prefixLength === undefined) return { pass: false, ...addressMissed(trunk, call.sourceAddress) };
	const caller = trunk.allowedNumbers.length > 0 ? 1 : 0;
	return { pass: true, rank: { number, caller, prefixLength, sources: () => canonicalSources(trunk) } };
}

function rankOfNumber(trunk: InboundTrunk, called: string): Rank["number"] | undefined {
	if (trunk.numbers.length === 0) return 0;
	if (includesNumber(trunk.numbers, called)) return 2;
	return calledForms(trunk).has(normalizeNumber(called)) ? 1 : undefined;
}

function addressMissed(trunk: InboundTrunk, source: string): { test: string; detail: string } {
	const missed = `source ${JSON.stringify(source)} is not in [${sourceNetworks(trunk).map(describeEntry).join(", ")}]`;
	if (trunk.allowedAddresses.length > 0) return { test: "allowed_addresses", detail: missed };
	const { name, asOf } = providerProfile(trunk.settings?.provider ?? "generic");
	return {
		test: "provider",
		detail: `${missed}, where ${name} sends calls from as of ${asOf}; allowed_addresses of the trunk's own take the place of this list`,
	};
}

/** Length of the longest entry that contains the source, -1 when there are no entries, undefined when none contains it. */
function longestPrefix(entries: readonly string[], source: string): number | undefined {
	if (entries.length === 0) return -1;
	const address = parseAddress(source);
	if (address === undefined) return undefined;
	let longest: number | undefined;
	for (const entry of entries) {
		const network = parseNetwork(entry);
		if (network === undefined || !networkContains(network, address)) continue;
		if (longest === undefined || network.prefixLength > longest) longest = network.prefixLength;
	}
	return longest;
}

function compareRank(a: Rank, b: Rank): number {
	const narrower = a.number - b.number || a.caller - b.caller || a.prefixLength - b.prefixLength;
	if (narrower !== 0) return narrower;
	const [mine, theirs] = [a.sources(), b.sources()];
	return theirs.length - mine.length || compareText(theirs.join(","), mine.join(","));
}

function describeEntry(entry: string): string {
	const network = parseNetwork(entry);
	return network === undefined ? `${JSON.stringify(entry)} (not an address)` : formatNetwork(network);
}

function quoteNumber(number: string): string {
	return JSON.stringify(normalizeNumber(number));
}

function quoteNumbers(numbers: readonly string[]): string {
	return `[${numbers.map(quoteNumber).join(", ")}]`;
}

function compareText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
