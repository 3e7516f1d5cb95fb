import { PROJECT } from "./api.ts";
import { lambda } from "./lambda.ts";
import { receivesFrom, sendsTo } from "./permissions.ts";
import { commandQueuePrefix, commandQueues, deadLetterQueue } from "./queues.ts";
import { readsSecrets, type Secrets, versionIn } from "./secrets.ts";
import type { StageSettings } from "./settings.ts";
import { usesCalls, usesConfig } from "./tables.ts";
import type { Consumers, Lambda, MediaNodes, RegionData, RegionKeys } from "./types.ts";

/** One delivery may take a minute: docs/calls.md. */
const EVENTS_TIMEOUT_SECONDS = 180;
const SWEEP_TIMEOUT_SECONDS = 60;
const DEAD_LETTERS_TIMEOUT_SECONDS = 60;
/** Tries of a batch of the stream; what is left then is delivered by the schedule, as the outbox has it. */
const STREAM_RETRIES = 5;

export interface ConsumersInput {
	data: RegionData;
	nodes: MediaNodes;
	configTable: sst.aws.Dynamo;
	keys: RegionKeys;
	secrets: Secrets;
	settings: StageSettings;
}

/** What happens in a region when something else has happened there: events out, dead nodes' calls ended, dead letters answered. */
export function consumers(input: ConsumersInput): Consumers {
	const streamFailures = deadLetterQueue(`StreamFailures${input.data.place.suffix}`, input.data.place.opts);
	return { events: events(input, streamFailures), sweep: sweep(input), deadLetters: deadLetters(input), streamFailures };
}

function events({ data, configTable, keys, secrets, settings }: ConsumersInput, streamFailures: sst.aws.Queue): Lambda {
	const { place, callsTable, bus } = data;
	const stream = callsTable.nodes.table.streamArn;
	const made = lambda("events", place, settings, {
		description: "delivers call events to webhooks and to the bus",
		secretsVersion: versionIn(secrets, place),
		memoryMb: 512,
		timeoutSeconds: EVENTS_TIMEOUT_SECONDS,
		environment: {
			STAGE: $app.stage,
			SECRETS_PREFIX: secrets.prefix,
			PROJECT_ID: PROJECT,
			PROJECTS_KMS_KEY: keys.projects.arn,
			CONFIG_TABLE: configTable.name,
			CALLS_TABLE: callsTable.name,
			EVENT_BUS: bus.name,
		},
		statements: [
			...usesConfig(configTable, place, keys.data, "read"),
			...usesCalls(callsTable),
			...readsSecrets(secrets, place, keys.data, ["LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"]),
			{ actions: ["kms:Decrypt"], resources: [keys.projects.arn] },
			{ actions: ["events:PutEvents"], resources: [bus.arn] },
			{ actions: ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"], resources: [stream] },
			// A table's streams are listed under its name with a date in it that nobody knows before.
			{ actions: ["dynamodb:ListStreams"], resources: [$interpolate`${callsTable.arn}/stream/*`] },
			sendsTo(streamFailures.arn),
		],
	});
	new aws.lambda.EventSourceMapping(
		`EventsOfCalls${place.suffix}`,
		{
			eventSourceArn: stream,
			functionName: made.fn.name,
			startingPosition: "LATEST",
			batchSize: 100,
			parallelizationFactor: 4,
			bisectBatchOnFunctionError: true,
			maximumRetryAttempts: STREAM_RETRIES,
			destinationConfig: { onFailure: { destinationArn: streamFailures.arn } },
			// Of all that is in the table, calls have events.
			filterCriteria: {
				filters: [
					{ pattern: JSON.stringify({ eventName: ["INSERT", "MODIFY"], dynamodb: { Keys: { pk: { S: [{ prefix: "call#" }] } } } }) },
				],
			},
		},
		place.opts,
	);
	everyMinute("Events", made, data);
	return made;
}

function sweep({ data, nodes, configTable, keys, secrets, settings }: ConsumersInput): Lambda {
	const { place, callsTable, dial } = data;
	const made = lambda("sweep", place, settings, {
		description: "ends calls of nodes that are gone, deletes their queues",
		secretsVersion: versionIn(secrets, place),
		memoryMb: 512,
		timeoutSeconds: SWEEP_TIMEOUT_SECONDS,
		environment: {
			STAGE: $app.stage,
			SECRETS_PREFIX: secrets.prefix,
			PROJECTS_KMS_KEY: keys.projects.arn,
			CONFIG_TABLE: configTable.name,
			CALLS_TABLE: callsTable.name,
			COMMAND_QUEUE_PREFIX: commandQueuePrefix(),
		},
		statements: [
			...usesCalls(callsTable),
			...usesConfig(configTable, place, keys.data, "read"),
			...readsSecrets(secrets, place, keys.data, ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"]),
			{ actions: ["kms:Decrypt"], resources: [keys.projects.arn] },
			commandQueues(dial.queue, ["sqs:DeleteQueue", "sqs:GetQueueAttributes"]),
			// SQS knows no resources for this action; the request asks for the stage's own prefix.
			{ actions: ["sqs:ListQueues"], resources: ["*"] },
		],
	});
	everyMinute("Sweep", made, data);
	const pattern = nodes.cluster.nodes.cluster.arn.apply((clusterArn) =>
		JSON.stringify({
			source: ["aws.ecs"],
			"detail-type": ["ECS Task State Change"],
			detail: { clusterArn: [clusterArn], lastStatus: ["STOPPED"] },
		}),
	);
	ruled(`NodeStopped${place.suffix}`, { description: "a media node is gone", eventPattern: pattern }, made, data);
	return made;
}

function deadLetters({ data, settings }: ConsumersInput): Lambda {
	const { place, callsTable, dial } = data;
	const made = lambda("deadLetters", place, settings, {
		description: "ends calls whose dial nobody could take",
		memoryMb: 512,
		timeoutSeconds: DEAD_LETTERS_TIMEOUT_SECONDS,
		environment: { CALLS_TABLE: callsTable.name },
		statements: [...usesCalls(callsTable), receivesFrom(dial.deadLetters.arn)],
	});
	new aws.lambda.EventSourceMapping(
		`DeadLettersOfDial${place.suffix}`,
		{
			eventSourceArn: dial.deadLetters.arn,
			functionName: made.fn.name,
			batchSize: 10,
			functionResponseTypes: ["ReportBatchItemFailures"],
		},
		place.opts,
	);
	return made;
}

function everyMinute(name: string, { fn, logGroup }: Lambda, data: RegionData): void {
	ruled(`${name}Minute${data.place.suffix}`, { description: "every minute", scheduleExpression: "rate(1 minute)" }, { fn, logGroup }, data);
}

function ruled(name: string, rule: aws.cloudwatch.EventRuleArgs, { fn }: Lambda, { place: { opts } }: RegionData): void {
	const made = new aws.cloudwatch.EventRule(name, rule, opts);
	new aws.cloudwatch.EventTarget(`${name}Target`, { rule: made.name, arn: fn.arn }, opts);
	new aws.lambda.Permission(
		`${name}Permission`,
		{ action: "lambda:InvokeFunction", function: fn.name, principal: "events.amazonaws.com", sourceArn: made.arn },
		opts,
	);
}
