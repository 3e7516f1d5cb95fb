import { CONSOLE_DIR, CONSOLE_FILES } from "./bundle.ts";
import { apiDomain } from "./domain.ts";
import { lambda } from "./lambda.ts";
import { readsObjects } from "./buckets.ts";
import { sendsTo, type Statement } from "./permissions.ts";
import { commandQueues, commandQueueUrlPrefix } from "./queues.ts";
import { regionsForApi } from "./region-list.ts";
import { readsSecrets, type Secrets, versionIn } from "./secrets.ts";
import type { StageSettings } from "./settings.ts";
import { usesCalls, usesConfig } from "./tables.ts";
import type { Api, RegionData, RegionKeys } from "./types.ts";

/** A dial waits up to 80 s for an answer: docs/sip-api.md. That is also why it has no API Gateway, which ends requests after 30 s. */
const TIMEOUT_SECONDS = 90;

export interface ApiInput {
	/** home first */
	regions: readonly RegionData[];
	configTable: sst.aws.Dynamo;
	keysOf(region: string): RegionKeys;
	secrets: Secrets;
	settings: StageSettings;
}

/** The API, once, at home: it writes the config table there, and reaches into every region for its calls. */
export function api(input: ApiInput): Api {
	const { regions, configTable, keysOf, secrets, settings } = input;
	const [home] = regions;
	if (home === undefined) throw new Error("a stage has a region");
	const keys = keysOf(home.place.region);
	const made = lambda("api", home.place, settings, {
		description: "LiveKit's SIP API, and /v1",
		secretsVersion: versionIn(secrets, home.place),
		memoryMb: 1024,
		timeoutSeconds: TIMEOUT_SECONDS,
		publicUrl: settings.domain === undefined,
		environment: {
			STAGE: $app.stage,
			SECRETS_PREFIX: secrets.prefix,
			PROJECT_ID: PROJECT,
			FALLBACK_PROJECT: PROJECT,
			PROJECTS_KMS_KEY: keys.projects.arn,
			CONFIG_TABLE: configTable.name,
			CALLS_TABLE: home.callsTable.name,
			DIAL_QUEUE_URL: home.dial.queue.url,
			COMMAND_QUEUE_URL_PREFIX: commandQueueUrlPrefix(home.dial.queue),
			TRACES_BUCKET: home.traces.name,
			REGIONS: regionsForApi(regions, settings),
			...(settings.console ? { CONSOLE_DIR } : {}),
		},
		...(settings.console ? { copyFiles: CONSOLE_FILES } : {}),
		concurrency: settings.apiConcurrency,
		statements: [
			...usesConfig(configTable, home.place, keys.data, "write"),
			...readsSecrets(secrets, home.place, keys.data, ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "ADMIN_SECRET", "API_KEYS"]),
			{ actions: ["kms:Encrypt", "kms:Decrypt"], resources: [keys.projects.arn] },
			...regions.flatMap((region) => reaches(region, keysOf(region.place.region))),
		],
	});
	return {
		...made,
		url: settings.domain === undefined ? made.fn.url : apiDomain(home, made, { ...settings.domain, timeoutSeconds: TIMEOUT_SECONDS }),
	};
}

/** Who gets what no other project has; the built-in one, of LiveKit's own API key. */
export const PROJECT = "default";

function reaches({ place, callsTable, dial, traces }: RegionData, { data: key }: RegionKeys): Statement[] {
	return [
		...usesCalls(callsTable),
		sendsTo(dial.queue.arn),
		commandQueues(dial.queue, ["sqs:SendMessage"]),
		...readsObjects(traces, place, key),
	];
}
