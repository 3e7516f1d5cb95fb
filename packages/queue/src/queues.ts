import { CreateQueueCommand, GetQueueAttributesCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { DIAL_QUEUE_SECONDS, MAX_RECEIVE_COUNT } from "./dial-limits.ts";

export { DIAL_QUEUE_SECONDS, MAX_RECEIVE_COUNT };

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
