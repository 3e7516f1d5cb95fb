import { CreateQueueCommand, GetQueueAttributesCommand, type SQSClient } from "@aws-sdk/client-sqs";

export interface QueueUrls {
	url: string;
	deadLetterUrl: string;
}

export interface QueueOptions {
	name: string;
	/** `<name>-dead` if not said */
	deadLetterName?: string;
	/** how long a message is kept from others after it was received */
	visibilityTimeoutSeconds?: number;
}

/** After this many deliveries without an acknowledgement SQS moves a message to the dead-letter queue itself. */
export const MAX_RECEIVE_COUNT = 5;

/** Attributes of a dial queue, for infra/ as well. A dial is worthless after minutes: the call record has its own, shorter deadline. */
export const DIAL_QUEUE_SECONDS = { retention: 300, visibility: 30, longPoll: 20 } as const;

/** Makes both queues unless they are there. For local mode and tests; in the cloud infra/ does. */
export async function ensureQueues(client: SQSClient, options: QueueOptions): Promise<QueueUrls> {
	const deadLetterUrl = await create(client, options.deadLetterName ?? `${options.name}-dead`, {});
	const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ["QueueArn"] }));
	const url = await create(client, options.name, {
		MessageRetentionPeriod: String(DIAL_QUEUE_SECONDS.retention),
		ReceiveMessageWaitTimeSeconds: String(DIAL_QUEUE_SECONDS.longPoll),
		VisibilityTimeout: String(options.visibilityTimeoutSeconds ?? DIAL_QUEUE_SECONDS.visibility),
		RedrivePolicy: JSON.stringify({ deadLetterTargetArn: Attributes?.QueueArn, maxReceiveCount: MAX_RECEIVE_COUNT }),
	});
	return { url, deadLetterUrl };
}

async function create(client: SQSClient, QueueName: string, Attributes: Record<string, string>): Promise<string> {
	const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName, Attributes }));
	if (QueueUrl === undefined) throw new Error(`SQS gave no URL for the queue ${QueueName}`);
	return QueueUrl;
}
