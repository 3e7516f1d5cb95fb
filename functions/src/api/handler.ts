import { handle } from "hono/aws-lambda";
import { apiFromEnvironment } from "../wire.ts";
import { createApp } from "./app.ts";

/** For a function URL: CreateSIPParticipant waits up to 80 s for an answer, an HTTP API of API Gateway ends requests after 30 s. */
export const handler = handle(createApp(apiFromEnvironment(process.env)));
