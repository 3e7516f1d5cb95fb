import { DIAL_QUEUE_SECONDS, MAX_RECEIVE_COUNT } from "@trunkline/queue/dial-limits";
import type { Statement } from "./permissions.ts";
import type { Place, QueuePair } from "./types.ts";

/** Whatever ended there is looked at by people, too. */
const DEAD_LETTERS_KEPT_SECONDS = 14 * 86_400;
/** SQS's own rule for queues that Lambda reads is six times the function's time-out. */
const DEAD_LETTERS_VISIBILITY_SECONDS = 360;

/** The region's queue of calls to place: whichever node has room takes the next. */
export function dialQueue({ suffix, opts }: Place): QueuePair {
	const deadLetters = deadLetterQueue(`DialDead${suffix}`, opts);
	const queue = new sst.aws.Queue(
		`Dial${suffix}`,
		{
			visibilityTimeout: `${DIAL_QUEUE_SECONDS.visibility} seconds`,
			dlq: { queue: deadLetters.arn, retry: MAX_RECEIVE_COUNT },
			transform: {
				queue: (args) => {
					args.messageRetentionSeconds = DIAL_QUEUE_SECONDS.retention;
					args.receiveWaitTimeSeconds = DIAL_QUEUE_SECONDS.longPoll;
					args.sqsManagedSseEnabled = true;
				},
			},
		},
		opts,
	);
	return { queue, deadLetters };
}

/** The end of the line: nothing is moved on from here. */
export function deadLetterQueue(name: string, opts: Place["opts"]): sst.aws.Queue {
	return new sst.aws.Queue(
		name,
		{
			visibilityTimeout: `${DEAD_LETTERS_VISIBILITY_SECONDS} seconds`,
			transform: {
				queue: (args) => {
					args.messageRetentionSeconds = DEAD_LETTERS_KEPT_SECONDS;
					args.sqsManagedSseEnabled = true;
				},
			},
		},
		opts,
	);
}

/** Beginning of the names of the queues that nodes make for their own commands. */
export function commandQueuePrefix(): string {
	return `${$app.name}-${$app.stage}-node-`;
}

/** Beginning of their URLs: the account's queues of a region are beside each other. */
export function commandQueueUrlPrefix(dial: sst.aws.Queue): $util.Output<string> {
	return dial.url.apply((url) => url.replace(/[^/]+$/, commandQueuePrefix()));
}

/** The queues of nodes come and go with them, so a pattern is as near as a policy gets: it ends at the stage's own prefix. */
export function commandQueues(dial: sst.aws.Queue, actions: Statement["actions"]): Statement {
	return { actions, resources: [dial.arn.apply((arn) => arn.replace(/[^:]+$/, `${commandQueuePrefix()}*`))] };
}
