import { randomBytes } from "node:crypto";
import { newId } from "@trunkline/contracts";
import { wantsDigits } from "@trunkline/domain";
import { createLogger, type Logger } from "@trunkline/observability";
import { createCommandQueue, createSqsClient, deleteCommandQueue, SqsCommandQueue, SqsDialQueue } from "@trunkline/queue";
import {
	createDynamoClient,
	createKmsSecretBox,
	createS3Client,
	DynamoCallLimitStore,
	DynamoCallStore,
	DynamoConfigStore,
	DynamoNumberOwnerStore,
	DynamoProjectStore,
	DynamoRegistrationStore,
	DynamoTransferStore,
	DynamoWebhookStore,
	DirectoryTraceStore,
	S3RecordingStore,
	S3TraceStore,
} from "@trunkline/store";
import { environment, type NodeConfig, readConfig, SettingError } from "./config.ts";
import { nodeMetrics } from "./metrics.ts";
import { startHealthServer } from "./health/server.ts";
import { nodeProjects } from "./projects.ts";
import { TlsFileError } from "./transport/tls-files.ts";
import { ipv6Of } from "./sip-config.ts";
import { yieldToMedia } from "./engine/yield-to-media.ts";
import { readHoldMusic } from "./media/hold-file.ts";
import { KeptRecordings } from "./recordings/kept-recordings.ts";
import { fleetOf, identityOf, type Joined } from "./wire-fleet.ts";
import { MediaNode, type MediaNodeOptions } from "./wire.ts";

/** After the grace period: for BYEs, the last records and the rooms. */
const HANG_UP_MS = 5_000;
/** Longer than every step of closing together: a process that hangs then is of no use to anybody. */
const EXIT_AFTER_MS = 8_000;

interface Ending {
	why: string;
	exitCode: number;
	/** how long calls may go on; unset: DRAIN_SECONDS */
	graceMs?: number;
}
type Stop = (ending: Ending) => void;

/** A media node in a container: settings from the environment, calls until SIGTERM, then a drain. */
async function main(): Promise<void> {
	const config = readConfig(environment());
	const log = createLogger({ name: "media-node", level: config.logLevel });
	const stopping = Promise.withResolvers<Ending>();
	const superseded = Promise.withResolvers<string>();
	const hurry = new AbortController();
	watchProcess(log, hurry, stopping.resolve);

	let buried = false;
	const { node, fleet, close } = await start(config, log, superseded.resolve, () => {
		buried = true;
		// Also one that drains: the calls that it drains for are ended.
		hurry.abort();
		stopping.resolve({ why: "buried", exitCode: 1, graceMs: 0 });
	});
	if (config.mediaWorkers > 0) yieldToMedia();
	const drain = async (why: string, graceMs: number): Promise<boolean> => {
		log.info({ why, calls: node.stats().calls, graceMs }, "draining");
		const empty = node.drain(graceMs);
		void fleet.tell();
		return Promise.race([empty, aborted(hurry.signal)]);
	};
	let ending: Ending | undefined = await Promise.race([stopping.promise, superseded.promise.then(() => undefined)]);
	let empty = false;
	if (ending === undefined) {
		// While it is protected nobody stops it; somebody may all the same.
		const drained = drain(await superseded.promise, config.fleet.protectedDrainMs).then((done) => {
			empty = done;
			return { why: "superseded", exitCode: 0, graceMs: 0 };
		});
		ending = await Promise.race([drained, stopping.promise]);
	}
	if (!empty) empty = await drain(ending.why, ending.graceMs ?? config.drainMs);
	if (!empty) log.info({ calls: node.stats().calls }, "hanging up");
	setTimeout(() => {
		log.error("closing took too long");
		process.exit(1);
	}, EXIT_AFTER_MS).unref();
	await close();
	log.info("stopped");
	process.exit(buried ? 1 : ending.exitCode);
}

async function start(
	config: NodeConfig,
	log: Logger,
	superseded: (why: string) => void,
	buried: () => void,
): Promise<{ node: MediaNode; fleet: Joined; close(): Promise<void> }> {
	const identity = await identityOf(config, log);
	const { advertisedAddress } = identity;
	const dynamo = createDynamoClient({ region: config.awsRegion });
	const sqs = createSqsClient({ region: config.awsRegion });
	const { dialQueueUrl: url, dialDeadLetterUrl, commandQueuePrefix } = config;
	const webhooks = new DynamoWebhookStore({ client: dynamo, table: config.configTable });
	const stores = {
		configStore: new DynamoConfigStore({ client: dynamo, table: config.configTable }),
		callStore: new DynamoCallStore({ client: dynamo, table: config.callsTable }),
	};
	const nodeId = newId("ND_", randomBytes);
	const commandQueueName = commandQueuePrefix === undefined ? undefined : `${commandQueuePrefix}${nodeId}`;
	if (commandQueueName !== undefined) await createCommandQueue(sqs, commandQueueName, queueTags(config, nodeId));
	// Of the same account and region, so it is where the dial queue is.
	const commandUrl = commandQueueName === undefined ? undefined : url.replace(/[^/]+$/, commandQueueName);
	const { metrics, exposition, flush } = nodeMetrics({ ...config, nodeId }, log);
	const recordings = recordingsFor(config, log);
	await recordings?.keepLeftovers();
	const deleteQueue = (queue: string) => deleteCommandQueue(sqs, queue);
	const fleetParts = fleetOf(config, identity, { dynamo, commandUrl, deleteQueue, metrics, log });
	const projects = withProjects(config, dynamo, stores, log);
	const node = await named("SIP_PORT", async () =>
		MediaNode.start({
			...fleetParts.options,
			nodeId,
			region: config.region,
			...(config.peerRegions === undefined ? {} : { peerRegions: config.peerRegions }),
			projectId: config.projectId,
			sip: {
				bindHost: config.sipHost,
				port: config.sipPort,
				advertisedHost: advertisedAddress,
				...config.sip,
			},
			rtp: {
				bindHost: config.sipHost,
				advertisedAddress,
				...ipv6Of(config.sip),
				portRange: config.rtpPortRange,
				...(await holdMusicIn(config.holdMusic)),
				promptsDirectory: config.promptsDirectory,
				noiseSuppressor: { module: config.noiseSuppressorModule },
			},
			livekit: config.livekit,
			configStore: stores.configStore,
			...projects,
			transferStore: new DynamoTransferStore({ client: dynamo, table: config.callsTable }),
			registrationStore: new DynamoRegistrationStore({ client: dynamo, table: config.callsTable }),
			dialQueue: new SqsDialQueue(sqs, { url, log, ...(dialDeadLetterUrl === undefined ? {} : { deadLetterUrl: dialDeadLetterUrl }) }),
			...(commandUrl === undefined ? {} : { commandQueue: new SqsCommandQueue(sqs, { url: commandUrl, log }) }),
			metrics,
			recordsDigits: async (projectId) => wantsDigits(await webhooks.getWebhooks(projectId)),
			...(recordings === undefined ? {} : { recordings }),
			traces: tracesFor(config),
			strictDispatch: config.strictDispatch,
			mediaWorkers: config.mediaWorkers,
			qualityEveryMs: config.qualityEveryMs,
			roomRecoveryMs: config.roomRecoveryMs,
			...(config.roomRelays === undefined ? {} : { roomRelays: config.roomRelays }),
			maxCalls: config.maxCalls,
			unknownSources: config.unknownSources,
			...(config.nonceSecret === undefined ? {} : { nonceSecret: config.nonceSecret }),
			log,
		}),
	);
	const health = await named("HEALTH_PORT", () =>
		startHealthServer({
			host: config.sipHost,
			port: config.healthPort,
			ready: () => !node.draining,
			stats: () => ({ ...node.stats() }),
			metrics: () => ({ ...node.stats(), ...node.defence(), turnedAway: node.turnedAway, ...node.relay?.counts }),
			exposition,
		}),
	);
	const fleet = await fleetParts.join(node, {
		...projects,
		onSuperseded: superseded,
		onBuried: () => {
			log.error("peers took this node for dead and have ended its calls: it was stopped for too long, or its table was out of reach");
			buried();
		},
	});
	const { region } = config;
	log.info({ nodeId: node.nodeId, region, advertisedAddress, sipPort: node.sipPort, healthPort: health.port }, "ready");
	const close = async (): Promise<void> => {
		await node.close(HANG_UP_MS);
		await fleet.leave();
		flush();
		await health.close();
		// A node that dies without it leaves a queue behind, which costs nothing and is found by its name.
		if (commandUrl !== undefined)
			await deleteCommandQueue(sqs, commandUrl).catch((error: unknown) =>
				log.warn({ err: error }, "the command queue could not be deleted"),
			);
		dynamo.destroy();
		sqs.destroy();
	};
	return { node, fleet, close };
}

/** So that people see whose a queue is. */
function queueTags({ region, stage }: NodeConfig, nodeId: string): Record<string, string> {
	return { "trunkline:node": nodeId, "trunkline:region": region, ...(stage === undefined ? {} : { "trunkline:stage": stage }) };
}

function recordingsFor({ recordings, awsRegion: region }: NodeConfig, log: Logger): KeptRecordings | undefined {
	if (recordings === undefined) return undefined;
	const { directory, bucket, ...kept } = recordings;
	const store = bucket === undefined ? undefined : new S3RecordingStore({ client: createS3Client({ region }), bucket, ...kept });
	return new KeptRecordings({ directory, store, log });
}

function tracesFor({ traces, awsRegion: region }: NodeConfig): MediaNodeOptions["traces"] {
	if (traces === undefined) return undefined;
	const store =
		"bucket" in traces ? new S3TraceStore({ client: createS3Client({ region }), bucket: traces.bucket }) : new DirectoryTraceStore(traces);
	return { ...traces, store };
}

/** Those that are made through the API too, when this node may open their secrets. */
function withProjects(
	{ awsRegion: region, configTable, callsTable, projectId, builtInProjects, projectsKmsKey: keyId }: NodeConfig,
	client: ReturnType<typeof createDynamoClient>,
	stores: Pick<MediaNodeOptions, "configStore" | "callStore">,
	log: Logger,
): Pick<MediaNodeOptions, "projects" | "callStore"> {
	if (keyId === undefined) return { callStore: stores.callStore };
	return nodeProjects({
		...stores,
		store: new DynamoProjectStore({ client, table: configTable, box: createKmsSecretBox({ region, keyId }) }),
		owners: new DynamoNumberOwnerStore({ client, table: configTable }),
		callLimits: new DynamoCallLimitStore({ client, table: callsTable }),
		fallbackProject: projectId,
		builtInProjects,
		now: Date.now,
		log,
	});
}

/** What the system says about a port, with the name of the setting before it. */
/** Read at the start: a file that nobody can play is better known before the first caller waits. */
async function holdMusicIn(file: string | undefined): Promise<{ holdMusic?: Int16Array }> {
	if (file === undefined) return {};
	try {
		return { holdMusic: await readHoldMusic(file) };
	} catch (error) {
		throw new SettingError(`HOLD_MUSIC=${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
	}
}

async function named<T>(setting: string, open: () => Promise<T>): Promise<T> {
	try {
		return await open();
	} catch (error) {
		if (error instanceof TlsFileError) throw new SettingError(`SIP_TLS_…: ${error.message}`, { cause: error });
		if (error instanceof Error && "code" in error) throw new SettingError(`${setting}: ${error.message}`, { cause: error });
		throw error;
	}
}

/**
 * SIGTERM drains, a second signal hangs up at once. A fault that nobody caught drains too: the calls that it did not touch go on, no new ones are
 * taken, and the process that replaces this one starts clean.
 */
function watchProcess(log: Logger, hurry: AbortController, stop: Stop): void {
	let signals = 0;
	for (const signal of ["SIGTERM", "SIGINT"] as const) {
		process.on(signal, () => {
			signals += 1;
			if (signals > 1) hurry.abort();
			stop({ why: signal, exitCode: 0 });
		});
	}
	process.on("uncaughtException", (error, origin) => {
		log.error({ err: error, origin }, "a fault that nobody caught");
		stop({ why: origin, exitCode: 1 });
	});
}

function aborted(signal: AbortSignal): Promise<false> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve(false);
		else signal.addEventListener("abort", () => resolve(false), { once: true });
	});
}

try {
	await main();
} catch (error) {
	// One line for what whoever starts it can mend; the stack only for what is our own fault.
	const text = error instanceof SettingError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
	process.stderr.write(`media-node: ${text}\n`);
	process.exit(1);
}
