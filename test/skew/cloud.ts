import { type AttributeValue, type DynamoDBClient, PutItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { DeleteMessageCommand, ReceiveMessageCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { startEmbeddedDynamo, startEmbeddedSqs } from "@trunkline/emulators";
import { createSqsClient, ensureQueues, SqsCommandQueue, SqsDialQueue } from "@trunkline/queue";
import {
	createDynamoClient,
	createTables,
	DynamoCallLimitStore,
	DynamoCallStore,
	DynamoConfigStore,
	DynamoEventOutbox,
	DynamoNodeRegistry,
	DynamoNumberOwnerStore,
	DynamoRegistrationStore,
	DynamoTransferStore,
	DynamoWebhookStore,
} from "@trunkline/store";

export const REGION = "eu-west-1";
export type StoredItem = Record<string, AttributeValue>;
export interface Items {
	config: StoredItem[];
	calls: StoredItem[];
}

/** Empty tables and queues with the stores of this version around them. `now` is the stores' clock. */
export async function startCloud(now: () => number) {
	const [dynamo, sqs] = await Promise.all([startEmbeddedDynamo(), startEmbeddedSqs()]);
	const client = createDynamoClient({ region: REGION, endpoint: dynamo.endpoint });
	const sqsClient = createSqsClient({ region: REGION, endpoint: sqs.endpoint });
	await createTables(client, { config: "config", calls: "calls" });
	const [dial, commands] = await Promise.all([ensureQueues(sqsClient, { name: "dial" }), ensureQueues(sqsClient, { name: "commands" })]);
	const inCalls = { client, table: "calls" };
	const inConfig = { client, table: "config" };
	return {
		client,
		endpoints: { dynamo: dynamo.endpoint, sqs: sqs.endpoint, dialUrl: sqs.endpoint + new URL(dial.url).pathname },
		calls: new DynamoCallStore({ ...inCalls, now }),
		transfers: new DynamoTransferStore(inCalls),
		outbox: new DynamoEventOutbox(inCalls),
		registrations: new DynamoRegistrationStore(inCalls),
		nodes: new DynamoNodeRegistry(inCalls),
		limits: new DynamoCallLimitStore(inCalls),
		config: new DynamoConfigStore(inConfig),
		webhooks: new DynamoWebhookStore(inConfig),
		owners: new DynamoNumberOwnerStore(inConfig),
		dialQueue: new SqsDialQueue(sqsClient, dial),
		commandQueue: new SqsCommandQueue(sqsClient, commands),
		/** What lies in a queue, as it lies there, and why; it is taken out. */
		bodies: async (queue: "dial" | "dead" | "commands"): Promise<{ body: string; reason?: string }[]> => {
			const QueueUrl = { dial: dial.url, dead: dial.deadLetterUrl, commands: commands.url }[queue];
			const request = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 1, MessageAttributeNames: ["All"] };
			const { Messages = [] } = await sqsClient.send(new ReceiveMessageCommand(request));
			for (const { ReceiptHandle } of Messages) await sqsClient.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
			return Messages.map(({ Body = "", MessageAttributes: { reason } = {} }) => ({
				body: Body,
				...(reason?.StringValue === undefined ? {} : { reason: reason.StringValue }),
			}));
		},
		put: async (queue: "dial" | "commands", MessageBody: string): Promise<void> => {
			await sqsClient.send(new SendMessageCommand({ QueueUrl: { dial: dial.url, commands: commands.url }[queue], MessageBody }));
		},
		close: async (): Promise<void> => {
			client.destroy();
			sqsClient.destroy();
			await Promise.all([dynamo.close(), sqs.close()]);
		},
	};
}
export type Cloud = Awaited<ReturnType<typeof startCloud>>;

/** Both tables as they are stored, in the order of their keys. */
export async function storedItems(client: DynamoDBClient): Promise<Items> {
	const all = async (TableName: string): Promise<StoredItem[]> => {
		const { Items: items = [] } = await client.send(new ScanCommand({ TableName, ConsistentRead: true }));
		return items.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
	};
	return { config: await all("config"), calls: await all("calls") };
}

export async function putItems(client: DynamoDBClient, items: Items): Promise<void> {
	for (const TableName of ["config", "calls"] as const)
		for (const Item of items[TableName]) await client.send(new PutItemCommand({ TableName, Item }));
}

export function keyOf({ pk, sk }: StoredItem): string {
	return `${pk?.S ?? ""} ${sk?.S ?? ""}`;
}
