import { countedCalls, ProjectCache } from "@trunkline/domain";
import { createLogger, LOG_LEVELS } from "@trunkline/observability";
import { createSqsClient, deleteCommandQueue, listCommandQueues } from "@trunkline/queue";
import {
	createDynamoClient,
	createKmsSecretBox,
	DynamoCallLimitStore,
	DynamoCallStore,
	DynamoNodeRegistry,
	DynamoProjectStore,
} from "@trunkline/store";
import * as z from "zod";
import { atOnce, lambdaMetrics } from "./metrics.ts";
import type { DeadLetterOptions } from "./consumers/dead-letters.ts";
import { removalFrom, type SweepOptions } from "./consumers/sweep.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const common = {
	/** of the deployment, a dimension of its metrics; unset: there are none */
	STAGE: z.string().min(1).optional(),
	/** set by Lambda */
	AWS_REGION: z.string().min(1),
	CALLS_TABLE: z.string().min(1),
	LOG_LEVEL: z.enum(LOG_LEVELS).default("info"),
};

const sweepSchema = z.object({
	...common,
	CONFIG_TABLE: z.string().min(1),
	COMMAND_QUEUE_PREFIX: z.string().min(1),
	LIVEKIT_URL: z.url({ protocol: /^(https?|wss?)$/ }),
	LIVEKIT_API_KEY: z.string().min(1),
	LIVEKIT_API_SECRET: z.string().min(1),
	/** opens the secrets of projects with LiveKit servers of their own; unset: all rooms are on the one above */
	PROJECTS_KMS_KEY: z.string().min(1).optional(),
});

/** What sweeps a region. Throws with the names of the variables that are missing or wrong, and none of their values. */
export function sweepFromEnvironment(environment: Environment): SweepOptions {
	const given = checked(sweepSchema, environment);
	const region = given.AWS_REGION;
	const client = createDynamoClient({ region });
	const sqs = createSqsClient({ region });
	const log = createLogger({ name: "sweep", level: given.LOG_LEVEL });
	const table = { client, table: given.CALLS_TABLE };
	const calls = new DynamoCallStore(table);
	const emf = lambdaMetrics(given.STAGE, region);
	const { PROJECTS_KMS_KEY: keyId } = given;
	const projects =
		keyId === undefined
			? undefined
			: new ProjectCache({
					store: new DynamoProjectStore({ client, table: given.CONFIG_TABLE, box: createKmsSecretBox({ region, keyId }) }),
					now: Date.now,
				});
	const own = { url: given.LIVEKIT_URL, apiKey: given.LIVEKIT_API_KEY, apiSecret: given.LIVEKIT_API_SECRET };
	return {
		region,
		by: "sweep",
		registry: new DynamoNodeRegistry(table),
		owned: calls,
		calls: counted(calls, table, log),
		removeFromRoom: removalFrom(async (projectId) => (await projects?.getProject(projectId))?.livekit ?? own),
		deleteCommandQueue: (url) => deleteCommandQueue(sqs, url),
		commandQueues: () => listCommandQueues(sqs, given.COMMAND_QUEUE_PREFIX),
		now: Date.now,
		...(emf === undefined ? {} : { metrics: atOnce(emf) }),
		log,
	};
}

/** What answers dead letters of a region. Throws as `sweepFromEnvironment` does. */
export function deadLettersFromEnvironment(environment: Environment): DeadLetterOptions {
	const given = checked(z.object(common), environment);
	const table = { client: createDynamoClient({ region: given.AWS_REGION }), table: given.CALLS_TABLE };
	const log = createLogger({ name: "dead-letters", level: given.LOG_LEVEL });
	return { calls: counted(new DynamoCallStore(table), table, log), clock: Date.now, log };
}

/** Of a project whose calls are not counted there is nothing to settle. */
function counted(
	store: DynamoCallStore,
	table: ConstructorParameters<typeof DynamoCallLimitStore>[0],
	log: { warn(fields: Record<string, unknown>, message: string): void },
) {
	return countedCalls({
		store,
		limits: new DynamoCallLimitStore(table),
		uncounted: [],
		onError: (error, callId) => log.warn({ err: error, callId }, "a call could not be counted"),
	});
}

function checked<T>(schema: z.ZodType<T>, environment: Environment): T {
	const parsed = schema.safeParse(environment);
	if (parsed.success) return parsed.data;
	const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
	throw new Error(`bad environment: ${problems.join("; ")}`);
}
