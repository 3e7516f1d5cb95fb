/**
 * The child process of the crash test: writes ten items in one transaction, again and again, each time with the next generation number, until it
 * is killed. `argv[2]` is the data directory.
 */
import { dynamoRequest } from "./test-client.ts";
import { startEmbeddedDynamo } from "./server.ts";

const dynamo = await startEmbeddedDynamo({ dataDir: String(process.argv[2]), ttlIntervalMs: 0 });
const send = dynamoRequest(dynamo.endpoint);
await send("CreateTable", {
	TableName: "crash",
	BillingMode: "PAY_PER_REQUEST",
	AttributeDefinitions: [
		{ AttributeName: "pk", AttributeType: "S" },
		{ AttributeName: "generation", AttributeType: "N" },
	],
	KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
	GlobalSecondaryIndexes: [
		{ IndexName: "byGeneration", KeySchema: [{ AttributeName: "generation", KeyType: "HASH" }], Projection: { ProjectionType: "ALL" } },
	],
});
for (let generation = 1; ; generation++) {
	await send("TransactWriteItems", {
		TransactItems: Array.from({ length: 10 }, (_, i) => ({
			Put: { TableName: "crash", Item: { pk: { S: `item-${i}` }, generation: { N: String(generation) }, filler: { S: "x".repeat(2000) } } },
		})),
	});
	if (generation === 5) process.stdout.write("writing\n");
}
