import type { SQSClient } from "@aws-sdk/client-sqs";
import { type DialMessage, dialMessageSchema } from "@trunkline/contracts";
import type { DialQueue } from "@trunkline/domain";
import { SqsMessageQueue, type SqsQueueOptions } from "./message-queue.ts";

/** The dial queue of one region on SQS. */
export class SqsDialQueue extends SqsMessageQueue<DialMessage> implements DialQueue {
	constructor(client: SQSClient, options: SqsQueueOptions) {
		super({ name: "dial", schema: dialMessageSchema }, client, options);
	}
}
