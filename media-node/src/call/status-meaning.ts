import type { TrunkSettings } from "@trunkline/contracts";
import { statusMeaning } from "@trunkline/domain";
import type { SipLegEvent } from "./ports.ts";

/** The event, with what a refusal means with the trunk's provider in its message. */
export function withMeaning(event: SipLegEvent, settings: TrunkSettings | undefined): SipLegEvent {
	if (event.type !== "failed" || event.status === undefined) return event;
	const meaning = statusMeaning(settings, event.status);
	return meaning === undefined ? event : { ...event, message: `${event.message}; ${meaning}` };
}
