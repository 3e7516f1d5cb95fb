// The functions from their built artefacts, each in a bare process, with events as AWS sends them, on the embedded emulators.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
	CreateSIPParticipantRequest,
	ListSIPInboundTrunkRequest,
	ListSIPInboundTrunkResponse,
	SIPParticipantInfo,
} from "@livekit/protocol";
import type { CallRecord } from "@trunkline/contracts";
import { startEmbeddedDynamo, startEmbeddedSqs } from "@trunkline/emulators";
import { createSqsClient, ensureQueues, SqsDialQueue } from "@trunkline/queue";
import { createDynamoClient, createTables, DynamoCallStore, DynamoEventOutbox, DynamoWebhookStore } from "@trunkline/store";
import { callRecord } from "@trunkline/testkit";
import { AccessToken, type SIPGrant } from "livekit-server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildFunctions } from "../../scripts/build-functions.mjs";
import { FUNCTIONS } from "../../infra/bundle.ts";
import { functionEnvironment } from "./environment.ts";
import { type Answer, type AwsRequest, awsService, httpEvent, Lambda, recordedEvent } from "./lambda.ts";

const SECRET = "a secret of sufficient length";
const LIST = "/twirp/livekit.SIP/ListSIPInboundTrunk";
const DIAL = "/twirp/livekit.SIP/CreateSIPParticipant";

let cloud: Awaited<ReturnType<typeof startCloud>>;
let files: Map<string, string>;
const folder = mkdtempSync(join(tmpdir(), "trunkline-lambda-"));
const closing: (() => unknown)[] = [];

beforeAll(async () => {
	cloud = await startCloud();
	files = new Map((await buildFunctions(folder)).map(({ name, file }) => [name, file]));
});
afterEach(async () => {
	for (let close = closing.pop(); close !== undefined; close = closing.pop()) await close();
});
afterAll(async () => {
	await cloud.close();
	rmSync(folder, { recursive: true, force: true });
});

async function startCloud() {
	const [dynamo, sqs] = await Promise.all([startEmbeddedDynamo(), startEmbeddedSqs()]);
	const client = createDynamoClient({ region: "eu-west-1", endpoint: dynamo.endpoint });
	const sqsClient = createSqsClient({ region: "eu-west-1", endpoint: sqs.endpoint });
	await createTables(client, { config: "config", calls: "calls" });
	const { url } = await ensureQueues(sqsClient, { name: "dial" });
	const dialUrl = sqs.endpoint + new URL(url).pathname;
	return {
		environment: {
			AWS_ENDPOINT_URL_DYNAMODB: dynamo.endpoint,
			AWS_ENDPOINT_URL_SQS: sqs.endpoint,
			DIAL_QUEUE_URL: dialUrl,
			COMMAND_QUEUE_URL_PREFIX: dialUrl.replace(/dial$/, "commands-"),
		},
		calls: new DynamoCallStore({ client, table: "calls" }),
		outbox: new DynamoEventOutbox({ client, table: "calls" }),
		webhooks: new DynamoWebhookStore({ client, table: "config" }),
		dialQueue: new SqsDialQueue(sqsClient, { url }),
		close: async () => {
			client.destroy();
			sqsClient.destroy();
			await Promise.all([dynamo.close(), sqs.close()]);
		},
	};
}

async function start(name: string, changes: Record<string, string> = {}): Promise<Lambda> {
	const lambda = await Lambda.start(files.get(name) ?? name, functionEnvironment({ ...cloud.environment, ...changes }));
	closing.push(() => lambda.stop());
	return lambda;
}

async function headers(grant: SIPGrant, contentType = "application/json", secret = SECRET): Promise<Record<string, string>> {
	const token = new AccessToken("key", secret);
	token.addSIPGrant(grant);
	return { authorization: `Bearer ${await token.toJwt()}`, "content-type": contentType };
}

const bytesOf = ({ body, isBase64Encoded }: Answer): Uint8Array => Buffer.from(body, isBase64Encoded ? "base64" : "utf8");

/** Takes calls and says that their participants are in the room, as a media node does. */
async function answeringNode(): Promise<CallRecord[]> {
	const taken: CallRecord[] = [];
	let stopped = false;
	const run = (async () => {
		// A poll that was cut off might still take a message of the next test with it.
		while (!stopped) {
			for (const { message, ack } of await cloud.dialQueue.receive(10, 1_000)) {
				await ack();
				const now = Date.now();
				const call = await cloud.calls.claimCall(message.callId, "ND_1", now, now + 30_000);
				if (call === undefined) continue;
				taken.push(call);
				const change = { owner: "ND_1", at: now, event: "joining" } as const;
				await cloud.calls.transitionCall(call.callId, { ...change, from: ["claimed"], to: "joining", patch: { participantId: "PA_1" } });
			}
		}
	})();
	closing.push(() => {
		stopped = true;
		return run;
	});
	return taken;
}

describe.each(["function-url", "api-gateway"] as const)("the API, by %s", (source) => {
	it("has the console beside it, for whoever has a key; its files are read when somebody opens it", async () => {
		const api = await start("api", { CONSOLE_DIR: join(folder, "api/console") });
		const get = async (path: string, headers: Record<string, string> = {}) =>
			(await api.invoke(httpEvent(source, { method: "GET", path, headers }))) as Answer;
		const page = await get("/console/");
		expect(page).toMatchObject({ statusCode: 200, headers: { "content-type": "text/html; charset=utf-8" }, isBase64Encoded: false });
		expect(page.headers["content-security-policy"]).toContain("default-src 'none'");
		expect(page.body).toContain("app.js");
		expect(await get("/console")).toMatchObject({ statusCode: 302, headers: { location: "/console/" } });
		// No key in it, no telephone that calls whoever asks, and the rooms' own address.
		expect(JSON.parse((await get("/console/config.json")).body)).toEqual({ callMe: false, roomUrl: "wss://rooms.example.com" });
		const library = await get("/console/vendor/livekit-client.js");
		expect(library.headers["content-type"]).toMatch(/^text\/javascript/);
		expect(bytesOf(library).length).toBeGreaterThan(500_000);
		// What Lambda may answer with is 6 MB, in base64 too.
		expect(library.body.length).toBeLessThan(2_000_000);
		expect(await get("/console/vendor/livekit-client.js", { "if-none-match": library.headers["etag"] ?? "" })).toMatchObject({
			statusCode: 304,
		});
		expect(await get("/console/../secrets.ts")).toMatchObject({ statusCode: 404 });
		expect(await get("/healthz")).toMatchObject({ statusCode: 200 });
	});

	it("has no console where the stage wants none", async () => {
		const api = await start("api");
		expect(await api.invoke(httpEvent(source, { method: "GET", path: "/console/" }))).toMatchObject({ statusCode: 404 });
	});

	it("speaks Twirp in JSON and protobuf, and /v1; refuses who may not and what is too large", async () => {
		const api = await start("api");
		const admin = await headers({ admin: true });
		const ask = async (request: Parameters<typeof httpEvent>[1]) => (await api.invoke(httpEvent(source, request))) as Answer;

		expect(await ask({ method: "GET", path: "/healthz" })).toMatchObject({ statusCode: 200, body: '{"status":"ok"}' });
		const number = source === "function-url" ? "+15550101" : "+15550102";
		const trunk = { name: "Ünïcode", numbers: [number] };
		const create = { path: "/twirp/livekit.SIP/CreateSIPInboundTrunk", headers: admin, body: JSON.stringify({ trunk }) };
		expect(await ask(create)).toMatchObject({ statusCode: 200, headers: { "content-type": "application/json" } });

		const list = new ListSIPInboundTrunkRequest({ numbers: [number] }).toBinary();
		const binary = await ask({ path: LIST, headers: await headers({ admin: true }, "application/protobuf"), body: list });
		expect(binary).toMatchObject({ statusCode: 200, isBase64Encoded: true, headers: { "content-type": "application/protobuf" } });
		expect(ListSIPInboundTrunkResponse.fromBinary(bytesOf(binary)).items).toMatchObject([trunk]);

		const calls = await ask({ method: "GET", path: "/v1/calls", query: "state=live&limit=5", headers: admin });
		expect([calls.statusCode, JSON.parse(calls.body)]).toEqual([200, { calls: [] }]);
		expect(JSON.parse((await ask({ method: "GET", path: "/openapi.json" })).body)).toMatchObject({
			openapi: expect.stringMatching(/^3\.1/),
		});

		expect(
			await ask({ path: LIST, body: "{}", headers: await headers({ admin: true }, undefined, "another secret of this length") }),
		).toMatchObject({
			statusCode: 401,
			body: "invalid token, error: signature verification failed",
		});
		expect(await ask({ path: LIST, body: "{}", headers: { "content-type": "application/json" } })).toMatchObject({ statusCode: 401 });
		expect(await ask({ path: LIST, headers: admin, body: " ".repeat(512 * 1024 + 1) })).toMatchObject({
			statusCode: 400,
			body: expect.stringContaining("larger than 524288 bytes"),
		});
		expect(await ask({ path: "/twirp/livekit.SIP/Nothing", headers: admin, body: "{}" })).toMatchObject({ statusCode: 404 });
		expect(api.log.filter((line) => !line.includes('"_aws"'))).toEqual([]);
	});
});

it("every function starts from its bundle alone", async () => {
	for (const name of files.keys()) await (await start(name)).stop();
	expect([...files.keys()].sort()).toEqual(Object.keys(FUNCTIONS).sort());
});

describe("dialling from Lambda", () => {
	const request = (wait: boolean, trunkId: string) =>
		new CreateSIPParticipantRequest({ sipTrunkId: trunkId, sipCallTo: "+15550199", roomName: "lobby", waitUntilAnswered: wait });

	async function dial(api: Lambda, options: { wait: boolean; remainingMs?: number; trunkId: string }): Promise<Answer> {
		const body = request(options.wait, options.trunkId).toBinary();
		const event = httpEvent("function-url", { path: DIAL, headers: await headers({ call: true }, "application/protobuf"), body });
		return (await api.invoke(event, options.remainingMs)) as Answer;
	}
	async function trunk(api: Lambda): Promise<string> {
		const body = JSON.stringify({ trunk: { name: "out", address: "127.0.0.1", numbers: ["+15550100"] } });
		const event = httpEvent("function-url", {
			path: "/twirp/livekit.SIP/CreateSIPOutboundTrunk",
			headers: await headers({ admin: true }),
			body,
		});
		return (JSON.parse(((await api.invoke(event)) as Answer).body) as { sip_trunk_id: string }).sip_trunk_id;
	}

	it("goes by the queue, and answers with the participant", async () => {
		const api = await start("api");
		const taken = await answeringNode();
		const answer = await dial(api, { wait: false, trunkId: await trunk(api) });
		expect(answer.statusCode).toBe(200);
		const info = SIPParticipantInfo.fromBinary(bytesOf(answer));
		expect(taken).toMatchObject([{ callId: info.sipCallId, to: "+15550199", projectId: "project" }]);
		expect(info.participantId).toBe("PA_1");
	});

	it("a wait that Lambda would cut off is answered before, and says which call it was", async () => {
		const api = await start("api");
		const taken = await answeringNode();
		const trunkId = await trunk(api);
		const answer = await dial(api, { wait: true, remainingMs: 4_000, trunkId });
		expect([answer.statusCode, JSON.parse(answer.body)]).toEqual([
			expect.any(Number),
			expect.objectContaining({ code: "deadline_exceeded", meta: { sip_call_id: taken[0]?.callId } }),
		]);
		// It was not dialled yet, so it is not dialled any more.
		expect(await cloud.calls.getCall(taken[0]?.callId ?? "")).toMatchObject({ state: "cancelled" });
	});
});

describe("secrets", () => {
	const stored: Record<string, string> = { LIVEKIT_URL: "wss://rooms.example.com", LIVEKIT_API_KEY: "key", LIVEKIT_API_SECRET: SECRET };
	const PREFIX = "/trunkline/test/";
	const named = (parameters: Record<string, string>) => (asked: AwsRequest) => ({
		Parameters: (asked.body["Names"] as string[]).flatMap((Name) => {
			const Value = parameters[Name.slice(PREFIX.length)];
			return Value === undefined ? [] : [{ Name, Value, Type: "SecureString", Version: 1 }];
		}),
	});

	async function startWith(parameters: Record<string, string>, name = "api") {
		const ssm = await awsService(named(parameters));
		closing.push(() => ssm.close());
		const changes = {
			SECRETS_PREFIX: PREFIX,
			LIVEKIT_URL: "",
			LIVEKIT_API_KEY: "",
			LIVEKIT_API_SECRET: "",
			API_KEYS: "",
			AWS_ENDPOINT_URL_SSM: ssm.endpoint,
		};
		return { ssm, lambda: start(name, changes) };
	}

	it("are read once, decrypted, in one request", async () => {
		const { ssm, lambda } = await startWith(stored);
		const api = await lambda;
		for (let i = 0; i < 2; i++) {
			const event = httpEvent("function-url", { path: LIST, headers: await headers({ admin: true }), body: "{}" });
			expect(await api.invoke(event)).toMatchObject({ statusCode: 200 });
		}
		expect(ssm.requests).toHaveLength(1);
		expect(ssm.requests[0]?.target).toBe("AmazonSSM.GetParameters");
		expect(ssm.requests[0]?.body).toMatchObject({ WithDecryption: true, Names: expect.arrayContaining([`${PREFIX}LIVEKIT_API_SECRET`]) });
	});

	it("that are missing are named, each with its path, and no value is", async () => {
		const { lambda } = await startWith({ LIVEKIT_API_SECRET: SECRET });
		const error = await lambda.then(String, String);
		expect(error).toContain(`these secrets are not set: ${PREFIX}LIVEKIT_URL, ${PREFIX}LIVEKIT_API_KEY (SSM parameters)`);
		expect(error).not.toContain(SECRET);
	});

	it("the deliverer of events asks for no more than it needs", async () => {
		const { ssm, lambda } = await startWith(stored, "events");
		await lambda;
		expect(ssm.requests[0]?.body["Names"]).toEqual([`${PREFIX}LIVEKIT_API_KEY`, `${PREFIX}LIVEKIT_API_SECRET`]);
	});
});

describe("events", () => {
	it("go out when the stream tells of a call; what could not go stays for the schedule", async () => {
		let busIsUp = false;
		const bus = await awsService(() =>
			busIsUp ? { FailedEntryCount: 0, Entries: [{ EventId: "1" }] } : { FailedEntryCount: 1, Entries: [{ ErrorCode: "InternalFailure" }] },
		);
		closing.push(() => bus.close());
		// This machine is no target for webhooks in the cloud, whatever a project says.
		await cloud.webhooks.putWebhooks("project", { webhooks: [{ url: "https://127.0.0.1:1/", events: ["call.ended"] }] });
		closing.push(() => cloud.webhooks.putWebhooks("project", { webhooks: [] }));
		const events = await start("events", { EVENT_BUS: "bus", AWS_ENDPOINT_URL_EVENTBRIDGE: bus.endpoint, WEBHOOK_TARGETS: "private" });
		const call = callRecord({ callId: "SCL_streamed", createdAt: Date.now() });
		await cloud.calls.createCall(call);
		type Entry = { Source: string; DetailType: string; Detail: string };
		// Calls of other tests have events, too.
		const sent = () =>
			bus.requests.flatMap(({ body }) => body["Entries"] as Entry[]).filter(({ Detail }) => Detail.includes('"SCL_streamed"'));

		expect(await events.invoke(recordedEvent("stream"))).toBeNull();
		expect(sent()).toMatchObject([{ Source: "trunkline", DetailType: "call.started" }]);
		// The stream tells of that write, too: nothing is due, so nothing is sent and nothing written.
		await events.invoke(recordedEvent("stream"));
		expect(bus.requests).toHaveLength(1);

		busIsUp = true;
		await cloud.calls.endCall("SCL_streamed", Date.now(), { by: "api", reason: "cancelled" });
		await expect
			.poll(
				async () => {
					await events.invoke(recordedEvent("schedule"));
					return sent().map(({ DetailType }) => DetailType);
				},
				{ timeout: 10_000, interval: 200 },
			)
			.toEqual(["call.started", "call.started", "call.ended"]);
		const ids = sent().map(({ Detail }) => (JSON.parse(Detail) as { id: string }).id);
		expect(ids[0]).toBe(ids[1]);
		// The webhook has not had them: the call is still there for it.
		expect(await cloud.outbox.dueCalls(Date.now() + 600_000, 10)).toContain("SCL_streamed");
		expect(events.log.join("")).toContain("is this machine itself, which webhooks may not reach");
	});
});
