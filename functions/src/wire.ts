import { randomBytes } from "node:crypto";
import { createLogger, LOG_LEVELS } from "@trunkline/observability";
import { commandQueueUrl, createEventBridgeClient, createSqsClient, EventBridgeBus, SqsCommandQueue, SqsDialQueue } from "@trunkline/queue";
import {
	callIdOfKey,
	createDynamoClient,
	DynamoCallStore,
	DynamoConfigStore,
	DynamoEventOutbox,
	DynamoRegistrationStore,
	DynamoTransferStore,
	DynamoWebhookStore,
} from "@trunkline/store";
import * as z from "zod";
import type { ApiDeps } from "./api/deps.ts";
import { forwardTo } from "./api/forward.ts";
import { sleep } from "./api/sleep.ts";
import { atOnce, lambdaMetrics } from "./metrics.ts";
import { transferBy } from "./api/transfer-call.ts";
import { busSink, EventDeliverer, webhookSinks } from "./consumers/event-delivery.ts";
import { WebhookSender } from "./consumers/webhook-sender.ts";
import type { TargetPolicy } from "./consumers/webhook-target.ts";
import { tracesFromEnvironment } from "./wire-traces.ts";
import { regionalFromEnvironment, withHomeRegion } from "./wire-regions.ts";
import { projectKeysFromEnvironment, projectsFromEnvironment } from "./wire-projects.ts";

const apiKeysSchema = z
	.string()
	.transform((text, context) => {
		try {
			return JSON.parse(text) as unknown;
		} catch {
			// The text has secrets in it: no message may repeat any of it.
			context.addIssue({ code: "custom", message: "is no JSON" });
			return z.NEVER;
		}
	})
	.pipe(z.record(z.string().min(1), z.object({ secret: z.string().min(1), projectId: z.string().min(1) })));

const common = {
	/** set by Lambda */
	AWS_REGION: z.string().min(1),
	CONFIG_TABLE: z.string().min(1),
	CALLS_TABLE: z.string().min(1),
	/** JSON: API key → { secret, projectId } */
	API_KEYS: apiKeysSchema,
	/** private = webhooks may go to private networks too; never to this machine, where Lambda's own API is */
	WEBHOOK_TARGETS: z.enum(["public", "private"]).default("public"),
	LOG_LEVEL: z.enum(LOG_LEVELS).default("info"),
	/** of the deployment, a dimension of its metrics; unset: there are none */
	STAGE: z.string().min(1).optional(),
};

const environmentSchema = z.object({
	...common,
	DIAL_QUEUE_URL: z.url(),
	/** URL of a media node's command queue, without the node's id at its end */
	COMMAND_QUEUE_URL_PREFIX: z.url(),
	/** the LiveKit server that rooms are on: http(s) or ws(s) */
	LIVEKIT_URL: z.url({ protocol: /^(https?|wss?)$/ }),
	/** as the media nodes have it */
	STRICT_DISPATCH: z.enum(["true", "false"]).default("true"),
});

const eventsEnvironmentSchema = z.object({
	...common,
	/** name of the EventBridge bus; without it events go to webhooks alone */
	EVENT_BUS: z.string().min(1).optional(),
});

type Environment = Readonly<Record<string, string | undefined>>;

/** Everything the API needs, on AWS. Throws with the names of the variables that are missing or wrong, and none of their values. */
export function apiFromEnvironment(variables: Environment): ApiDeps {
	const environment = withHomeRegion(variables);
	const given = checked(environmentSchema, environment);
	const region = given.AWS_REGION;
	const dynamo = createDynamoClient({ region });
	const sqs = createSqsClient({ region });
	const log = createLogger({ name: "api", level: given.LOG_LEVEL });
	const dialQueue = new SqsDialQueue(sqs, { url: given.DIAL_QUEUE_URL, log });
	const keys = new Map(Object.entries(given.API_KEYS));
	const regional = regionalFromEnvironment(environment, log);
	const transfers = regional?.transfers ?? new DynamoTransferStore({ client: dynamo, table: given.CALLS_TABLE });
	const commandQueue =
		regional?.commandQueue ??
		((nodeId: string): SqsCommandQueue => new SqsCommandQueue(sqs, { url: commandQueueUrl(given.COMMAND_QUEUE_URL_PREFIX, nodeId), log }));
	const deps: ApiDeps = {
		configStore: new DynamoConfigStore({ client: dynamo, table: given.CONFIG_TABLE }),
		callStore: new DynamoCallStore({ client: dynamo, table: given.CALLS_TABLE }),
		dialQueue: () => dialQueue,
		keys: { lookup: (apiKey) => keys.get(apiKey) },
		regions: [region],
		...regional?.deps,
		clock: Date.now,
		sleep,
		random: (length) => randomBytes(length),
		roomService: forwardTo(given.LIVEKIT_URL),
		transfers,
		transfer: transferBy({ transfers, commandQueue, clock: Date.now, sleep, log }),
		command: transferBy({ transfers, commandQueue, clock: Date.now, sleep, log }),
		v1: {
			webhookStore: new DynamoWebhookStore({ client: dynamo, table: given.CONFIG_TABLE }),
			registrationStore: regional?.registrations ?? new DynamoRegistrationStore({ client: dynamo, table: given.CALLS_TABLE }),
			commandQueue,
			...tracesFromEnvironment(environment),
			strictDispatch: given.STRICT_DISPATCH === "true",
			webhookTargets: targets(given.WEBHOOK_TARGETS),
		},
		...measured(given.STAGE, region),
		log,
	};
	const builtInProjects = [...new Set([...keys.values()].map(({ projectId }) => projectId))];
	return projectsFromEnvironment(deps, environment, builtInProjects, regional?.callLimits)?.deps ?? deps;
}

/** What delivers call events, on AWS, and how it finds the call of an item of the calls table. Throws as `apiFromEnvironment` does. */
export function eventsFromEnvironment(environment: Environment): {
	deliverer: EventDeliverer;
	callIdOf(pk: string): string | undefined;
} {
	const given = checked(eventsEnvironmentSchema, environment);
	const region = given.AWS_REGION;
	const dynamo = createDynamoClient({ region });
	const log = createLogger({ name: "events", level: given.LOG_LEVEL });
	const projectKey = projectKeysFromEnvironment(environment);
	const webhooks = webhookSinks({
		webhooks: new DynamoWebhookStore({ client: dynamo, table: given.CONFIG_TABLE }),
		sender: new WebhookSender({ targets: targets(given.WEBHOOK_TARGETS) }),
		key: async (projectId) => signingKey(given.API_KEYS, projectId) ?? projectKey(projectId),
	});
	const bus =
		given.EVENT_BUS === undefined ? [] : [busSink(new EventBridgeBus(createEventBridgeClient({ region }), { busName: given.EVENT_BUS }))];
	const outbox = new DynamoEventOutbox({ client: dynamo, table: given.CALLS_TABLE });
	const sinks = async (projectId: string) => [...(await webhooks(projectId)), ...bus];
	const emf = lambdaMetrics(given.STAGE, region);
	const metrics = emf === undefined ? {} : { metrics: atOnce(emf) };
	return { deliverer: new EventDeliverer({ outbox, sinks, clock: Date.now, ...metrics, log }), callIdOf: callIdOfKey };
}

function measured(stage: string | undefined, region: string): Pick<ApiDeps, "metrics" | "flushMetrics"> {
	const metrics = lambdaMetrics(stage, region);
	return metrics === undefined ? {} : { metrics, flushMetrics: () => metrics.flush() };
}

function checked<T>(schema: z.ZodType<T>, environment: Environment): T {
	const parsed = schema.safeParse(environment);
	if (parsed.success) return parsed.data;
	const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
	throw new Error(`bad environment: ${problems.join("; ")}`);
}

function targets(setting: "public" | "private"): TargetPolicy {
	return { loopback: false, private: setting === "private" };
}

/** The project's first key. */
function signingKey(keys: z.infer<typeof apiKeysSchema>, projectId: string): { apiKey: string; secret: string } | undefined {
	const found = Object.entries(keys).find(([, key]) => key.projectId === projectId);
	return found && { apiKey: found[0], secret: found[1].secret };
}
