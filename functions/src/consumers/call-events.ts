import { eventsFromEnvironment } from "../wire.ts";
import { type CallEventsTrigger, consumer } from "./consumer.ts";

/**
 * For the stream of the calls table (any view type) and for a schedule of a minute or so: the stream brings events within a second, the
 * schedule what had to be tried again.
 */
export const handler: (trigger: CallEventsTrigger, context: { getRemainingTimeInMillis(): number }) => Promise<void> = consumer(
	eventsFromEnvironment(process.env),
);
