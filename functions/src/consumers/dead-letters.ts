import type { CallRecord } from "@trunkline/contracts";
import type { CallStore } from "@trunkline/domain";
import type { Log } from "@trunkline/observability";

export interface DeadLetterOptions {
	calls: Pick<CallStore, "getCall" | "transitionCall">;
	/** ms since the epoch */
	clock(): number;
	log: Pick<Log, "warn" | "error">;
}

const MESSAGE = "no media node could take the call: its request was delivered again and again, and is given up";

/**
 * Ends the call whose dial request is in the dead-letter queue: nobody else will place it. True: the letter is dealt with; false: a node is at the call still, so
 * look again later, or nobody can read it. Throws when the table cannot be reached.
 */
function deadLetters({ calls, clock, log }: DeadLetterOptions): (body: string) => Promise<boolean> {
	return async (body) => {
		const callId = callIdOf(body);
		if (callId === undefined) {
			// It stays where it is, for people: docs/operations.md, dead-letters.
			log.error({ bytes: body.length }, "a dead dial request names no call");
			return false;
		}
		const now = clock();
		const call = await calls.getCall(callId);
		if (call === undefined || !(isWaiting(call) || isPreparing(call))) return true;
		if (isPreparing(call) && now < (call.leaseUntil ?? 0)) return false;
		const ended = await calls.transitionCall(callId, {
			from: [call.state],
			...(call.owner === undefined || isWaiting(call) ? {} : { owner: call.owner }),
			to: "ended",
			at: now,
			event: "ended",
			detail: "not-claimed",
			patch: { endedAt: now, end: { by: "node", reason: "not-claimed", message: MESSAGE } },
		});
		// Somebody took it this very moment.
		if (ended === undefined) return false;
		log.warn({ callId, requestId: ended.requestId }, "the call of a dead dial request is ended");
		return true;
	};
}

const isWaiting = ({ state }: CallRecord): boolean => state === "queued";
const isPreparing = ({ state }: CallRecord): boolean => state === "claimed" || state === "joining";

/** Also of a letter that no node could read. */
function callIdOf(body: string): string | undefined {
	try {
		const { callId } = JSON.parse(body) as { callId?: unknown };
		return typeof callId === "string" && callId.length > 0 && callId.length <= 256 ? callId : undefined;
	} catch {
		return undefined;
	}
}

/** What of SQS' event for Lambda is needed. */
export interface DeadLetterTrigger {
	Records: { messageId: string; body: string }[];
}

/** For an event source with ReportBatchItemFailures: what is not dealt with comes again. */
export function deadLetterConsumer(options: DeadLetterOptions) {
	const take = deadLetters(options);
	return async ({ Records }: DeadLetterTrigger): Promise<{ batchItemFailures: { itemIdentifier: string }[] }> => {
		const failed = await Promise.all(
			Records.map(async ({ messageId, body }) => {
				const done = await take(body).catch((error: unknown) => {
					options.log.error({ messageId, callId: callIdOf(body), err: error }, "a dead dial request could not be dealt with");
					return false;
				});
				return done ? [] : [{ itemIdentifier: messageId }];
			}),
		);
		return { batchItemFailures: failed.flat() };
	};
}
