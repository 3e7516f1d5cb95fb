import {
	CreateTableCommand,
	DescribeTimeToLiveCommand,
	type DynamoDBClient,
	ResourceInUseException,
	UpdateTimeToLiveCommand,
	waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import { CALLS_TABLE, CALLS_TTL_ATTRIBUTE, CONFIG_TABLE } from "./keys.ts";

export interface TableNames {
	config: string;
	calls: string;
}

/** Makes both tables unless they are there, with TTL on calls, and waits until they can be used. For local mode and tests; in the cloud infra/ does. */
export async function createTables(client: DynamoDBClient, names: TableNames): Promise<void> {
	const definitions = [
		[names.config, CONFIG_TABLE],
		[names.calls, CALLS_TABLE],
	] as const;
	await Promise.all(
		definitions.map(async ([TableName, definition]) => {
			try {
				await client.send(new CreateTableCommand({ TableName, BillingMode: "PAY_PER_REQUEST", ...definition }));
			} catch (error) {
				if (!(error instanceof ResourceInUseException)) throw error;
			}
			await waitUntilTableExists({ client, minDelay: 1, maxWaitTime: 30 }, { TableName });
		}),
	);
	const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName: names.calls }));
	const status = TimeToLiveDescription?.TimeToLiveStatus;
	if (status === "ENABLED" || status === "ENABLING") return;
	const TimeToLiveSpecification = { AttributeName: CALLS_TTL_ATTRIBUTE, Enabled: true };
	await client.send(new UpdateTimeToLiveCommand({ TableName: names.calls, TimeToLiveSpecification }));
}
