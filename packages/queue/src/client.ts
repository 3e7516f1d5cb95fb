import { SQSClient, type SQSClientConfig } from "@aws-sdk/client-sqs";

/** An SQS client; the queue gives each request its own time limit, since a long poll takes 20 s. `endpoint` = an emulator's. */
export function createSqsClient(options: { region: string; endpoint?: string }): SQSClient {
	const config: SQSClientConfig = {
		region: options.region,
		maxAttempts: 3,
		retryMode: "standard",
		// A queue is asked where its region is, or AWS_ENDPOINT_URL_SQS says: the host in an emulator's queue URLs need not exist.
		useQueueUrlAsEndpoint: false,
		requestHandler: { connectionTimeout: 1000, requestTimeout: 3000, throwOnRequestTimeout: true },
	};
	if (options.endpoint !== undefined) {
		config.endpoint = options.endpoint;
		config.credentials = { accessKeyId: "local", secretAccessKey: "local" };
	}
	return new SQSClient(config);
}
