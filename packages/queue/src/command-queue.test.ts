import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { GetQueueAttributesCommand, SendMessageCommand, type SQSClient } from "@aws-sdk/client-sqs";
import type { CallEvent, CommandMessage } from "@trunkline/contracts";
import { callEvents } from "@trunkline/domain";
import { type EmbeddedSqs, startEmbeddedSqs } from "@trunkline/emulators";
import { callRecord, captureLogs } from "@trunkline/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { createSqsClient } from "./client.ts";
import { commandQueueUrl, createCommandQueue, deleteCommandQueue, SqsCommandQueue } from "./command-queue.ts";
import { createEventBridgeClient, EventBridgeBus } from "./event-bus.ts";

describe("SqsCommandQueue", () => {
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
	const hangUp: CommandMessage = {
		version: 1,
		type: "hangup",
		commandId: "c1",
		projectId: "p",
		callId: "SCL_1",
		nodeId: "ND_1",
		sentAt: 1,
	};

	it("brings a command to the node whose queue it is, made once or twice", async () => {
		const url = await createCommandQueue(client, "commands-ND_1");
		expect(await createCommandQueue(client, "commands-ND_1")).toBe(url);
		expect(commandQueueUrl(url.slice(0, -"ND_1".length), "ND_1")).toBe(url);
		const other = await createCommandQueue(client, "commands-ND_2");
		await new SqsCommandQueue(client, { url }).send(hangUp);
		expect(await new SqsCommandQueue(client, { url: other }).receive(10, 0)).toEqual([]);
		const [received] = await new SqsCommandQueue(client, { url }).receive(10, 0);
		expect(received?.message).toEqual(hangUp);
		await received?.ack();
		const { Attributes } = await client.send(new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }));
		expect(Attributes).toMatchObject({ MessageRetentionPeriod: "300", VisibilityTimeout: "10", ApproximateNumberOfMessages: "0" });
	});

	it("drops what is no command, and refuses to send it", async () => {
		const url = await createCommandQueue(client, "commands-ND_3");
		const log = captureLogs();
		const queue = new SqsCommandQueue(client, { url, log });
		await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: JSON.stringify({ ...hangUp, type: "explode" }) }));
		expect(await queue.receive(10, 0)).toEqual([]);
		expect(log.logs[0]).toMatchObject({ message: "unreadable command message deleted", fields: { reason: "type: invalid_value" } });
		await expect(queue.send({ ...hangUp, callId: "x" })).rejects.toThrow("callId");
	});

	it("is asked where AWS_ENDPOINT_URL_SQS says, whatever host is in its URL", async () => {
		const url = new URL(await createCommandQueue(client, "commands-ND_elsewhere"));
		url.hostname = "sqs.invalid";
		vi.stubEnv("AWS_ENDPOINT_URL_SQS", sqs.endpoint);
		vi.stubEnv("AWS_ACCESS_KEY_ID", "local");
		vi.stubEnv("AWS_SECRET_ACCESS_KEY", "local");
		const configured = createSqsClient({ region: "us-east-1" });
		await new SqsCommandQueue(configured, { url: url.href }).send(hangUp);
		expect(await new SqsCommandQueue(configured, { url: url.href }).receive(10, 0)).toHaveLength(1);
		configured.destroy();
		vi.unstubAllEnvs();
	});

	it("is gone with its node", async () => {
		const url = await createCommandQueue(client, "commands-ND_4");
		await deleteCommandQueue(client, url);
		await expect(new SqsCommandQueue(client, { url }).send(hangUp)).rejects.toMatchObject({ code: "unavailable" });
	});

	it.each(["", "../other", "ND_1/../x", "a b", "x".repeat(61)])("no URL is made of the node id %j", (nodeId) => {
		expect(() => commandQueueUrl("https://sqs/1/commands-", nodeId)).toThrow("no queue can have");
	});
});

describe("EventBridgeBus", () => {
	const seen: { headers: IncomingMessage["headers"]; body: unknown }[] = [];
	let answer: { status: number; body: unknown };
	const server = createServer((request, response) => {
		let text = "";
		request.on("data", (chunk) => {
			text += String(chunk);
		});
		request.on("end", () => {
			seen.push({ headers: request.headers, body: JSON.parse(text) });
			response.writeHead(answer.status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(answer.body));
		});
	});
	let bus: EventBridgeBus;
	let close: () => void;
	const [event] = callEvents(callRecord({ callId: "SCL_1", createdAt: 1_700_000_000_000 }), 0) as [CallEvent];

	beforeEach(async () => {
		seen.length = 0;
		answer = { status: 200, body: { FailedEntryCount: 0, Entries: [{ EventId: "1" }] } };
		server.listen(0, "127.0.0.1");
		await once(server, "listening");
		const { port } = server.address() as AddressInfo;
		const client = createEventBridgeClient({ region: "us-east-1", endpoint: `http://127.0.0.1:${port}` });
		bus = new EventBridgeBus(client, { busName: "trunkline-events" });
		close = () => client.destroy();
	});
	afterEach(() => {
		close();
		server.closeAllConnections();
		server.close();
	});

	it("puts an event with its name, its call and its time", async () => {
		await bus.put(event);
		expect(seen).toHaveLength(1);
		expect(seen[0]?.headers["x-amz-target"]).toBe("AWSEvents.PutEvents");
		expect(seen[0]?.body).toEqual({
			Entries: [
				{
					EventBusName: "trunkline-events",
					Source: "trunkline",
					DetailType: "call.started",
					Detail: JSON.stringify(event),
					Resources: ["SCL_1"],
					Time: 1_700_000_000,
				},
			],
		});
	});

	it("fails when the bus refuses the entry, or the request", async () => {
		answer.body = { FailedEntryCount: 1, Entries: [{ ErrorCode: "ThrottlingException" }] };
		await expect(bus.put(event)).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("ThrottlingException") });
		answer = { status: 400, body: { __type: "ResourceNotFoundException", message: "no bus" } };
		await expect(bus.put(event)).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("trunkline-events") });
	});
});
