import { once } from "node:events";
import { createServer } from "node:http";
import { DeleteQueueCommand, ReceiveMessageCommand, SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import { type EmbeddedSqs, startEmbeddedSqs } from "@trunkline/emulators";
import { captureLogs } from "@trunkline/testkit";
import { dialQueueContract } from "@trunkline/testkit/contract/dial-queue";
import { ministackMissing, startMinistack } from "@trunkline/testkit/ministack";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSqsClient } from "./client.ts";
import { SqsDialQueue } from "./dial-queue.ts";
import { ensureQueues, MAX_RECEIVE_COUNT } from "./queues.ts";

let queues = 0;
const newQueues = (client: SQSClient): ReturnType<typeof ensureQueues> =>
	ensureQueues(client, { name: `dial-${++queues}`, visibilityTimeoutSeconds: 1 });
const put = (client: SQSClient, QueueUrl: string, MessageBody: string): Promise<unknown> =>
	client.send(new SendMessageCommand({ QueueUrl, MessageBody }));
const dial = { version: 1, type: "dial", projectId: "project", callId: "SCL_1", region: "local", enqueuedAt: 1 } as const;

function queueContract(name: string, start: () => Promise<{ endpoint: string; close(): Promise<void> }>): void {
	let sqs: { endpoint: string; close(): Promise<void> };
	let client: SQSClient;
	beforeAll(async () => {
		sqs = await start();
		client = createSqsClient({ region: "us-east-1", endpoint: sqs.endpoint });
	});
	afterAll(async () => {
		client.destroy();
		await sqs.close();
	});
	dialQueueContract(name, async () => {
		const urls = await newQueues(client);
		const dead: string[] = [];
		return {
			queue: new SqsDialQueue(client, urls),
			sendBody: async (body) => void (await put(client, urls.url, body)),
			deadLetters: async () => {
				const all = new ReceiveMessageCommand({ QueueUrl: urls.deadLetterUrl, MaxNumberOfMessages: 10, VisibilityTimeout: 60 });
				const { Messages = [] } = await client.send(all);
				dead.push(...Messages.map((message) => message.Body ?? ""));
				return [...dead];
			},
		};
	});
}

describe("embedded", () => {
	queueContract("embedded SQS", startEmbeddedSqs);
});

const missing = await ministackMissing();
if (missing !== undefined) process.stderr.write(`The dial queue's contract does not run on ministack: ${missing}\n`);
describe.skipIf(missing !== undefined)("a second emulator", () => {
	queueContract("ministack", startMinistack);
});

describe("SqsDialQueue", () => {
	let sqs: EmbeddedSqs;
	let client: SQSClient;
	beforeAll(async () => {
		sqs = await startEmbeddedSqs();
		client = createSqsClient({ region: "us-east-1", endpoint: sqs.endpoint });
	});
	afterAll(async () => {
		client.destroy();
		await sqs.close();
	});

	it("makes its queues once, and finds them the second time", async () => {
		const options = { name: "again", deadLetterName: "again-refused" };
		expect(await ensureQueues(client, options)).toEqual(await ensureQueues(client, options));
	});

	it("says in the log and on the dead letter what is wrong with a message, but not what is in it", async () => {
		const urls = await newQueues(client);
		const log = captureLogs();
		const queue = new SqsDialQueue(client, { ...urls, log });
		await put(client, urls.url, JSON.stringify({ ...dial, callId: "+15550100" }));
		expect(await queue.receive(1, 0)).toEqual([]);
		expect(log.logs).toEqual([
			{
				level: "warn",
				message: "unreadable dial message moved to the dead-letter queue",
				fields: { messageId: expect.any(String), reason: "callId: invalid_format", receiveCount: "1", unreadable: 1 },
			},
		]);
		expect(log.text()).not.toContain("15550100");
		const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: urls.deadLetterUrl, MessageAttributeNames: ["All"] }));
		expect(Messages?.[0]?.MessageAttributes?.["reason"]?.StringValue).toBe("callId: invalid_format");
	});

	it("says why an unreadable message could not be moved, and leaves it where it is", async () => {
		const { url } = await newQueues(client);
		const log = captureLogs();
		const queue = new SqsDialQueue(client, { url, deadLetterUrl: `${url}-gone`, log });
		await put(client, url, "one");
		expect(await queue.receive(1, 0)).toEqual([]);
		// "err" is the name under which the logger writes errors out; under any other an Error is an empty object
		expect(log.logs).toMatchObject([
			{ message: "unreadable dial message could not be dead-lettered", fields: { messageId: expect.any(String), err: expect.any(Error) } },
		]);
	});

	it("deletes and counts unreadable messages when it has no dead-letter queue", async () => {
		const { url } = await newQueues(client);
		const log = captureLogs();
		const queue = new SqsDialQueue(client, { url, log });
		for (const body of ["one", "two"]) await put(client, url, body);
		for (let i = 0; i < 2; i++) await queue.receive(10, 0);
		expect(log.logs.map(({ fields }) => fields["unreadable"])).toEqual([1, 2]);
		expect(log.logs[0]?.message).toBe("unreadable dial message deleted");
	});

	it("leaves to the redrive what is delivered again and again", async () => {
		const urls = await newQueues(client);
		const queue = new SqsDialQueue(client, urls);
		await queue.send(dial);
		for (let i = 0; i < MAX_RECEIVE_COUNT; i++) {
			const [received] = await queue.receive(1, 0);
			await received?.release();
		}
		expect(await queue.receive(1, 0)).toEqual([]);
		const { Messages } = await client.send(new ReceiveMessageCommand({ QueueUrl: urls.deadLetterUrl, WaitTimeSeconds: 2 }));
		expect(JSON.parse(Messages?.[0]?.Body ?? "{}")).toEqual(dial);
	});

	it("tells `unavailable` and the queue when SQS fails", async () => {
		const urls = await newQueues(client);
		const queue = new SqsDialQueue(client, urls);
		await client.send(new DeleteQueueCommand({ QueueUrl: urls.url }));
		const error = { name: "DomainError", code: "unavailable", message: expect.stringContaining(urls.url) };
		await expect(queue.send(dial)).rejects.toMatchObject(error);
		await expect(queue.receive(1, 0)).rejects.toMatchObject(error);
	});

	it("stops waiting for an answer that does not come when it is told to", async () => {
		const silent = createServer(() => undefined).listen(0, "127.0.0.1");
		await once(silent, "listening");
		const { port } = silent.address() as { port: number };
		const hanging = createSqsClient({ region: "us-east-1", endpoint: `http://127.0.0.1:${port}` });
		const queue = new SqsDialQueue(hanging, { url: `http://127.0.0.1:${port}/0/q` });
		const stop = new AbortController();
		const waiting = queue.receive(1, 20_000, stop.signal);
		await once(silent, "request");
		stop.abort();
		expect(await waiting).toEqual([]);
		hanging.destroy();
		silent.closeAllConnections();
		silent.close();
	});
});
