import { startEmbeddedDynamo } from "@trunkline/emulators";
import { callLimitStoreContract } from "@trunkline/testkit/contract/call-limit-store";
import { numberOwnersContract } from "@trunkline/testkit/contract/number-owners";
import { projectStoreContract } from "@trunkline/testkit/contract/project-store";
import { transferStoreContract } from "@trunkline/testkit/contract/transfer-store";
import { ScanCommand } from "@aws-sdk/client-dynamodb";
import { DEFAULT_POLICY } from "@trunkline/contracts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DynamoCallLimitStore } from "./call-limit-store.ts";
import { createDynamoClient } from "./client.ts";
import { DynamoConfigStore } from "./config-store.ts";
import { DynamoNumberOwnerStore } from "./number-owner-store.ts";
import { DynamoProjectStore } from "./project-store.ts";
import { AesSecretBox } from "./secret-box.ts";
import { createTables } from "./tables.ts";
import { DynamoTransferStore } from "./transfer-store.ts";

const names = { config: "trunkline-config", calls: "trunkline-calls" };
const box = new AesSecretBox(new Uint8Array(32).fill(7));

async function tables() {
	const dynamo = await startEmbeddedDynamo();
	const client = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	await createTables(client, names);
	const close = async (): Promise<void> => {
		client.destroy();
		await dynamo.close();
	};
	return { client, close };
}

projectStoreContract("embedded DynamoDB", async () => {
	const { client, close } = await tables();
	return { store: new DynamoProjectStore({ client, table: names.config, box }), close };
});
callLimitStoreContract("embedded DynamoDB", async () => {
	const { client, close } = await tables();
	return { open: () => new DynamoCallLimitStore({ client, table: names.calls }), close };
});
transferStoreContract("embedded DynamoDB", async () => {
	const { client, close } = await tables();
	return { open: () => new DynamoTransferStore({ client, table: names.calls }), close };
});
numberOwnersContract("embedded DynamoDB", async () => {
	const { client, close } = await tables();
	const table = { client, table: names.config };
	return { store: new DynamoConfigStore(table), owners: new DynamoNumberOwnerStore(table), close };
});

let opened: Awaited<ReturnType<typeof tables>>;
beforeAll(async () => {
	opened = await tables();
}, 60_000);
afterAll(() => opened.close());

test("no secret lies in the table as it is, and another key does not open it", async () => {
	const store = new DynamoProjectStore({ client: opened.client, table: names.config, box });
	await store.createProject({
		projectId: "p_1",
		name: "one",
		apiKeys: [{ key: "API1", secrets: [{ secret: "hunter2hunter2", createdAt: 1 }], createdAt: 1 }],
		livekit: { url: "wss://x.example", apiKey: "APIlk", apiSecret: "hunter3hunter3" },
		policy: DEFAULT_POLICY,
		createdAt: 1,
		updatedAt: 1,
		version: 1,
	});
	const { Items } = await opened.client.send(new ScanCommand({ TableName: names.config }));
	expect(Items).toHaveLength(3);
	expect(JSON.stringify(Items)).not.toMatch(/hunter/);
	const other = new DynamoProjectStore({ client: opened.client, table: names.config, box: new AesSecretBox(new Uint8Array(32).fill(8)) });
	await expect(other.getProject("p_1")).rejects.toMatchObject({ code: "internal" });
});
