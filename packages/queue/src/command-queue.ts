import {
	CreateQueueCommand,
	DeleteQueueCommand,
	GetQueueAttributesCommand,
	ListQueuesCommand,
	QueueDoesNotExist,
	type SQSClient,
} from "@aws-sdk/client-sqs";
import { type CommandMessage, commandMessageSchema } from "@trunkline/contracts";
import { type CommandQueue, DomainError } from "@trunkline/domain";
import { SqsMessageQueue, type SqsQueueOptions } from "./message-queue.ts";

/** A command that nobody took within this time is about a call that is long over. */
export const COMMAND_QUEUE_SECONDS = { retention: 300, visibility: 10, longPoll: 20 } as const;

/** The commands for one media node, on a queue of its own. */
export class SqsCommandQueue extends SqsMessageQueue<CommandMessage> implements CommandQueue {
	constructor(client: SQSClient, options: SqsQueueOptions) {
		super({ name: "command", schema: commandMessageSchema }, client, options);
	}
}

/** The URL of a node's queue, which the API makes from the node's id: `prefix` is everything of the URL before that. Throws for what is no node id. */
export function commandQueueUrl(prefix: string, nodeId: string): string {
	// The id comes from a record; a strange one must not lead to a strange place.
	if (!/^[0-9A-Za-z_-]{1,60}$/.test(nodeId)) throw new DomainError("internal", "the call's node has an id that no queue can have");
	return `${prefix}${nodeId}`;
}

/** Makes the queue of a node that starts, unless it is there; gives its URL. */
export async function createCommandQueue(client: SQSClient, name: string, tags: Record<string, string> = {}): Promise<string> {
	const Attributes = {
		MessageRetentionPeriod: String(COMMAND_QUEUE_SECONDS.retention),
		ReceiveMessageWaitTimeSeconds: String(COMMAND_QUEUE_SECONDS.longPoll),
		VisibilityTimeout: String(COMMAND_QUEUE_SECONDS.visibility),
	};
	const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name, Attributes, tags }));
	if (QueueUrl === undefined) throw new Error(`SQS gave no URL for the queue ${name}`);
	return QueueUrl;
}

/** For a node that stops, and for who buries one: a queue that is gone already is no error. */
export async function deleteCommandQueue(client: SQSClient, url: string): Promise<void> {
	try {
		await client.send(new DeleteQueueCommand({ QueueUrl: url }));
	} catch (error) {
		if (!(error instanceof QueueDoesNotExist)) throw error;
	}
}

/** The queues of a stage's nodes: `prefix` begins their names. */
export async function listCommandQueues(client: SQSClient, prefix: string): Promise<{ url: string; nodeId: string; createdAt: number }[]> {
	const found: { url: string; nodeId: string; createdAt: number }[] = [];
	let next: string | undefined;
	do {
		const page = await client.send(
			new ListQueuesCommand({ QueueNamePrefix: prefix, MaxResults: 1_000, ...(next === undefined ? {} : { NextToken: next }) }),
		);
		for (const url of page.QueueUrls ?? []) {
			const nodeId = (url.split("/").at(-1) ?? "").slice(prefix.length);
			try {
				const asked = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["CreatedTimestamp"] });
				const { Attributes } = await client.send(asked);
				found.push({ url, nodeId, createdAt: Number(Attributes?.CreatedTimestamp) * 1_000 });
			} catch (error) {
				// A list may be a minute behind.
				if (!(error instanceof QueueDoesNotExist)) throw error;
			}
		}
		next = page.NextToken;
	} while (next !== undefined);
	return found;
}
