import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { startEmbeddedDynamo, startEmbeddedSqs } from "@trunkline/emulators";
import { createSqsClient, ensureQueues } from "@trunkline/queue";
import { RoomServer } from "@trunkline/room-server";
import { createDynamoClient, createTables, DynamoCallStore, DynamoConfigStore } from "@trunkline/store";

const REGION = "eu-west-1";
const SECRET = "a-secret-of-the-room-server";

/** DynamoDB, SQS and LiveKit, as far as a node can tell, and the environment that a stage gives its nodes. */
export async function startCloud() {
	const [dynamo, sqs] = await Promise.all([startEmbeddedDynamo(), startEmbeddedSqs()]);
	const client = createDynamoClient({ region: REGION, endpoint: dynamo.endpoint });
	const sqsClient = createSqsClient({ region: REGION, endpoint: sqs.endpoint });
	await createTables(client, { config: "config", calls: "calls" });
	const { url, deadLetterUrl } = await ensureQueues(sqsClient, { name: "dial" });
	const rooms = new RoomServer({ apiKeys: { key: SECRET } });
	const http = createServer((request, response) => {
		if (!rooms.handleHttp(request, response)) response.writeHead(404).end();
	});
	http.on("upgrade", (request, socket, head) => {
		if (!rooms.handleUpgrade(request, socket, head)) socket.destroy();
	});
	http.listen(0, "127.0.0.1");
	await once(http, "listening");
	return {
		environment: {
			AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
			AWS_ENDPOINT_URL_SQS: sqs.endpoint,
			AWS_ACCESS_KEY_ID: "local",
			AWS_SECRET_ACCESS_KEY: "local",
			AWS_EC2_METADATA_DISABLED: "true",
			AWS_REGION: REGION,
			REGION,
			STAGE: "test",
			PROJECT_ID: "project",
			CONFIG_TABLE: "config",
			CALLS_TABLE: "calls",
			DIAL_QUEUE_URL: sqs.endpoint + new URL(url).pathname,
			DIAL_DEAD_LETTER_URL: sqs.endpoint + new URL(deadLetterUrl).pathname,
			COMMAND_QUEUE_PREFIX: "commands-",
			LIVEKIT_URL: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
			LIVEKIT_API_KEY: "key",
			LIVEKIT_API_SECRET: SECRET,
			NONCE_SECRET: "a secret that has at least 32 characters",
			MAX_CALLS: "50",
			MEDIA_WORKERS: "1",
			DRAIN_SECONDS: "30",
			SIP_HOST: "127.0.0.1",
			SIP_PORT: "0",
			HEALTH_PORT: "0",
			RTP_PORT_RANGE: "31000-31999",
		},
		config: new DynamoConfigStore({ client, table: "config" }),
		calls: new DynamoCallStore({ client, table: "calls" }),
		close: async (): Promise<void> => {
			await rooms.close();
			http.closeAllConnections();
			http.close();
			client.destroy();
			sqsClient.destroy();
			await Promise.all([dynamo.close(), sqs.close()]);
		},
	};
}
