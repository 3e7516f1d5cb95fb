import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { measureTone } from "@trunkline/audio";
import { newId } from "@trunkline/contracts";
import { startEmbeddedDynamo, startEmbeddedSqs } from "@trunkline/emulators";
import { type IncomingCall, Phone } from "@trunkline/phone";
import { createSqsClient, ensureQueues, SqsCommandQueue, SqsDialQueue } from "@trunkline/queue";
import { RoomServer } from "@trunkline/room-server";
import { createDynamoClient, createTables, DynamoCallStore, DynamoConfigStore } from "@trunkline/store";
import { callRecord, dialRequest, dispatchRule, inboundTrunk } from "@trunkline/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { settle } from "./tones.ts";

/** The entry of the container, as a process of its own: settings from the environment, probes, drain on SIGTERM. */
const MAIN = fileURLToPath(new URL("../../media-node/src/main.ts", import.meta.url));
const TABLES = { config: "config", calls: "calls" };
const NUMBER = "+15550100";

type LogLine = Record<string, unknown>;

let cloud: Awaited<ReturnType<typeof startCloud>>;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
	cloud = await startCloud();
	await cloud.configStore.createTrunk("project", inboundTrunk({ numbers: [NUMBER] }));
	await cloud.configStore.createRule("project", dispatchRule());
});
afterEach(async () => {
	for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close();
});
afterAll(() => cloud?.close());

/** DynamoDB, SQS and LiveKit, as far as the node can tell. */
async function startCloud() {
	const [dynamo, sqs] = await Promise.all([startEmbeddedDynamo(), startEmbeddedSqs()]);
	const dynamoClient = createDynamoClient({ region: "us-east-1", endpoint: dynamo.endpoint });
	const sqsClient = createSqsClient({ region: "us-east-1", endpoint: sqs.endpoint });
	await createTables(dynamoClient, TABLES);
	const { url } = await ensureQueues(sqsClient, { name: "dial" });
	const rooms = new RoomServer({ apiKeys: { key: "a-secret-of-the-room-server" } });
	const http = createServer((request, response) => {
		if (!rooms.handleHttp(request, response)) response.writeHead(404).end();
	});
	http.on("upgrade", (request, socket, head) => {
		if (!rooms.handleUpgrade(request, socket, head)) socket.destroy();
	});
	http.listen(0, "127.0.0.1");
	await once(http, "listening");
	const address = http.address();
	if (address === null || typeof address === "string") throw new Error("the room server has no port");
	const roomUrl = `ws://127.0.0.1:${address.port}`;
	const variables = {
		AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
		AWS_ENDPOINT_URL_SQS: sqs.endpoint,
		AWS_ACCESS_KEY_ID: "local",
		AWS_SECRET_ACCESS_KEY: "local",
		AWS_EC2_METADATA_DISABLED: "true",
		AWS_REGION: "us-east-1",
		REGION: "local",
		PROJECT_ID: "project",
		CONFIG_TABLE: TABLES.config,
		CALLS_TABLE: TABLES.calls,
		COMMAND_QUEUE_PREFIX: "commands-",
		// The client sends to the host of the queue's URL, and not every resolver knows names below localhost.
		DIAL_QUEUE_URL: sqs.endpoint + new URL(url).pathname,
		LIVEKIT_URL: roomUrl,
		LIVEKIT_API_KEY: "key",
		LIVEKIT_API_SECRET: "a-secret-of-the-room-server",
		SIP_HOST: "127.0.0.1",
		SIP_PORT: "0",
		HEALTH_PORT: "0",
		RTP_PORT_RANGE: "30000-30999",
		DRAIN_SECONDS: "2",
		LOG_LEVEL: "info",
	};
	return {
		variables,
		configStore: new DynamoConfigStore({ client: dynamoClient, table: TABLES.config }),
		callStore: new DynamoCallStore({ client: dynamoClient, table: TABLES.calls }),
		dialQueue: new SqsDialQueue(sqsClient, { url }),
		commandQueue: (nodeId: string) => new SqsCommandQueue(sqsClient, { url: url.replace(/dial$/, `commands-${nodeId}`) }),
		rooms,
		close: async (): Promise<void> => {
			await rooms.close();
			http.closeAllConnections();
			http.close();
			dynamoClient.destroy();
			sqsClient.destroy();
			await Promise.all([dynamo.close(), sqs.close()]);
		},
	};
}

/** The process, with what it logged. */
class NodeProcess {
	readonly lines: LogLine[] = [];
	stderr = "";
	exitCode: number | null | undefined;
	readonly #child: ChildProcess;

	constructor(variables: Record<string, string>) {
		this.#child = spawn(process.execPath, [MAIN], { env: variables, stdio: ["ignore", "pipe", "pipe"] });
		let rest = "";
		this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
			const lines = (rest + text).split("\n");
			rest = lines.pop() ?? "";
			for (const line of lines) this.lines.push(JSON.parse(line) as LogLine);
		});
		this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
		this.#child.on("close", (code) => (this.exitCode = code));
		closing.push(() => this.kill());
	}

	static async ready(changes: Record<string, string> = {}): Promise<NodeProcess> {
		const node = new NodeProcess({ ...cloud.variables, ...changes });
		await until(() => node.line("ready") !== undefined || node.exitCode !== undefined, "the node to be ready");
		if (node.line("ready") === undefined) throw new Error(`the node did not start: ${node.stderr}`);
		return node;
	}

	line(message: string): LogLine | undefined {
		return this.lines.find(({ msg }) => msg === message);
	}

	uri(user: string): string {
		return `sip:${user}@127.0.0.1:${String(this.line("ready")?.["sipPort"])}`;
	}

	async probe(path: string): Promise<{ status: number; body: unknown }> {
		const response = await fetch(`http://127.0.0.1:${String(this.line("ready")?.["healthPort"])}${path}`);
		return { status: response.status, body: await response.json() };
	}

	async text(path: string): Promise<string> {
		return (await fetch(`http://127.0.0.1:${String(this.line("ready")?.["healthPort"])}${path}`)).text();
	}

	signal(signal: "SIGTERM"): void {
		this.#child.kill(signal);
	}

	async exited(): Promise<number | null | undefined> {
		await until(() => this.exitCode !== undefined, "the node to exit");
		return this.exitCode;
	}

	async kill(): Promise<void> {
		if (this.exitCode !== undefined) return;
		this.#child.kill("SIGKILL");
		await this.exited();
	}
}

/** Another process has no clock of ours to wait on. */
async function until(condition: () => boolean, what: string, timeout = 15_000): Promise<void> {
	await vi.waitUntil(condition, { timeout, interval: 10 }).catch(() => {
		throw new Error(`waited ${timeout} ms in vain for ${what}`);
	});
}

async function phone(): Promise<Phone> {
	const opened = await Phone.open({ host: "127.0.0.1" });
	closing.push(() => opened.close());
	return opened;
}

describe("the media node as a process", () => {
	it("takes calls, dials, and on SIGTERM lets calls go on, refuses new ones, then hangs up and exits with 0", async () => {
		const node = await NodeProcess.ready({ STAGE: "test" });
		expect(await node.probe("/healthz")).toEqual({ status: 200, body: { status: "ok" } });
		expect(await node.probe("/ready")).toMatchObject({ status: 200, body: { status: "ready", calls: 0 } });

		// Two telephones in one room: each is somebody who hears the other.
		const anna = await (await phone()).call(node.uri(NUMBER), { from: "+15551111" });
		anna.tone(440, -20);
		const bert = await (await phone()).call(node.uri(NUMBER), { from: "+15552222" });
		bert.tone(1_000, -20);
		await Promise.all([anna.answered(), bert.answered()]);

		// And a third, which the node dials because a message in the queue says so.
		const callee = await phone();
		const callId = newId("SCL_", randomBytes);
		const request = dialRequest({ address: `127.0.0.1:${callee.port}`, roomName: "other", participantIdentity: "dialled" });
		await cloud.callStore.createCall(callRecord({ callId, createdAt: Date.now(), request, roomName: "other" }));
		const ringing = new Promise<IncomingCall>((resolve) => callee.onIncoming(resolve));
		await cloud.dialQueue.send({ version: 1, type: "dial", projectId: "project", callId, region: "local", enqueuedAt: Date.now() });
		const incoming = await ringing;
		await incoming.answer();
		await incoming.answered();

		await settle();
		anna.received.clear();
		bert.received.clear();
		await settle(1_000);
		// Who hears whom; how well is measured where nothing else is going on.
		const heard = ({ received }: { received: { pcm(): Int16Array } }, hz: number): boolean =>
			measureTone(received.pcm(), 8_000, hz).levelDb > -30;
		expect([heard(anna, 1_000), heard(anna, 440)]).toEqual([true, false]);
		expect([heard(bert, 440), heard(bert, 1_000)]).toEqual([true, false]);
		expect(await node.probe("/ready")).toMatchObject({ body: { calls: 3 } });
		expect(await node.text("/metrics")).toContain('\ntrunkline_call_answers_total{direction="inbound"} 2\n');

		node.signal("SIGTERM");
		await until(() => node.line("draining") !== undefined, "the drain");
		expect(await node.probe("/ready")).toMatchObject({ status: 503, body: { status: "draining", calls: 3 } });
		expect(await node.probe("/healthz")).toMatchObject({ status: 200 });
		const late = await (await phone()).call(node.uri(NUMBER), { from: "+15553333" });
		expect(await late.ended()).toMatchObject({ status: 503 });
		expect([anna.state, bert.state, incoming.state]).toEqual(["answered", "answered", "answered"]);

		for (const call of [anna, bert, incoming]) expect(await call.ended()).toMatchObject({ by: "remote" });
		expect(await node.exited()).toBe(0);
		expect(node.stderr).toBe("");
		expect(node.lines.filter(({ level }) => level === "error")).toEqual([]);
		expect(await cloud.callStore.getCall(callId)).toMatchObject({ state: "ended", end: { by: "node", reason: "shutdown" } });
		expect(node.lines.filter(({ msg }) => msg === "call ended").map(({ reason }) => reason)).toEqual(["shutdown", "shutdown", "shutdown"]);
		expect(await cloud.callStore.liveCallsInRoom("project", "lobby")).toEqual([]);
		expect(cloud.rooms.stats().participants).toBe(0);
		// The measurements, on the same output: whatever minutes the test was in, together they have every call.
		const measured = node.lines.filter((line) => "_aws" in line);
		expect(
			measured.every(({ Stage, Region, nodeId }) => Stage === "test" && Region === "local" && nodeId === node.line("ready")?.["nodeId"]),
		).toBe(true);
		const sum = (name: string): number => measured.reduce((total, line) => total + Number(line[name] ?? 0), 0);
		expect([sum("CallAttempts"), sum("CallAnswers"), sum("CallFailures"), sum("CallsTurnedAway")]).toEqual([3, 3, 3, 1]);
		// Whoever called is nobody's business who reads the log.
		expect(JSON.stringify(node.lines)).not.toMatch(/\+?1555\d{4}/);
	});

	it("without calls it exits at once", async () => {
		const node = await NodeProcess.ready({ DRAIN_SECONDS: "60" });
		const began = performance.now();
		node.signal("SIGTERM");
		expect(await node.exited()).toBe(0);
		expect(performance.now() - began).toBeLessThan(3_000);
	});

	it("a second signal hangs up without waiting", async () => {
		const node = await NodeProcess.ready({ DRAIN_SECONDS: "60" });
		const call = await (await phone()).call(node.uri(NUMBER), { from: "+15551111" });
		await until(() => call.state === "ringing", "ringing");
		node.signal("SIGTERM");
		await until(() => node.line("draining") !== undefined, "the drain");
		node.signal("SIGTERM");
		expect(await call.ended()).toMatchObject({ status: 503 });
		expect(await node.exited()).toBe(0);
	});

	it("a setting that is missing, or a port that is taken, is one line and exit code 1", async () => {
		const unset = new NodeProcess({ ...cloud.variables, PROJECT_ID: "" });
		expect(await unset.exited()).toBe(1);
		expect(unset.stderr).toBe("media-node: PROJECT_ID must be set\n");

		const first = await NodeProcess.ready();
		const port = String(first.line("ready")?.["sipPort"]);
		const second = new NodeProcess({ ...cloud.variables, SIP_PORT: port });
		expect(await second.exited()).toBe(1);
		expect(second.stderr).toBe(`media-node: SIP_PORT: bind EADDRINUSE 127.0.0.1:${port}\n`);
	});

	it("hangs up a call when its own queue says so, and its queue goes with it", async () => {
		const node = await NodeProcess.ready();
		const nodeId = String(node.line("ready")?.["nodeId"]);
		const call = await (await phone()).call(node.uri(NUMBER), { from: "+15551111" });
		let callId: string | undefined;
		await vi.waitUntil(async () => {
			const [record] = (await cloud.callStore.findCalls("project", { roomName: "lobby", states: ["ringing"], limit: 1 })).calls;
			callId = record?.callId;
			return callId !== undefined;
		});
		if (callId === undefined) throw new Error("no call");
		const command = { version: 1, type: "hangup", commandId: "c1", projectId: "project", callId, nodeId, sentAt: Date.now() } as const;
		await cloud.commandQueue(nodeId).send(command);
		expect(await call.ended()).toMatchObject({ status: 603 });
		node.signal("SIGTERM");
		expect(await node.exited()).toBe(0);
		expect(await cloud.callStore.getCall(callId)).toMatchObject({ state: "ended", end: { by: "api", reason: "declined" } });
		await expect(cloud.commandQueue(nodeId).send(command)).rejects.toMatchObject({ code: "unavailable" });
	});
});
