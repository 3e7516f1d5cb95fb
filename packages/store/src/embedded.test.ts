import { type EmbeddedDynamo, startEmbeddedDynamo } from "@trunkline/emulators";
import { callStoreContract } from "@trunkline/testkit/contract/call-store";
import { configStoreContract } from "@trunkline/testkit/contract/config-store";
import { DynamoCallStore } from "./call-store.ts";
import { createDynamoClient } from "./client.ts";
import { DynamoConfigStore } from "./config-store.ts";
import { createTables } from "./tables.ts";

const names = { config: "trunkline-config", calls: "trunkline-calls" };

async function tables(): Promise<{ dynamo: EmbeddedDynamo; client: ReturnType<typeof createDynamoClient>; close: () => Promise<void> }> {
	const dynamo = await startEmbeddedDynamo();
	const client = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	await createTables(client, names);
	// a second time: local mode does so at each start
	await createTables(client, names);
	return {
		dynamo,
		client,
		close: async () => {
			client.destroy();
			await dynamo.close();
		},
	};
}

configStoreContract("embedded DynamoDB", async () => {
	const { client, close } = await tables();
	return { store: new DynamoConfigStore({ client, table: names.config }), close };
});

callStoreContract("embedded DynamoDB", async (now) => {
	const { client, close } = await tables();
	return { store: new DynamoCallStore({ client, table: names.calls, now }), close };
});
