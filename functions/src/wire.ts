import { randomBytes } from "node:crypto";
import { createLogger, LOG_LEVELS } from "@trunkline/observability";
import { createSqsClient, SqsDialQueue } from "@trunkline/queue";
import { createDynamoClient, DynamoCallStore, DynamoConfigStore } from "@trunkline/store";
import * as z from "zod";
import type { ApiDeps } from "./api/deps.ts";
import { forwardTo } from "./api/forward.ts";
import { sleep } from "./api/sleep.ts";

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

const environmentSchema = z.object({
	/** set by Lambda */
	AWS_REGION: z.string().min(1),
	CONFIG_TABLE: z.string().min(1),
	CALLS_TABLE: z.string().min(1),
	DIAL_QUEUE_URL: z.url(),
	/** the LiveKit server that rooms are on: http(s) or ws(s) */
	LIVEKIT_URL: z.url({ protocol: /^(https?|wss?)$/ }),
	/** JSON: API key → { secret, projectId } */
	API_KEYS: apiKeysSchema,
	LOG_LEVEL: z.enum(LOG_LEVELS).default("info"),
});

/** Everything the API needs, on AWS. Throws with the names of the variables that are missing or wrong, and none of their values. */
export function apiFromEnvironment(environment: Readonly<Record<string, string | undefined>>): ApiDeps {
	const parsed = environmentSchema.safeParse(environment);
	if (!parsed.success) {
		const problems = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
		throw new Error(`bad environment: ${problems.join("; ")}`);
	}
	const { AWS_REGION: region, CONFIG_TABLE, CALLS_TABLE, DIAL_QUEUE_URL, LIVEKIT_URL, API_KEYS, LOG_LEVEL } = parsed.data;
	const dynamo = createDynamoClient({ region });
	const log = createLogger({ name: "api", level: LOG_LEVEL });
	const dialQueue = new SqsDialQueue(createSqsClient({ region }), { url: DIAL_QUEUE_URL, log });
	const keys = new Map(Object.entries(API_KEYS));
	return {
		configStore: new DynamoConfigStore({ client: dynamo, table: CONFIG_TABLE }),
		callStore: new DynamoCallStore({ client: dynamo, table: CALLS_TABLE }),
		dialQueue: () => dialQueue,
		keys: { lookup: (apiKey) => keys.get(apiKey) },
		regions: [region],
		clock: Date.now,
		sleep,
		random: (length) => randomBytes(length),
		roomService: forwardTo(LIVEKIT_URL),
		log,
	};
}
