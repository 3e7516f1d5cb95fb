import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { listenOnLoopback } from "../listen.ts";
import { DynamoEngine } from "./engine.ts";
import { callInProcess } from "./in-process.ts";
import { errorAnswer, WireError } from "./wire.ts";

/** DynamoDB's own limit of a request. */
const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

export interface EmbeddedDynamo {
	/** http://127.0.0.1:<port> */
	endpoint: string;
	/** `client`, made for `endpoint`, asks without HTTP from here on; to be called before its first request. */
	serve(client: DynamoDBClient): void;
	close(): Promise<void>;
}

/**
 * A DynamoDB on 127.0.0.1, in this process. `port` 0 = any free one; without `dataDir` all is in memory; `ttlIntervalMs` is how often expired items
 * are removed (0 = never; unset = every 10 minutes, DynamoDB itself takes up to days). Throws EmulatorError.
 */
export async function startEmbeddedDynamo(
	options: { port?: number; dataDir?: string; ttlIntervalMs?: number } = {},
): Promise<EmbeddedDynamo> {
	const engine = await DynamoEngine.open({ ...(options.dataDir === undefined ? {} : { dataDir: options.dataDir }), now: Date.now });
	const server = createServer((request, response) => void serve(engine, request, response));
	// The SDK keeps its connections; closing an idle one here would race with its next request.
	server.keepAliveTimeout = 0;
	const port = await listenOnLoopback(server, options.port ?? 0, "embedded DynamoDB").catch(async (error: unknown) => {
		await engine.close();
		throw error;
	});
	const interval = options.ttlIntervalMs ?? 600_000;
	// Removal is lazy and repeated anyway; a failed run (the database is closing) is made up for by the next.
	const reaper = interval > 0 ? setInterval(() => void engine.reap().catch(() => undefined), interval).unref() : undefined;
	let closed: Promise<void> | undefined;
	const close = async (): Promise<void> => {
		clearInterval(reaper);
		const stopped = new Promise((resolve) => server.close(resolve));
		server.closeAllConnections();
		await stopped;
		await engine.close();
	};
	return {
		endpoint: `http://127.0.0.1:${port}`,
		serve: (client) => callInProcess(client, (target, request) => engine.handle(target, request)),
		close: () => (closed ??= close()),
	};
}

async function serve(engine: DynamoEngine, request: IncomingMessage, response: ServerResponse): Promise<void> {
	const { status, body } = await answer(engine, request).catch(errorAnswer);
	if (response.destroyed) return;
	response.writeHead(status, { "content-type": "application/x-amz-json-1.0", "x-amzn-requestid": randomUUID() });
	response.end(JSON.stringify(body));
}

async function answer(engine: DynamoEngine, request: IncomingMessage): Promise<{ status: number; body: Record<string, unknown> }> {
	const body = await bodyOf(request);
	// A web page cannot send these two headers to another origin without a preflight request, which is not answered here.
	const [version, target] = String(request.headers["x-amz-target"] ?? "").split(".");
	if (request.method !== "POST" || version !== "DynamoDB_20120810" || !target)
		throw new WireError("UnknownOperationException", "POST with X-Amz-Target: DynamoDB_20120810.<operation> expected");
	if (!request.headers.authorization?.startsWith("AWS4-"))
		throw new WireError("MissingAuthenticationTokenException", "Request is missing Authentication Token");
	return { status: 200, body: await engine.handle(target, parse(body)) };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	let length = 0;
	for await (const chunk of request as AsyncIterable<Buffer>) {
		length += chunk.length;
		if (length > MAX_REQUEST_BYTES) throw new WireError("ValidationException", `Request is larger than ${MAX_REQUEST_BYTES} bytes`);
		chunks.push(chunk);
	}
	return Buffer.concat(chunks).toString("utf8");
}

function parse(body: string): Record<string, unknown> {
	try {
		const value: unknown = JSON.parse(body === "" ? "{}" : body);
		if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
	} catch {
		// answered below
	}
	throw new WireError("SerializationException", "The request is not a JSON object");
}
