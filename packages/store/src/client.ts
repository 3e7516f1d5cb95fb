import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";

/**
 * A DynamoDB client for the path of a telephone call: an attempt that has no answer within two seconds is better made again than waited for.
 * `endpoint` = an emulator's; it takes any credentials. At most 3 attempts, so about 7 s before a caller hears that the table is unavailable.
 */
export function createDynamoClient(options: { region: string; endpoint?: string }): DynamoDBClient {
	const config: DynamoDBClientConfig = {
		region: options.region,
		maxAttempts: 3,
		retryMode: "standard",
		requestHandler: { connectionTimeout: 1000, requestTimeout: 2000, throwOnRequestTimeout: true },
	};
	if (options.endpoint !== undefined) {
		config.endpoint = options.endpoint;
		config.credentials = { accessKeyId: "local", secretAccessKey: "local" };
	}
	return new DynamoDBClient(config);
}
