import { GetQueueAttributesCommand, SendMessageCommand } from "@aws-sdk/client-sqs";
import { startEmbeddedSqs } from "@trunkline/emulators";
import { createSqsClient, ensureQueues, MAX_RECEIVE_COUNT, SqsDialQueue } from "@trunkline/queue";
import { expect, it } from "vitest";

/** What cannot be dealt with must not come again for ever: there is nobody on one's own machine who would look at a queue. */
it("a dial request that nobody can read is set aside once and told once; one that is never dealt with comes five times", async () => {
	const sqs = await startEmbeddedSqs();
	const client = createSqsClient({ region: "us-east-1", endpoint: sqs.endpoint });
	try {
		const { url, deadLetterUrl } = await ensureQueues(client, { name: "dial", visibilityTimeoutSeconds: 0 });
		const warnings: string[] = [];
		const queue = new SqsDialQueue(client, { url, deadLetterUrl, log: { warn: (_, message) => warnings.push(message) } });
		const setAside = async (): Promise<string | undefined> => {
			const request = new GetQueueAttributesCommand({ QueueUrl: deadLetterUrl, AttributeNames: ["ApproximateNumberOfMessages"] });
			return (await client.send(request)).Attributes?.["ApproximateNumberOfMessages"];
		};

		await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: "poison" }));
		for (let round = 0; round < 10; round++) expect(await queue.receive(10, 0)).toEqual([]);
		expect(warnings).toEqual(["unreadable dial message moved to the dead-letter queue"]);
		expect(await setAside()).toBe("1");

		await queue.send({
			version: 1,
			type: "dial",
			projectId: "p_local",
			callId: "SCL_1",
			region: "local",
			enqueuedAt: 1,
		});
		let deliveries = 0;
		for (let round = 0; round < 20; round++) deliveries += (await queue.receive(10, 0)).length;
		expect(deliveries).toBe(MAX_RECEIVE_COUNT);
		expect(await setAside()).toBe("2");
		expect(warnings).toHaveLength(1);
	} finally {
		client.destroy();
		await sqs.close();
	}
});
