import type { TrunkSettings } from "@trunkline/contracts";
import { effectiveSettings } from "@trunkline/domain";
import type { CallState } from "./state.ts";

/** What a trunk's settings let be done with its calls. `dials`: it is an outbound trunk, over which targets can be called, too. */
export function transferState(settings: TrunkSettings | undefined, dials = false): Pick<CallState, "bridgeTrunkId" | "followsRefer"> {
	const { bridgeTrunkId, incoming } = effectiveSettings(settings).transfer;
	const trunkId = bridgeTrunkId ?? (dials && incoming === "follow" ? "same" : undefined);
	return {
		...(bridgeTrunkId === null ? {} : { bridgeTrunkId }),
		...(incoming === "refuse" || trunkId === undefined ? {} : { followsRefer: { how: incoming, trunkId } }),
	};
}

/** RFC 3261 §20.5: REFER is in our Allow where it is served, and only there. Goes beside the endpoint's own Allow line (§7.3.1). */
export function allowHeaders(settings: TrunkSettings | undefined, dials = false): [string, string][] {
	return transferState(settings, dials).followsRefer === undefined ? [] : [["Allow", "REFER"]];
}
