import type { DispatchRule, Explanation, InboundTrunk } from "@trunkline/contracts";
import type { InboundRefusal } from "../explain/inbound.ts";
import { type ArrivalRegion, elsewhere } from "./inbound.ts";
import { inboundPin } from "./view.ts";

/** Where a would-be call may be, and what it gets where it arrives. */
export function explainedElsewhere(
	here: ArrivalRegion,
	{ trunk, rule }: { trunk: InboundTrunk | undefined; rule?: DispatchRule },
): { told: Pick<Explanation, "region">; refusal?: InboundRefusal } {
	const pin = inboundPin(trunk, rule);
	const away = elsewhere(here, trunk, rule);
	const told = {
		region: {
			arrivesIn: here.region,
			...(pin === undefined ? {} : { mayBeIn: [...pin.regions], pinnedBy: pin.by === "rule" ? ("rule" as const) : ("trunk" as const) }),
			...(away?.answer.status === 302 ? { redirectedTo: [...away.answer.contacts] } : {}),
		},
	};
	if (away === undefined) return { told };
	const { status, reason } = away.answer;
	const allowed = away.pin.regions.length === 0 ? "no region at all: trunk and rule contradict each other" : away.pin.regions.join(", ");
	const message = `the ${away.pin.by} pins the call to ${allowed}; it came to ${here.region}, where nothing of it is kept`;
	return { told, refusal: { status, reason, end: { by: "node", reason: "rejected", message } } };
}
