import type { TrunkSettings } from "@trunkline/contracts";
import { effectiveSettings } from "@trunkline/domain";
import type { CallState } from "./state.ts";

/** What a trunk's settings let be done with its calls. */
export function transferState(settings: TrunkSettings | undefined): Pick<CallState, "bridgeTrunkId" | "followsRefer"> {
	const { bridgeTrunkId, incoming } = effectiveSettings(settings).transfer;
	return { ...(bridgeTrunkId === null ? {} : { bridgeTrunkId }), followsRefer: incoming === "bridge" && bridgeTrunkId !== null };
}

/** RFC 3261 §20.5: REFER is in our Allow where it is served, and only there. Goes beside the endpoint's own Allow line (§7.3.1). */
export function allowHeaders(settings: TrunkSettings | undefined): [string, string][] {
	return transferState(settings).followsRefer === true ? [["Allow", "REFER"]] : [];
}
