import type { InboundTrunk, MediaConfig, MediaEncryption, OutboundTrunk, Transport, TrunkSettings } from "@trunkline/contracts";
import { applyListUpdate, type ListUpdate } from "../list-update.ts";
import { mediaUpdate } from "../media.ts";
import { normalizeNumber } from "../number.ts";
import { canonicalSource } from "./conflicts.ts";

/** `livekit.SIPInboundTrunkUpdate`: what is unset stays as it is. */
export interface InboundTrunkUpdate {
	numbers?: ListUpdate;
	allowedAddresses?: ListUpdate;
	allowedNumbers?: ListUpdate;
	authUsername?: string;
	authPassword?: string;
	authRealm?: string;
	name?: string;
	metadata?: string;
	mediaEncryption?: MediaEncryption;
	media?: MediaConfig;
}

/** `livekit.SIPOutboundTrunkUpdate`: what is unset stays as it is. */
export interface OutboundTrunkUpdate {
	address?: string;
	transport?: Transport;
	destinationCountry?: string;
	numbers?: ListUpdate;
	authUsername?: string;
	authPassword?: string;
	name?: string;
	metadata?: string;
	mediaEncryption?: MediaEncryption;
	media?: MediaConfig;
	fromHost?: string;
}

/** The next version of the trunk, not validated yet. `now` in ms since the epoch. Throws `invalid_argument` for list updates that are none. */
export function updatedInboundTrunk(trunk: InboundTrunk, update: InboundTrunkUpdate, now: number): InboundTrunk {
	return {
		...trunk,
		numbers: applyListUpdate("numbers", trunk.numbers, update.numbers, normalizeNumber),
		allowedAddresses: applyListUpdate("allowed_addresses", trunk.allowedAddresses, update.allowedAddresses, canonicalSource),
		allowedNumbers: applyListUpdate("allowed_numbers", trunk.allowedNumbers, update.allowedNumbers, normalizeNumber),
		...named(update, ["authUsername", "authPassword", "authRealm", "name", "metadata"]),
		...mediaUpdate(trunk, update),
		...following(trunk, now),
	};
}

/** The next version of the trunk, not validated yet. `now` in ms since the epoch. Throws `invalid_argument` for list updates that are none. */
export function updatedOutboundTrunk(trunk: OutboundTrunk, update: OutboundTrunkUpdate, now: number): OutboundTrunk {
	return {
		...trunk,
		numbers: applyListUpdate("numbers", trunk.numbers, update.numbers, normalizeNumber),
		...named(update, ["address", "transport", "destinationCountry", "authUsername", "authPassword", "name", "metadata", "fromHost"]),
		...mediaUpdate(trunk, update),
		...following(trunk, now),
	};
}

/**
 * `next` in the place of the whole trunk; id and creation stay. So does the password, when `next` has the same user and no password: passwords are
 * never read back, and whoever sends back what he has read, with a change, does not mean to take it away. An update that names the password
 * takes it away, and so does a replacement without user. Settings stay too: LiveKit's messages have no place for them.
 */
export function replacedTrunk<T extends InboundTrunk | OutboundTrunk>(trunk: T, next: T, now: number): T {
	const keepsPassword = next.authPassword === "" && next.authUsername !== "" && next.authUsername === trunk.authUsername;
	const authPassword = keepsPassword ? trunk.authPassword : next.authPassword;
	const settings = trunk.settings === undefined ? {} : { settings: trunk.settings };
	return { ...next, ...settings, trunkId: trunk.trunkId, authPassword, createdAt: trunk.createdAt, ...following(trunk, now) };
}

/** The next version of the trunk, with these settings in the place of what it had; `undefined` = none. Not validated yet; `now` in ms. */
export function trunkWithSettings<T extends InboundTrunk | OutboundTrunk>(trunk: T, settings: TrunkSettings | undefined, now: number): T {
	const next: T = { ...trunk, ...(settings === undefined ? {} : { settings }), ...following(trunk, now) };
	if (settings === undefined) delete next.settings;
	return next;
}

function following({ version, updatedAt }: { version: number; updatedAt: number }, now: number): { version: number; updatedAt: number } {
	// Clocks of two machines may differ; time on one item does not go back.
	return { version: version + 1, updatedAt: Math.max(now, updatedAt) };
}

function named<T extends object, K extends keyof T>(update: T, fields: readonly K[]): { [P in K]?: Exclude<T[P], undefined> } {
	const changes: { [P in K]?: Exclude<T[P], undefined> } = {};
	for (const field of fields) {
		const value = update[field];
		if (value !== undefined) changes[field] = value as Exclude<T[K], undefined>;
	}
	return changes;
}
