import { once } from "node:events";
import { connect, createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type EmbeddedSqs, startEmbeddedSqs } from "./sqs.ts";

let sqs: EmbeddedSqs;
beforeEach(async () => {
	sqs = await startEmbeddedSqs();
});
afterEach(() => sqs.close());

const request = async (target: string, body: unknown): Promise<Record<string, unknown>> => {
	const headers = {
		"content-type": "application/x-amz-json-1.0",
		"x-amz-target": `AmazonSQS.${target}`,
		authorization: "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0",
	};
	return (await (await fetch(sqs.endpoint, { method: "POST", headers, body: JSON.stringify(body) })).json()) as Record<string, unknown>;
};

describe("embedded SQS", () => {
	it("delivers what was sent", async () => {
		const { QueueUrl } = await request("CreateQueue", { QueueName: "dial" });
		await request("SendMessage", { QueueUrl, MessageBody: "hello" });
		expect(await request("ReceiveMessage", { QueueUrl })).toMatchObject({ Messages: [{ Body: "hello" }] });
	});

	it("is reached through 127.0.0.1 only", async () => {
		const { hostname, port } = new URL(sqs.endpoint);
		expect(hostname).toBe("127.0.0.1");
		// What listens on every interface answers on the other loopback addresses too.
		const other = connect({ host: "127.0.0.2", port: Number(port) });
		const [error] = (await once(other, "error")) as [NodeJS.ErrnoException];
		expect(error.code).toMatch(/^E/);
	});

	it("names the port that is in use", async () => {
		const blocker = createServer().listen(0, "127.0.0.1");
		await once(blocker, "listening");
		const { port } = blocker.address() as { port: number };
		const error = { name: "EmulatorError", code: "port_in_use", message: expect.stringContaining(String(port)) };
		await expect(startEmbeddedSqs({ port })).rejects.toMatchObject(error);
		blocker.close();
	});

	it("is closed once, however often it is asked to", async () => {
		await Promise.all([sqs.close(), sqs.close()]);
		await expect(fetch(sqs.endpoint)).rejects.toThrow("fetch failed");
	});
});
