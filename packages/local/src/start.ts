import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { getRequestListener } from "@hono/node-server";
import { startEmbeddedDynamo, startEmbeddedSqs } from "@trunkline/emulators";
import { createApp, forwardTo, sleep } from "@trunkline/functions";
import { MediaNode, type NodeStats } from "@trunkline/media-node";
import { createLogger, type Logger } from "@trunkline/observability";
import { createSqsClient, ensureQueues, SqsDialQueue } from "@trunkline/queue";
import { RoomServer, type RoomServerStats } from "@trunkline/room-server";
import { createDynamoClient, createTables, DynamoCallStore, DynamoConfigStore } from "@trunkline/store";
import { Closing } from "./closing.ts";
import type { LocalConfig } from "./config.ts";
import { seed } from "./seed.ts";

export const LOCAL_REGION = "local";
export const LOCAL_PROJECT = "default";
/** Calls have this long to say goodbye before everything is closed under them. */
const HANG_UP_MS = 3_000;

export interface Local {
	httpPort: number;
	sipPort: number;
	url: string;
	/** the first start of this data directory */
	seeded: boolean;
	stats(): { node: NodeStats; rooms: RoomServerStats | undefined };
	/** Hangs up all calls and closes everything, within about 4 s. Idempotent. */
	close(): Promise<void>;
}

/**
 * The whole system in one process: embedded DynamoDB, SQS and room server around the same API and media node that run in the cloud.
 * Rejects with an error whose message is meant for people; what was already open is closed again.
 */
export async function startLocal(
	config: LocalConfig,
	log: Logger = createLogger({ name: "trunkline", level: config.logLevel }),
): Promise<Local> {
	const closing = new Closing(log);
	try {
		return await start(config, log, closing);
	} catch (error) {
		await closing.run();
		throw error;
	}
}

async function start(config: LocalConfig, log: Logger, closing: Closing): Promise<Local> {
	mkdirSync(config.dataDir, { recursive: true });
	// The port that users know first: when it is busy nothing else needs to start.
	const http = await listen(config.host, config.port);
	closing.add("HTTP", () => closeServer(http));

	const dynamo = await startEmbeddedDynamo({ dataDir: join(config.dataDir, "dynamodb") });
	closing.add("DynamoDB", () => dynamo.close());
	const sqs = await startEmbeddedSqs();
	closing.add("SQS", () => sqs.close());
	const dynamoClient = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	const sqsClient = createSqsClient({ region: "us-east-1", endpoint: sqs.endpoint });
	closing.add("AWS clients", async () => {
		dynamoClient.destroy();
		sqsClient.destroy();
	});
	const tables = { config: "trunkline-config", calls: "trunkline-calls" };
	await createTables(dynamoClient, tables);
	const queues = await ensureQueues(sqsClient, { name: "trunkline-dial" });
	const configStore = new DynamoConfigStore({ client: dynamoClient, table: tables.config });
	const callStore = new DynamoCallStore({ client: dynamoClient, table: tables.calls });
	const dialQueue = new SqsDialQueue(sqsClient, { url: queues.url, deadLetterUrl: queues.deadLetterUrl, log });

	const httpPort = portOf(http);
	const rooms = config.livekitUrl === undefined ? embeddedRooms(config, log) : undefined;
	if (rooms !== undefined) closing.add("room server", () => rooms.close());
	const url = `http://${bracketed(loopbackOf(config.host))}:${httpPort}`;
	const app = createApp({
		configStore,
		callStore,
		dialQueue: () => dialQueue,
		keys: { lookup: (key) => (key === config.apiKey ? { secret: config.apiSecret, projectId: LOCAL_PROJECT } : undefined) },
		regions: [LOCAL_REGION],
		clock: Date.now,
		sleep,
		random: (length) => randomBytes(length),
		roomService: rooms === undefined ? forwardTo(config.livekitUrl ?? "") : notHere,
		log,
	});
	serve(http, app, rooms);

	const node = await startNode(config, { configStore, callStore, dialQueue, log, roomUrl: config.livekitUrl ?? url.replace("http", "ws") });
	closing.add("media node", () => node.close(HANG_UP_MS));
	return {
		httpPort,
		sipPort: node.sipPort,
		url,
		seeded: await seedOnce(config, configStore),
		stats: () => ({ node: node.stats(), rooms: rooms?.stats() }),
		close: () => closing.run(),
	};
}

function embeddedRooms(config: LocalConfig, log: Logger): RoomServer {
	return new RoomServer({
		apiKeys: { [config.apiKey]: config.apiSecret },
		advertisedAddress: config.advertisedAddress,
		log: (message, fields) => log.warn(fields, message),
	});
}

interface NodeParts {
	configStore: DynamoConfigStore;
	callStore: DynamoCallStore;
	dialQueue: SqsDialQueue;
	log: Logger;
	roomUrl: string;
}

async function startNode(config: LocalConfig, parts: NodeParts): Promise<MediaNode> {
	try {
		return await MediaNode.start({
			region: LOCAL_REGION,
			projectId: LOCAL_PROJECT,
			sip: { bindHost: config.host, port: config.sipPort, advertisedHost: config.advertisedAddress },
			rtp: { bindHost: config.host, advertisedAddress: config.advertisedAddress, portRange: config.rtpPortRange },
			livekit: { url: parts.roomUrl, apiKey: config.apiKey, apiSecret: config.apiSecret },
			configStore: parts.configStore,
			callStore: parts.callStore,
			dialQueue: parts.dialQueue,
			strictDispatch: config.strictDispatch,
			maxCalls: config.maxCalls,
			...(config.mediaTimeoutMs === undefined ? {} : { mediaTimeoutMs: config.mediaTimeoutMs }),
			log: parts.log,
		});
	} catch (error) {
		throw portProblem(error, "SIP_PORT", config.host, config.sipPort, "UDP");
	}
}

async function listen(host: string, port: number): Promise<Server> {
	const server = createServer();
	try {
		await new Promise<void>((resolve, reject) => {
			server.once("error", reject);
			server.listen(port, host, () => {
				server.off("error", reject);
				resolve();
			});
		});
	} catch (error) {
		throw portProblem(error, "PORT", host, port, "TCP");
	}
	return server;
}

function serve(http: Server, app: { fetch: Parameters<typeof getRequestListener>[0] }, rooms: RoomServer | undefined): void {
	const listener = getRequestListener(app.fetch);
	http.on("request", (request, response) => {
		if (rooms?.handleHttp(request, response) === true) return;
		void listener(request, response);
	});
	http.on("upgrade", (request, socket, head) => {
		if (rooms?.handleUpgrade(request, socket, head) === true) return;
		socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	});
}

/** What the system says about a port, as one line that names the setting. */
function portProblem(error: unknown, setting: string, host: string, port: number, protocol: "TCP" | "UDP"): Error {
	const code = error instanceof Error && "code" in error ? error.code : undefined;
	const at = `${protocol} port ${port} on ${host}`;
	switch (code) {
		case "EADDRINUSE":
			return new Error(`${at} is in use by another program; stop that, or choose another port: ${setting}=… npm start`, { cause: error });
		case "EACCES":
			return new Error(`${at} may not be used without more rights; choose one above 1023: ${setting}=… npm start`, { cause: error });
		case "EADDRNOTAVAIL":
			return new Error(`${host} is not an address of this machine; set HOST to one that is`, { cause: error });
		default:
			return error instanceof Error ? error : new Error(String(error));
	}
}

/** A marker in the data directory, so that what a user deletes stays deleted. */
async function seedOnce(config: LocalConfig, store: DynamoConfigStore): Promise<boolean> {
	const marker = join(config.dataDir, "seeded");
	if (existsSync(marker)) return false;
	const seeded = await seed(store, LOCAL_PROJECT, Date.now());
	writeFileSync(marker, `${new Date().toISOString()}\n`);
	return seeded;
}

function portOf(server: Server): number {
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error("the HTTP server has no port");
	return address.port;
}

async function closeServer(server: Server): Promise<void> {
	const closed = new Promise<void>((resolve) => {
		server.close(() => resolve());
	});
	server.closeAllConnections();
	await closed;
}

const loopbackOf = (host: string): string => (host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host);

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** Services that the embedded room server does not have (Egress, Ingress, …); RoomService never comes here. */
async function notHere(request: Request): Promise<Response> {
	const body = {
		code: "bad_route",
		msg: `no handler for path ${JSON.stringify(new URL(request.url).pathname)}`,
		meta: { twirp_invalid_route: `POST ${new URL(request.url).pathname}` },
	};
	return new Response(JSON.stringify(body), { status: 404, headers: { "content-type": "application/json" } });
}
