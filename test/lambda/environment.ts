/** The environment of a function in a stage with one region; nothing of this process's own. Endpoints of emulators: AWS_ENDPOINT_URL_…. */
export function functionEnvironment(changes: Record<string, string> = {}): Record<string, string> {
	return {
		AWS_REGION: "eu-west-1",
		AWS_ACCESS_KEY_ID: "local",
		AWS_SECRET_ACCESS_KEY: "local",
		AWS_EC2_METADATA_DISABLED: "true",
		NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
		CONFIG_TABLE: "config",
		CALLS_TABLE: "calls",
		DIAL_QUEUE_URL: "https://sqs.eu-west-1.amazonaws.com/1/dial",
		COMMAND_QUEUE_URL_PREFIX: "https://sqs.eu-west-1.amazonaws.com/1/commands-",
		LIVEKIT_URL: "wss://rooms.example.com",
		API_KEYS: '{"key":{"secret":"a secret of sufficient length","projectId":"project"}}',
		PROJECT_ID: "project",
		COMMAND_QUEUE_PREFIX: "commands-",
		LIVEKIT_API_KEY: "key",
		LIVEKIT_API_SECRET: "a secret of sufficient length",
		STAGE: "test",
		LOG_LEVEL: "warn",
		...changes,
	};
}
