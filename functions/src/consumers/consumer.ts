import type { EventDeliverer } from "./event-delivery.ts";

/** What of a DynamoDB stream's event is needed; a schedule's has no `Records`. */
export interface CallEventsTrigger {
	Records?: { dynamodb?: { Keys?: { pk?: { S?: string } } } }[];
}

export interface ConsumerOptions {
	deliverer: Pick<EventDeliverer, "deliverCall" | "deliverDue">;
	/** of an item's partition key; undefined when the item is no call */
	callIdOf(pk: string): string | undefined;
}

/** What one delivery may take, and be over before Lambda ends the process. */
const TIME_TO_FINISH_MS = 60_000;

/**
 * Delivers the events of the calls that a stream's batch is about, or, without one, of those whose time has come. A receiver that is down fails nothing
 * here: the outbox keeps its events. A table that is, does, and the stream brings the batch again.
 */
export function consumer({
	deliverer,
	callIdOf,
}: ConsumerOptions): (trigger: CallEventsTrigger, context: { getRemainingTimeInMillis(): number }) => Promise<void> {
	return async ({ Records }, context) => {
		if (Records === undefined) {
			while ((await deliverer.deliverDue()) && context.getRemainingTimeInMillis() > TIME_TO_FINISH_MS);
			return;
		}
		const callIds = new Set(Records.map((record) => callIdOf(record.dynamodb?.Keys?.pk?.S ?? "")).filter((id) => id !== undefined));
		await Promise.all([...callIds].map((callId) => deliverer.deliverCall(callId)));
	};
}
