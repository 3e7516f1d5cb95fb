import type { TrunkSettings } from "@trunkline/contracts";
import { mayBeIn, type Pin, type RegionPin } from "./pins.ts";

/** What an INVITE gets that came to a region where its call must not be. */
export type TurnedAway =
	/** RFC 3261 §21.4.4: "Authorization will not help, and the request SHOULD NOT be repeated." */
	| { status: 403; reason: string }
	/** RFC 3261 §21.3.3 */
	| { status: 302; reason: string; contacts: readonly string[] };

export interface HereQuestion {
	/** this region */
	region: string;
	/** SIP address of another region, host or host:port; undefined = not known here */
	sipAddress(region: string): string | undefined;
	settings: TrunkSettings | undefined;
	pin: RegionPin | undefined;
}

/** undefined: the call may be here. No text tells more than the carrier knows: the pin is the deployment's own affair. */
export function turnedAway({ region, sipAddress, settings, pin }: HereQuestion): TurnedAway | undefined {
	if (pin === undefined || pin.regions.includes(region)) return undefined;
	const contacts = settings?.wrongRegion === "redirect" ? pin.regions.flatMap((one) => sipAddress(one) ?? []) : [];
	return contacts.length === 0 ? { status: 403, reason: "Wrong Region" } : { status: 302, reason: "Moved Temporarily", contacts };
}

/** Why a call must not go out from here; undefined = it may. */
export function heldBack(region: string, pin: Pin): string | undefined {
	if (mayBeIn(region, pin)) return undefined;
	return `the call is pinned to ${(pin ?? []).join(", ")}, and this is ${region}: it is not placed from here`;
}
