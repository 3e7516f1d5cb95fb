import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newId } from "@trunkline/contracts";
import { wantsDigits } from "@trunkline/domain";
import type { CallStore, CommandQueue, WebhookStore, ConfigStore, RegistrationStore, TraceStore, TransferStore } from "@trunkline/domain";
import { startEmbeddedDynamo, startEmbeddedSqs } from "@trunkline/emulators";
import { type ApiDeps, createApp, forwardTo, type SigningKey, sleep, transferBy, withProjects } from "@trunkline/functions";
import { ipv6Of, KeptRecordings, MediaNode, type MediaNodeOptions, type NodeStats, TlsFileError } from "@trunkline/media-node";
import { createLogger, loggedMetrics, type Logger, type Metrics } from "@trunkline/observability";
import { createCommandQueue, createSqsClient, ensureQueues, SqsCommandQueue, SqsDialQueue } from "@trunkline/queue";
import { RoomServer, type RoomServerStats } from "@trunkline/room-server";
import {
	createDynamoClient,
	createTables,
	DirectoryTraceStore,
	DynamoCallLimitStore,
	DynamoCallStore,
	DynamoConfigStore,
	DynamoEventOutbox,
	DynamoNumberOwnerStore,
	DynamoProjectStore,
	DynamoRegistrationStore,
	DynamoTransferStore,
	DynamoWebhookStore,
	openSecretBox,
} from "@trunkline/store";
import { Closing } from "./closing.ts";
import { hasWellKnownKeys, type LocalConfig, SettingError } from "./config.ts";
import { LOCAL_TARGETS, LocalEvents } from "./events.ts";
import { foreignPage } from "./foreign-pages.ts";
import { HttpServer } from "./http-server.ts";
import { findRtpPort, portProblem } from "./ports.ts";
import { endOrphansOfAll } from "./orphans.ts";
import { checkPaths, holdMusicOf } from "./paths.ts";
import { isDemoThere, seed } from "./seed.ts";
import { TestCalls } from "./test-calls.ts";
import { consoleOf } from "./console.ts";

export const LOCAL_REGION = "local";
export const LOCAL_PROJECT = "default";
/** Calls have this long to say goodbye before everything is closed under them. */
const HANG_UP_MS = 3_000;

export interface Local {
	httpPort: number;
	/** UDP and TCP */
	sipPort: number;
	/** undefined: TLS is off */
	sipTlsPort: number | undefined;
	url: string;
	/** the trunk and the rule of the first start are there: +15550100 reaches the room "hello" */
	demo: boolean;
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
	metrics: Metrics = loggedMetrics(log),
): Promise<Local> {
	const closing = new Closing(log);
	try {
		return await start(config, log, metrics, closing);
	} catch (error) {
		await closing.run();
		throw error;
	}
}

async function start(config: LocalConfig, log: Logger, metrics: Metrics, closing: Closing): Promise<Local> {
	// The port that users know first: when it is busy nothing else needs to start.
	const http = await HttpServer.listen(config.host, config.port);
	closing.add("HTTP", () => http.close());
	await findRtpPort(config.host, config.rtpPortRange);
	await checkPaths(config);
	const holdMusic = await holdMusicOf(config);

	const dynamo = await startEmbeddedDynamo({ dataDir: join(config.dataDir, "dynamodb") });
	closing.add("DynamoDB", () => dynamo.close());
	const sqs = await startEmbeddedSqs();
	closing.add("SQS", () => sqs.close());
	const dynamoClient = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	dynamo.serve(dynamoClient);
	const sqsClient = createSqsClient({ region: "us-east-1", endpoint: sqs.endpoint });
	closing.add("AWS clients", async () => {
		dynamoClient.destroy();
		sqsClient.destroy();
	});
	// The number changes with the indexes of a table: those of a table that is there already cannot be changed here.
	const tables = { config: "trunkline-config", calls: "trunkline-calls-3" };
	await createTables(dynamoClient, tables);
	const queues = await ensureQueues(sqsClient, { name: "trunkline-dial" });
	const configStore = new DynamoConfigStore({ client: dynamoClient, table: tables.config });
	const events = new LocalEvents({
		calls: new DynamoCallStore({ client: dynamoClient, table: tables.calls }),
		outbox: new DynamoEventOutbox({ client: dynamoClient, table: tables.calls }),
		webhooks: new DynamoWebhookStore({ client: dynamoClient, table: tables.config }),
		key: (projectId) => signingKey(projectId),
		log,
	});
	// Closed after the node, whose calls still end then.
	closing.add("events", () => events.stop());
	const { callStore } = events;
	const nodeId = newId("ND_", randomBytes);
	const commandQueue = new SqsCommandQueue(sqsClient, { url: await createCommandQueue(sqsClient, `trunkline-commands-${nodeId}`), log });
	const transferStore = new DynamoTransferStore({ client: dynamoClient, table: tables.calls });
	const registrationStore = new DynamoRegistrationStore({ client: dynamoClient, table: tables.calls });
	const { tracesDir = join(config.dataDir, "traces"), traces } = config;
	const traceStore = new DirectoryTraceStore({ directory: tracesDir, retentionMs: traces.retentionMs });
	const dialQueue = new SqsDialQueue(sqsClient, { url: queues.url, deadLetterUrl: queues.deadLetterUrl, log });

	const rooms = config.livekitUrl === undefined ? embeddedRooms(config, log) : undefined;
	if (rooms !== undefined) closing.add("room server", () => rooms.close());
	const url = `http://${bracketed(loopbackOf(config.host))}:${http.port}`;
	const { deps, nodeProjects } = withLocalProjects(config, dynamoClient, tables, {
		configStore,
		callStore,
		dialQueue: () => dialQueue,
		keys: { lookup: (key) => (key === config.apiKey ? { secret: config.apiSecret, projectId: LOCAL_PROJECT } : undefined) },
		regions: [LOCAL_REGION],
		clock: Date.now,
		sleep,
		random: (length) => randomBytes(length),
		roomService: rooms === undefined ? forwardTo(config.livekitUrl ?? "") : roomsOf(rooms),
		transfers: transferStore,
		transfer: transferBy({ transfers: transferStore, commandQueue: () => commandQueue, clock: Date.now, sleep, log }),
		command: transferBy({ transfers: transferStore, commandQueue: () => commandQueue, clock: Date.now, sleep, log }),
		v1: {
			webhookStore: events.webhookStore,
			registrationStore,
			traces: () => traceStore,
			commandQueue: () => commandQueue,
			strictDispatch: config.strictDispatch,
			webhookTargets: LOCAL_TARGETS,
			testCall: (projectId, request) => testCalls.place(projectId, request),
		},
		metrics,
		log,
	});
	const signingKey = async (projectId: string): Promise<SigningKey | undefined> => {
		if (projectId === LOCAL_PROJECT) return { apiKey: config.apiKey, secret: config.apiSecret };
		const key = (await deps.projects?.cache.getProject(projectId))?.apiKeys[0];
		return key && { apiKey: key.key, secret: key.secrets[0].secret };
	};
	const app = createApp(deps);
	app.route("/", consoleOf(config));

	const roomUrl = config.livekitUrl ?? url.replace("http", "ws");
	// Before the first call can come.
	await endOrphansOfAll(deps.callStore, LOCAL_PROJECT, deps.projects?.store, Date.now());
	await seedOnce(config, deps.configStore);
	const node = await startNode(config, {
		webhooks: events.webhookStore,
		nodeId,
		configStore,
		callStore: deps.callStore,
		dialQueue,
		commandQueue,
		transferStore,
		registrationStore,
		traceStore,
		holdMusic,
		metrics,
		log,
		roomUrl,
		...(nodeProjects === undefined ? {} : { projects: nodeProjects }),
	});
	closing.add("media node", () => node.close(HANG_UP_MS));
	const testCalls = new TestCalls({ configStore: deps.configStore, target: { host: loopbackOf(config.host), sipPort: node.sipPort }, log });
	closing.add("test calls", () => testCalls.close());
	const demo = await isDemoThere(configStore, LOCAL_PROJECT);
	events.start();
	// Last: whoever finds the port serving finds everything serving.
	http.serve(app, rooms, hasWellKnownKeys(config) ? foreignPage : undefined);
	return {
		httpPort: http.port,
		sipPort: node.sipPort,
		sipTlsPort: node.sipTlsPort,
		url,
		demo,
		stats: () => ({ node: node.stats(), rooms: rooms?.stats() }),
		close: () => closing.run(),
	};
}

/** Projects beside the default one, when somebody may make them; the key of their secrets is a file in the data directory. */
function withLocalProjects(
	{ adminSecret, dataDir }: LocalConfig,
	client: ReturnType<typeof createDynamoClient>,
	tables: { config: string; calls: string },
	deps: ApiDeps,
): { deps: ApiDeps; nodeProjects?: MediaNodeOptions["projects"] } {
	if (adminSecret === undefined) return { deps };
	const box = openSecretBox(join(dataDir, "secrets.key"));
	const { projectForInbound, livekitOf, policyOf, admit, ...made } = withProjects(deps, {
		store: new DynamoProjectStore({ client, table: tables.config, box }),
		owners: new DynamoNumberOwnerStore({ client, table: tables.config }),
		callLimits: new DynamoCallLimitStore({ client, table: tables.calls }),
		builtInProjects: [LOCAL_PROJECT],
		fallbackProject: LOCAL_PROJECT,
		adminSecret,
	});
	return {
		deps: made.deps,
		nodeProjects: {
			forInbound: projectForInbound,
			livekit: livekitOf,
			policy: policyOf,
			admit,
		},
	};
}

function embeddedRooms(config: LocalConfig, log: Logger): RoomServer {
	return new RoomServer({
		apiKeys: { [config.apiKey]: config.apiSecret },
		advertisedAddress: config.advertisedAddress,
		log: (message, fields) => log.warn(fields, message),
		webhooks: { urls: config.roomWebhookUrls, apiKey: config.apiKey },
	});
}

interface NodeParts {
	nodeId: string;
	configStore: ConfigStore;
	callStore: CallStore;
	dialQueue: SqsDialQueue;
	commandQueue: CommandQueue;
	webhooks: WebhookStore;
	transferStore: TransferStore;
	registrationStore: RegistrationStore;
	traceStore: TraceStore;
	holdMusic: Int16Array | undefined;
	metrics: Metrics;
	log: Logger;
	roomUrl: string;
	projects?: MediaNodeOptions["projects"];
}

async function startNode(config: LocalConfig, parts: NodeParts): Promise<MediaNode> {
	try {
		return await MediaNode.start({
			nodeId: parts.nodeId,
			region: LOCAL_REGION,
			projectId: LOCAL_PROJECT,
			sip: { bindHost: config.host, port: config.sipPort, advertisedHost: config.advertisedAddress, ...config.sip },
			rtp: {
				bindHost: config.host,
				advertisedAddress: config.advertisedAddress,
				...ipv6Of(config.sip),
				promptsDirectory: config.promptsDir,
				holdMusic: parts.holdMusic,
				noiseSuppressor: { module: config.noiseSuppressorModule },
				portRange: config.rtpPortRange,
			},
			livekit: { url: parts.roomUrl, apiKey: config.apiKey, apiSecret: config.apiSecret },
			...(parts.projects === undefined ? {} : { projects: parts.projects }),
			configStore: parts.configStore,
			callStore: parts.callStore,
			dialQueue: parts.dialQueue,
			commandQueue: parts.commandQueue,
			recordsDigits: async (projectId) => wantsDigits(await parts.webhooks.getWebhooks(projectId)),
			transferStore: parts.transferStore,
			registrationStore: parts.registrationStore,
			recordings: new KeptRecordings({ directory: config.recordingsDir ?? join(config.dataDir, "recordings"), log: parts.log }),
			traces: { ...config.traces, store: parts.traceStore },
			strictDispatch: config.strictDispatch,
			unknownSources: config.unknownSources,
			mediaWorkers: config.mediaWorkers,
			qualityEveryMs: config.qualityEveryMs,
			roomRecoveryMs: config.roomRecoveryMs,
			...(config.roomRelays === undefined ? {} : { roomRelays: config.roomRelays }),
			maxCalls: config.maxCalls,
			...(config.registrationPollMs === undefined ? {} : { registrationPollMs: config.registrationPollMs }),
			...(config.mediaTimeoutMs === undefined ? {} : { mediaTimeoutMs: config.mediaTimeoutMs }),
			metrics: parts.metrics,
			log: parts.log,
		});
	} catch (error) {
		throw sipProblem(error, config);
	}
}

function sipProblem(error: unknown, { host, sipPort, sip }: LocalConfig): Error {
	if (error instanceof TlsFileError) return new SettingError(`SIP_TLS_…: ${error.message}`);
	// TCP servers say which port, and that they listen.
	const { port, syscall } = error as { port?: unknown; syscall?: unknown };
	if (port === sip.tlsPort && port !== sipPort) return portProblem(error, "SIP_TLS_PORT", host, sip.tlsPort ?? 0, "TCP");
	return portProblem(error, "SIP_PORT", host, sipPort, syscall === "listen" ? "TCP" : "UDP");
}

/** A marker in the data directory, so that what a user deletes stays deleted. */
async function seedOnce(config: LocalConfig, store: ConfigStore): Promise<void> {
	const marker = join(config.dataDir, "seeded");
	if (existsSync(marker)) return;
	await seed(store, LOCAL_PROJECT, Date.now());
	writeFileSync(marker, `${new Date().toISOString()}\n`);
}

const loopbackOf = (host: string): string => (host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host);

const bracketed = (host: string): string => (host.includes(":") ? `[${host}]` : host);

/** The embedded room server, for what the API passes on: tokens of other projects, and moves of participants that are no telephone calls. */
const roomsOf =
	(rooms: RoomServer) =>
	(request: Request): Promise<Response> =>
		rooms.fetch(request) ?? notHere(request);

/** Services that the embedded room server does not have (Egress, Ingress, …); RoomService never comes here. */
async function notHere(request: Request): Promise<Response> {
	const body = {
		code: "bad_route",
		msg: `no handler for path ${JSON.stringify(new URL(request.url).pathname)}`,
		meta: { twirp_invalid_route: `POST ${new URL(request.url).pathname}` },
	};
	return new Response(JSON.stringify(body), { status: 404, headers: { "content-type": "application/json" } });
}
