import { type CallEventsTrigger, consumer } from "../consumers/consumer.ts";
import { withSecrets } from "../secrets.ts";
import { eventsFromEnvironment } from "../wire.ts";

/**
 * For the stream of the calls table (any view type) and for a schedule of a minute: the stream brings events within a second, the schedule what had to
 * be tried again, and what a batch that failed for good left behind. Lambda's limit for it must be 120 s at least (docs/calls.md).
 */
export const handler: (trigger: CallEventsTrigger, context: { getRemainingTimeInMillis(): number }) => Promise<void> = consumer(
	eventsFromEnvironment(await withSecrets(process.env, ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"])),
);
