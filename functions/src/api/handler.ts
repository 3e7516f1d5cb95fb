import { Hono } from "hono";
import { handle, type LambdaContext } from "hono/aws-lambda";
import { consoleFromEnvironment } from "../console.ts";
import { withSecrets } from "../secrets.ts";
import { apiFromEnvironment } from "../wire.ts";
import { createApp } from "./app.ts";
import { deadlineSignal } from "./deadline.ts";

const secrets = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET"] as const;
const environment = await withSecrets(process.env, secrets, ["API_KEYS", "ADMIN_SECRET"]);
const api = createApp(apiFromEnvironment(environment));
const page = consoleFromEnvironment(environment);

const lambda = new Hono<{ Bindings: { lambdaContext?: Partial<LambdaContext> } }>();
if (page !== undefined) for (const path of ["/console", "/console/*"]) lambda.get(path, ({ req }) => page(req.raw));
lambda.all("*", ({ req, env }) => {
	const remainingMs = env.lambdaContext?.getRemainingTimeInMillis?.();
	return api.fetch(remainingMs === undefined ? req.raw : new Request(req.raw, { signal: deadlineSignal(remainingMs) }));
});

/**
 * For a function URL: CreateSIPParticipant waits up to 80 s for an answer, an HTTP API of API Gateway ends requests after 30 s. With Lambda's limit at 90 s
 * every wait ends by itself; a lower one is answered shortly before it (`deadline_exceeded`), so that no call is left that nobody was told of. Lambda
 * does not tell when a client goes away: the wait goes on, and a retry with the same request id finds the call.
 */
export const handler = handle(lambda);
