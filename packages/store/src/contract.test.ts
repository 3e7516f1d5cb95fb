import { startEmbeddedDynamo } from "@trunkline/emulators";
import { callStoreContract } from "@trunkline/testkit/contract/call-store";
import { configStoreContract } from "@trunkline/testkit/contract/config-store";
import { eventOutboxContract } from "@trunkline/testkit/contract/event-outbox";
import { nodeRegistryContract } from "@trunkline/testkit/contract/node-registry";
import { registrationStoreContract } from "@trunkline/testkit/contract/registration-store";
import { ministackMissing, startMinistack } from "@trunkline/testkit/ministack";
import { describe } from "vitest";
import { DynamoCallStore } from "./call-store.ts";
import { createDynamoClient } from "./client.ts";
import { DynamoConfigStore } from "./config-store.ts";
import { DynamoEventOutbox } from "./event-outbox.ts";
import { DynamoNodeRegistry } from "./node-registry.ts";
import { DynamoRegistrationStore } from "./registration-store.ts";
import { createTables } from "./tables.ts";

const names = { config: "trunkline-config", calls: "trunkline-calls" };

interface Database {
	endpoint: string;
	serve?(client: ReturnType<typeof createDynamoClient>): void;
	close(): Promise<void>;
}

function storeContracts(name: string, start: () => Promise<Database>): void {
	const tables = async (): Promise<{ client: ReturnType<typeof createDynamoClient>; close: () => Promise<void> }> => {
		const dynamo = await start();
		const client = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
		dynamo.serve?.(client);
		await createTables(client, names);
		// a second time: local mode does so at each start
		await createTables(client, names);
		const close = async (): Promise<void> => {
			client.destroy();
			await dynamo.close();
		};
		return { client, close };
	};
	configStoreContract(name, async () => {
		const { client, close } = await tables();
		return { store: new DynamoConfigStore({ client, table: names.config }), close };
	});
	registrationStoreContract(name, async () => {
		const { client, close } = await tables();
		return { store: new DynamoRegistrationStore({ client, table: names.calls }), close };
	});
	nodeRegistryContract(name, async () => {
		const { client, close } = await tables();
		return { registry: new DynamoNodeRegistry({ client, table: names.calls }), close };
	});
	callStoreContract(name, async (now) => {
		const { client, close } = await tables();
		return { store: new DynamoCallStore({ client, table: names.calls, now }), close };
	});
	eventOutboxContract(name, async (now) => {
		const { client, close } = await tables();
		const outbox = new DynamoEventOutbox({ client, table: names.calls });
		return { store: new DynamoCallStore({ client, table: names.calls, now }), outbox, close };
	});
}

storeContracts("embedded DynamoDB", async () => {
	const { endpoint, close } = await startEmbeddedDynamo();
	return { endpoint, close };
});
// as local mode has it
storeContracts("embedded DynamoDB without HTTP", startEmbeddedDynamo);

const missing = await ministackMissing();
if (missing !== undefined) process.stderr.write(`The store's contract does not run on ministack: ${missing}\n`);
describe.skipIf(missing !== undefined)("a second emulator", () => {
	storeContracts("ministack", startMinistack);
});
