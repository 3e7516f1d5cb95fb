import type { DispatchRule, InboundTrunk } from "@trunkline/contracts";
import { commonPin, type RegionPin } from "./pins.ts";

/** Where an inbound call may be: only where its trunk and its rule both let it. */
export function inboundPin(trunk: InboundTrunk | undefined, rule?: DispatchRule): RegionPin | undefined {
	return commonPin([
		{ by: "trunk", regions: trunk?.settings?.regions },
		{ by: "rule", regions: rule?.settings?.regions },
	]);
}
