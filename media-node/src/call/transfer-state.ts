import type { TrunkSettings } from "@trunkline/contracts";
import { effectiveSettings } from "@trunkline/domain";
import type { CallState } from "./state.ts";

/** What a trunk's settings let be done with its calls, and when an empty room ends them. `dials`: it is an outbound trunk, over which targets can be called, too. */
export function transferState(
	settings: TrunkSettings | undefined,
	dials = false,
): Pick<CallState, "bridgeTrunkId" | "followsRefer" | "emptyRoomMs"> {
	const { transfer, emptyRoomSeconds } = effectiveSettings(settings);
	const { bridgeTrunkId, incoming } = transfer;
	const trunkId = bridgeTrunkId ?? (dials && incoming === "follow" ? "same" : undefined);
	return {
		...(emptyRoomSeconds === null ? {} : { emptyRoomMs: emptyRoomSeconds * 1_000 }),
		...(bridgeTrunkId === null ? {} : { bridgeTrunkId }),
		...(incoming === "refuse" || trunkId === undefined ? {} : { followsRefer: { how: incoming, trunkId } }),
	};
}

/** RFC 3261 §20.5: REFER is in our Allow where it is served, and only there. Goes beside the endpoint's own Allow line (§7.3.1). */
export function allowHeaders(settings: TrunkSettings | undefined, dials = false): [string, string][] {
	return transferState(settings, dials).followsRefer === undefined ? [] : [["Allow", "REFER"]];
}
