import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { GetQueueAttributesCommand, SetQueueAttributesCommand } from "@aws-sdk/client-sqs";
import { DEFAULT_POLICY } from "@trunkline/contracts";
import { startEmbeddedDynamo, startEmbeddedSqs } from "@trunkline/emulators";
import { createSqsClient, ensureQueues, listCommandQueues, SqsCommandQueue, SqsDialQueue } from "@trunkline/queue";
import { RoomServer } from "@trunkline/room-server";
import {
	createDynamoClient,
	createTables,
	DynamoCallLimitStore,
	DynamoCallStore,
	DynamoConfigStore,
	DynamoNodeRegistry,
	DynamoProjectStore,
} from "@trunkline/store";
import { AccessToken } from "livekit-server-sdk";
import { vi } from "vitest";
import { createApp } from "../../functions/src/api/app.ts";
import { apiFromEnvironment } from "../../functions/src/wire.ts";
import { type Faults, startFaultyTable } from "./faulty-table.ts";

const MAIN = fileURLToPath(new URL("../../media-node/src/main.ts", import.meta.url));
const SECRET = "a-secret-of-the-room-server";
const DEAD_AFTER_HEARTBEATS = 3;

export interface FleetSettings {
	regions: readonly string[];
	/** a node is dead after three */
	heartbeatMs?: number;
	/** so long a dial request that was received is nobody else's; unset: as in a deployment */
	visibilitySeconds?: number;
	/** what nodes ask the table, and it does not take */
	faults?: Faults;
}

/** A project whose calls count against limits, unlike those of the deployment's own. */
export const COUNTED = "counted";

/** What one region has: a calls table, a dial queue and a room server of its own. */
export interface FleetRegion {
	region: string;
	calls: DynamoCallStore;
	limits: DynamoCallLimitStore;
	registry: DynamoNodeRegistry;
	dialQueue: SqsDialQueue;
	deadLetterUrl: string;
	rooms: RoomServer;
	commandQueues(): Promise<string[]>;
	/** of a node that runs, and how many messages are in it, those in flight too */
	commandQueue(nodeId: string): Promise<{ queue: SqsCommandQueue; messages(): Promise<number> }>;
	/** messages of the dial queue and of its dead letters, those in flight too */
	messages(): Promise<number>;
	variables: Record<string, string>;
}

/** Media nodes as processes, in regions that share one DynamoDB and one SQS on this machine, as an account would have them. */
export class Fleet {
	readonly config: DynamoConfigStore;
	readonly nodes: FleetNode[] = [];
	readonly #regions: ReadonlyMap<string, FleetRegion>;
	readonly #close: () => Promise<void>;

	static async start({ regions, heartbeatMs = 500, visibilitySeconds, faults }: FleetSettings): Promise<Fleet> {
		const [dynamo, sqs] = await Promise.all([startEmbeddedDynamo(), startEmbeddedSqs()]);
		const client = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
		const sqsClient = createSqsClient({ region: "us-east-1", endpoint: sqs.endpoint });
		const made = new Map<string, FleetRegion>();
		const closing: (() => Promise<void>)[] = [];
		const kms = await startKeys();
		closing.push(kms.close);
		const table = faults === undefined ? undefined : await startFaultyTable(dynamo.endpoint, faults);
		if (table !== undefined) closing.push(table.close);
		const count = async (queue: string): Promise<number> => {
			const AttributeNames = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"] as const;
			const { Attributes = {} } = await sqsClient.send(
				new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: [...AttributeNames] }),
			);
			return AttributeNames.reduce((sum, name) => sum + Number(Attributes[name] ?? 0), 0);
		};
		for (const region of regions) {
			const calls = `calls-${region}`;
			await createTables(client, { config: "config", calls });
			const { url, deadLetterUrl } = await ensureQueues(sqsClient, { name: `dial-${region}` });
			const Attributes = visibilitySeconds === undefined ? {} : { VisibilityTimeout: String(visibilitySeconds) };
			await sqsClient.send(new SetQueueAttributesCommand({ QueueUrl: url, Attributes }));
			const rooms = await startRooms();
			closing.push(rooms.close);
			made.set(region, {
				region,
				calls: new DynamoCallStore({ client, table: calls }),
				limits: new DynamoCallLimitStore({ client, table: calls }),
				registry: new DynamoNodeRegistry({ client, table: calls, deadAfterMs: heartbeatMs * DEAD_AFTER_HEARTBEATS }),
				dialQueue: new SqsDialQueue(sqsClient, { url }),
				deadLetterUrl,
				rooms: rooms.server,
				messages: async () => (await Promise.all([url, deadLetterUrl].map(count))).reduce((sum, one) => sum + one, 0),
				commandQueue: async (nodeId) => {
					const queue = (await listCommandQueues(sqsClient, `commands-${region}-`)).find((one) => one.nodeId === nodeId);
					if (queue === undefined) throw new Error(`${nodeId} has no command queue`);
					return { queue: new SqsCommandQueue(sqsClient, { url: queue.url }), messages: () => count(queue.url) };
				},
				commandQueues: async () => (await listCommandQueues(sqsClient, `commands-${region}-`)).map(({ nodeId }) => nodeId),
				variables: {
					AWS_ENDPOINT_URL_DYNAMODB: table?.endpoint ?? dynamo.endpoint,
					AWS_ENDPOINT_URL_KMS: kms.endpoint,
					PROJECTS_KMS_KEY: "a key",
					AWS_ENDPOINT_URL_SQS: sqs.endpoint,
					AWS_ACCESS_KEY_ID: "local",
					AWS_SECRET_ACCESS_KEY: "local",
					AWS_EC2_METADATA_DISABLED: "true",
					AWS_REGION: "us-east-1",
					REGION: region,
					PROJECT_ID: "project",
					CONFIG_TABLE: "config",
					CALLS_TABLE: calls,
					COMMAND_QUEUE_PREFIX: `commands-${region}-`,
					DIAL_QUEUE_URL: url,
					DIAL_DEAD_LETTER_URL: deadLetterUrl,
					LIVEKIT_URL: rooms.url,
					LIVEKIT_API_KEY: "key",
					LIVEKIT_API_SECRET: SECRET,
					NONCE_SECRET: "a secret that all nodes of the fleet share",
					NODE_HEARTBEAT_MS: String(heartbeatMs),
					PEER_REGIONS: JSON.stringify(regions.map((one) => ({ region: one }))),
					RELAY_PORT: "0",
					SIP_HOST: "127.0.0.1",
					SIP_PORT: "0",
					HEALTH_PORT: "0",
					MEDIA_WORKERS: "0",
					LOG_LEVEL: "info",
				},
			});
		}
		await new DynamoProjectStore({ client, table: "config", box: kms.box }).createProject({
			...{ projectId: COUNTED, name: "", createdAt: 1, updatedAt: 1, version: 1 },
			apiKeys: [{ key: COUNTED, createdAt: 1, secrets: [{ secret: SECRET, createdAt: 1 }] }],
			policy: { ...DEFAULT_POLICY, concurrentCalls: 1_000 },
		});
		return new Fleet(made, new DynamoConfigStore({ client, table: "config" }), async () => {
			for (const close of closing) await close();
			client.destroy();
			sqsClient.destroy();
			await Promise.all([dynamo.close(), sqs.close()]);
		});
	}

	private constructor(regions: ReadonlyMap<string, FleetRegion>, config: DynamoConfigStore, close: () => Promise<void>) {
		this.#regions = regions;
		this.config = config;
		this.#close = close;
	}

	region(name: string): FleetRegion {
		const region = this.#regions.get(name);
		if (region === undefined) throw new Error(`the fleet has no region ${name}`);
		return region;
	}

	/** One more node in a region; resolves when it is ready. Each has RTP ports of its own. */
	async node(region: string, changes: Record<string, string> = {}): Promise<FleetNode> {
		const first = 30_000 + this.nodes.length * 1_000;
		const range = { RTP_PORT_RANGE: `${first}-${first + 999}` };
		const node = new FleetNode({ ...this.region(region).variables, ...range, ...changes });
		this.nodes.push(node);
		await node.ready();
		return node;
	}

	/** The API as Lambda has it, in the first region; what is answered to a token of the project that may all. */
	api(): (method: string, path: string, body?: unknown) => Promise<{ status: number; body: Record<string, unknown> }> {
		const [home] = this.#regions.values();
		if (home === undefined) throw new Error("a fleet has a region");
		const variables = this.apiVariables();
		// The SDK reads where AWS is from the process alone.
		for (const [name, value] of Object.entries(variables)) if (name.startsWith("AWS_")) vi.stubEnv(name, value);
		const app = createApp(apiFromEnvironment(variables));
		return async (method, path, body) => {
			const token = new AccessToken("key", SECRET);
			token.addSIPGrant({ admin: true, call: true });
			const headers = { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" };
			const response = await app.request(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
			return { status: response.status, body: (await response.json()) as Record<string, unknown> };
		};
	}

	/** What the API and its neighbours on Lambda read; `region`: whose function it is. */
	apiVariables(region = [...this.#regions.keys()][0] ?? ""): Record<string, string> {
		const regions = [...this.#regions.values()].map(({ region: name, variables: its }) => ({
			region: name,
			callsTable: its["CALLS_TABLE"],
			dialQueueUrl: its["DIAL_QUEUE_URL"],
			commandQueuePrefix: its["COMMAND_QUEUE_PREFIX"],
			livekitUrl: its["LIVEKIT_URL"],
			countries: ["*"],
		}));
		return {
			...this.region(region).variables,
			AWS_REGION: region,
			REGIONS: JSON.stringify(regions),
			API_KEYS: JSON.stringify({ key: { secret: SECRET, projectId: "project" } }),
			LOG_LEVEL: "error",
		};
	}

	get regions(): FleetRegion[] {
		return [...this.#regions.values()];
	}

	/** Ends every node that is left, then what they stood on. */
	async close(): Promise<void> {
		await Promise.all(this.nodes.map((node) => node.kill()));
		vi.unstubAllEnvs();
		await this.#close();
	}
}

type Line = Record<string, unknown>;

export class FleetNode {
	readonly lines: Line[] = [];
	readonly region: string;
	/** first and last */
	readonly rtpPorts: readonly [number, number];
	readonly #child: ChildProcess;
	#stderr = "";
	/** undefined: it runs */
	exitCode: number | null | undefined;

	constructor(variables: Record<string, string>) {
		this.region = variables["REGION"] ?? "";
		const [first = 0, end = 0] = (variables["RTP_PORT_RANGE"] ?? "").split("-").map(Number);
		this.rtpPorts = [first, end];
		this.#child = spawn(process.execPath, [MAIN], { env: variables, stdio: ["ignore", "pipe", "pipe"] });
		let rest = "";
		this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
			const lines = (rest + text).split("\n");
			rest = lines.pop() ?? "";
			this.lines.push(...lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as Line));
		});
		this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
		this.#child.on("close", (code) => (this.exitCode = code));
	}

	async ready(): Promise<void> {
		await vi.waitUntil(() => this.line("ready") !== undefined || this.exitCode !== undefined, { timeout: 60_000, interval: 20 });
		if (this.line("ready") === undefined) throw new Error(`the node did not start: ${this.#stderr}`);
	}

	line(message: string): Line | undefined {
		return this.lines.find(({ msg }) => msg === message);
	}

	get nodeId(): string {
		return String(this.line("ready")?.["nodeId"]);
	}

	get sipPort(): number {
		return Number(this.line("ready")?.["sipPort"]);
	}

	uri(user: string): string {
		return `sip:${user}@127.0.0.1:${this.sipPort}`;
	}

	/** of /ready */
	async readiness(): Promise<number> {
		return (await fetch(`http://127.0.0.1:${String(this.line("ready")?.["healthPort"])}/ready`)).status;
	}

	/** of /ready: calls, RTP ports, dialogs; undefined when the process is gone */
	async stats(): Promise<{ calls: number; rtpPorts: number; legs: number } | undefined> {
		if (this.exitCode !== undefined) return undefined;
		const response = await fetch(`http://127.0.0.1:${String(this.line("ready")?.["healthPort"])}/ready`);
		return (await response.json()) as { calls: number; rtpPorts: number; legs: number };
	}

	/** of /metrics: a count since its start */
	async count(name: string): Promise<number> {
		const text = await (await fetch(`http://127.0.0.1:${String(this.line("ready")?.["healthPort"])}/metrics`)).text();
		const value = text
			.split("\n")
			.find((line) => line.startsWith(`trunkline_${name} `))
			?.split(" ")[1];
		if (value === undefined) throw new Error(`/metrics has no ${name}`);
		return Number(value);
	}

	signal(signal: "SIGTERM" | "SIGSTOP" | "SIGCONT"): void {
		this.#child.kill(signal);
	}

	/** Without a word, as a host that fails. */
	async kill(): Promise<void> {
		if (this.exitCode !== undefined) return;
		const closed = once(this.#child, "close");
		this.#child.kill("SIGKILL");
		await closed;
	}

	async exited(): Promise<number | null> {
		await vi.waitUntil(() => this.exitCode !== undefined, { timeout: 60_000, interval: 20 });
		return this.exitCode ?? null;
	}
}

/** Answers as KMS does, but that what it has sealed is as readable as before. */
async function startKeys() {
	const http = createServer((request, response) => {
		let body = "";
		request.setEncoding("utf8").on("data", (text: string) => (body += text));
		request.on("end", () => {
			const { Plaintext, CiphertextBlob } = JSON.parse(body) as Record<string, unknown>;
			response.writeHead(200, { "content-type": "application/x-amz-json-1.1" });
			response.end(JSON.stringify(Plaintext === undefined ? { Plaintext: CiphertextBlob } : { CiphertextBlob: Plaintext }));
		});
	});
	http.listen(0, "127.0.0.1");
	await once(http, "listening");
	return {
		endpoint: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
		box: {
			seal: async (plain: string) => Buffer.from(plain).toString("base64url"),
			open: async (sealed: string) => Buffer.from(sealed, "base64url").toString(),
		},
		close: async () => {
			http.closeAllConnections();
			http.close();
		},
	};
}

async function startRooms(): Promise<{ server: RoomServer; url: string; close(): Promise<void> }> {
	const server = new RoomServer({ apiKeys: { key: SECRET } });
	const http = createServer((request, response) => {
		if (!server.handleHttp(request, response)) response.writeHead(404).end();
	});
	http.on("upgrade", (request, socket, head) => {
		if (!server.handleUpgrade(request, socket, head)) socket.destroy();
	});
	http.listen(0, "127.0.0.1");
	await once(http, "listening");
	return {
		server,
		url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
		close: async () => {
			await server.close();
			http.closeAllConnections();
			http.close();
		},
	};
}
