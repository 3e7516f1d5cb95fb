// What a version leaves in tables and queues and says to the world: recorded once for each version, read by those after it.
import type { CallRecord } from "@trunkline/contracts";
import { callEvents, type NodeRecord } from "@trunkline/domain";
import { callRecord, dialRequest } from "@trunkline/testkit";
import { createApp } from "@trunkline/functions";
import { AccessToken } from "livekit-server-sdk";
import { apiFromEnvironment } from "../../functions/src/wire.ts";
import { type Cloud, type Items, REGION, storedItems } from "./cloud.ts";

export const PROJECT = "project";
const UNLIMITED = { callsPerSecond: null, concurrentCalls: null, ringingCalls: null, minutesPerDay: null };
/** When all was recorded; expiry is far from it. */
export const RECORDED_AT = 1_790_000_000_000;
const EXPIRES = 4_000_000_000;

export interface Exchange {
	request: { method: string; path: string; body?: unknown };
	status: number;
	answer: unknown;
}

export interface Recording {
	items: Items;
	messages: { dial: string[]; commands: string[] };
	/** what was in the items, as this version's stores read them */
	read: unknown;
	events: unknown[];
	exchanges: Exchange[];
}

/** Ids that the API makes up, in the order of the requests that made them. */
const REQUESTS: readonly Exchange["request"][] = [
	sip("CreateSIPInboundTrunk", {
		trunk: {
			name: "inbound",
			metadata: "m",
			numbers: ["+15550100"],
			allowed_addresses: ["192.0.2.0/24"],
			auth_username: "user",
			auth_password: "a password",
			headers: { "X-A": "a" },
			headers_to_attributes: { "X-B": "b" },
			attributes_to_headers: { c: "X-C" },
			include_headers: "SIP_X_HEADERS",
			ringing_timeout: "20s",
			max_call_duration: "3600s",
			krisp_enabled: true,
			media_encryption: "SIP_MEDIA_ENCRYPT_ALLOW",
		},
	}),
	sip("CreateSIPOutboundTrunk", {
		trunk: {
			name: "outbound",
			address: "sip.example.com",
			transport: "SIP_TRANSPORT_TCP",
			numbers: ["+15550101"],
			auth_username: "user",
			auth_password: "a password",
			destination_country: "US",
			from_host: "example.com",
		},
	}),
	sip("CreateSIPDispatchRule", {
		dispatch_rule: {
			name: "rule",
			rule: { dispatch_rule_individual: { room_prefix: "call-", pin: "1234" } },
			trunk_ids: ["{{0}}"],
			attributes: { a: "b" },
			room_config: { name: "template", empty_timeout: 60, agents: [{ agent_name: "agent", metadata: "m" }] },
		},
	}),
	{
		method: "PUT",
		path: "/v1/trunks/{{1}}/settings",
		body: { provider: "telnyx", sessionTimer: { mode: "accept" } },
	},
	sip("UpdateSIPInboundTrunk", { sip_trunk_id: "{{0}}", update: { name: "renamed" } }),
	sip("ListSIPInboundTrunk", {}),
	sip("ListSIPOutboundTrunk", {}),
	sip("ListSIPDispatchRule", {}),
	sip("GetSIPOutboundTrunk", { sip_trunk_id: "{{1}}" }),
	{ method: "GET", path: "/v1/trunks/{{1}}/settings" },
	{ method: "PUT", path: "/v1/webhooks", body: { webhooks: [{ url: "https://example.com/hook", events: ["call.ended"] }] } },
	{ method: "GET", path: "/v1/webhooks" },
	{ method: "GET", path: "/v1/calls" },
	{ method: "GET", path: "/v1/calls/SCL_ended" },
	{ method: "POST", path: "/v1/explain", body: { from: "+15551111", to: "+15550100", source: "192.0.2.1" } },
	sip("GetSIPInboundTrunk", { sip_trunk_id: "ST_none" }),
	{ method: "GET", path: "/v1/calls/SCL_none" },
	{ method: "POST", path: "/v1/calls/SCL_queued/hangup" },
];

function sip(name: string, body: object): Exchange["request"] {
	return { method: "POST", path: `/twirp/livekit.SIP/${name}`, body };
}

/** Runs all of it against empty tables and queues. `now` of the cloud is RECORDED_AT. */
export async function record(cloud: Cloud): Promise<Recording> {
	const calls = await writeCalls(cloud);
	await writeNodes(cloud);
	const exchanges = await speak(cloud, REQUESTS);
	const items = await storedItems(cloud.client);
	const messages = await sendMessages(cloud);
	return { items, messages, read: await readAll(cloud, items), events: calls.flatMap((call) => callEvents(call, 0)), exchanges };
}

async function writeCalls(cloud: Cloud): Promise<CallRecord[]> {
	const base = { projectId: PROJECT, region: REGION, createdAt: RECORDED_AT, expiresAtSeconds: EXPIRES };
	const request = dialRequest({ authUsername: "user", authPassword: "a password", settings: { provider: "telnyx" }, displayName: "Anna" });
	for (const callId of ["SCL_queued", "SCL_waiting", "SCL_active"]) await cloud.calls.createCall(callRecord({ ...base, callId, request }));
	await cloud.calls.claimCall("SCL_active", "ND_1", RECORDED_AT, RECORDED_AT + 30_000);
	const active = { owner: "ND_1", at: RECORDED_AT };
	await cloud.calls.transitionCall("SCL_active", {
		...active,
		from: ["claimed"],
		to: "joining",
		event: "joining",
		patch: { participantId: "PA_1" },
	});
	await cloud.calls.transitionCall("SCL_active", {
		...active,
		from: ["joining"],
		to: "dialing",
		event: "dialing",
		patch: { sipCallId: "x@y" },
	});
	await cloud.calls.transitionCall("SCL_active", {
		...active,
		from: ["dialing"],
		to: "active",
		event: "answered",
		patch: { answeredAt: RECORDED_AT, media: { codec: "PCMU", srtp: "AES_CM_128_HMAC_SHA1_80" } },
	});

	const inbound = callRecord({ ...base, callId: "SCL_ended", direction: "inbound", state: "received", ruleId: "SDR_1" });
	const received = { ...inbound, timeline: [{ at: RECORDED_AT, event: "received" }] };
	delete received.request;
	await cloud.calls.createCall({ ...received, decision: [{ kind: "trunk", id: "ST_1", outcome: "selected" }] });
	const one = {
		packets: 500,
		lost: 1,
		late: 0,
		duplicates: 0,
		concealed: 1,
		jitterMs: 2,
		mos: 4.3,
		scores: { everyMs: 5_000, mos: [4.3] },
	};
	await cloud.calls.transitionCall("SCL_ended", {
		from: ["received"],
		to: "active",
		at: RECORDED_AT + 1,
		event: "answered",
		patch: { answeredAt: RECORDED_AT + 1 },
	});
	await cloud.calls.endCall(
		"SCL_ended",
		RECORDED_AT + 10_000,
		{ by: "peer", reason: "hangup", sipStatus: 200 },
		{
			media: {
				codec: "PCMA",
				packets: { received: 500, sent: 500, lost: 1, refused: 0, srtpErrors: 0 },
				quality: { uplink: one, downlink: one },
			},
			recording: { key: "project/SCL_ended.wav", startedAt: RECORDED_AT + 5, durationMs: 9_000, bytes: 1_000 },
		},
	);

	const transfer = { projectId: PROJECT, callId: "SCL_active", state: "requested", expiresAtSeconds: EXPIRES } as const;
	const refer = { transferTo: "tel:+15550199", playDialtone: true, headers: { "X-A": "a" }, ringingTimeoutMs: 30_000 };
	await cloud.transfers.createTransfer({ ...transfer, command: { transferId: "STR_requested", ...refer } });
	await cloud.transfers.createTransfer({ ...transfer, command: { transferId: "STR_over", destinationRoom: "other" } });
	await cloud.transfers.settleTransfer("STR_over", ["requested"], { status: "failed", reason: "unspecified", refused: "gone" });
	const events = await cloud.outbox.claimEvents("SCL_active", RECORDED_AT, RECORDED_AT + 1_000);
	if (events !== undefined)
		await cloud.outbox.settleEvents(events, { "event-bus": { delivered: 1, attempts: 2, nextAt: RECORDED_AT } }, RECORDED_AT);
	const admission = { callId: "SCL_active", limits: UNLIMITED, now: RECORDED_AT, leaseMs: 60_000, maxCallDurationMs: 3_600_000 };
	await cloud.limits.admit(PROJECT, admission);
	await cloud.owners.change("+15550100", async () => [
		{ projectId: PROJECT, trunkId: "ST_1", networks: ["192.0.2.0/24"], reservedUntil: 0 },
	]);
	const all = await Promise.all(["SCL_queued", "SCL_active", "SCL_ended"].map((callId) => cloud.calls.getCall(callId)));
	return all.filter((call) => call !== undefined);
}

async function writeNodes({ nodes }: Cloud): Promise<void> {
	const node: NodeRecord = {
		nodeId: "ND_1",
		region: REGION,
		build: "v1",
		deployedAt: RECORDED_AT,
		state: "ready",
		advertised: { address: "192.0.2.1", sipPort: 5060 },
		relay: { address: "10.0.0.1", port: 5070 },
		commandQueueUrl: "https://sqs.example/commands-ND_1",
		calls: 1,
		maxCalls: 100,
		lateMs: 1,
		cpuShare: 0.5,
		heartbeatAt: RECORDED_AT,
		expiresAtSeconds: EXPIRES,
	};
	await nodes.beat(node);
	await nodes.beat({ ...node, nodeId: "ND_2", state: "draining" });
	await nodes.beat({ ...node, nodeId: "ND_3", heartbeatAt: RECORDED_AT - 60_000 });
}

async function sendMessages(cloud: Cloud): Promise<Recording["messages"]> {
	const about = { projectId: PROJECT, callId: "SCL_queued" };
	await cloud.dialQueue.send({ version: 1, type: "dial", ...about, region: REGION, enqueuedAt: RECORDED_AT });
	await cloud.dialQueue.send({ version: 1, type: "dial", ...about, region: REGION, enqueuedAt: RECORDED_AT, requestId: "r1" });
	const command = { version: 1, ...about, nodeId: "ND_1", sentAt: RECORDED_AT } as const;
	await cloud.commandQueue.send({ ...command, type: "hangup", commandId: "c1" });
	await cloud.commandQueue.send({ ...command, type: "transfer", commandId: "STR_requested" });
	const [dial, commands] = [await cloud.bodies("dial"), await cloud.bodies("commands")];
	return { dial: dial.map(({ body }) => body), commands: commands.map(({ body }) => body) };
}

/** Everything that this version's stores find in tables with these items. */
export async function readAll(cloud: Cloud, items: Items): Promise<unknown> {
	const ids = (prefix: string, from: Items["calls"]) =>
		[...new Set(from.flatMap(({ pk, sk }) => [pk?.S ?? "", sk?.S ?? ""]).flatMap((key) => key.split("#")))]
			.filter((id) => id.startsWith(prefix))
			.sort();
	const each = async <T>(names: string[], read: (id: string) => Promise<T>) =>
		Object.fromEntries(await Promise.all(names.map(async (id) => [id, (await read(id)) ?? null] as const)));
	const read = {
		trunks: await each(ids("ST_", items.config), (id) => cloud.config.getTrunk(PROJECT, id)),
		rules: await each(ids("SDR_", items.config), (id) => cloud.config.getRule(PROJECT, id)),
		inbound: await cloud.config.inboundTrunksFor(PROJECT, "+15550100"),
		webhooks: await cloud.webhooks.getWebhooks(PROJECT),
		calls: await each(ids("SCL_", items.calls), (id) => cloud.calls.getCall(id)),
		live: (await cloud.calls.liveCallsInRoom(PROJECT, "lobby")).map(({ callId }) => callId).sort(),
		transfers: await each(ids("STR_", items.calls), (id) => cloud.transfers.getTransfer(id)),
		nodes: (await cloud.nodes.liveNodes(REGION, RECORDED_AT + 1_000)).sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)),
		deadNodes: await cloud.nodes.deadNodes(REGION, RECORDED_AT + 1_000),
		due: (await cloud.outbox.dueCalls(RECORDED_AT + 60_000, 100)).sort(),
	};
	return JSON.parse(JSON.stringify(read)) as unknown;
}

/** Says requests to this version's API, as it runs in the cloud; `{{n}}` is the id that the n-th of them made. */
export async function speak(cloud: Cloud, requests: readonly Exchange["request"][]): Promise<Exchange[]> {
	const app = createApp(apiOf(cloud));
	const token = new AccessToken("key", SECRET);
	token.addSIPGrant({ admin: true, call: true });
	const headers = { authorization: `Bearer ${await token.toJwt()}`, "content-type": "application/json" };
	const made: string[] = [];
	const exchanges: Exchange[] = [];
	for (const request of requests) {
		const filled = JSON.parse(
			JSON.stringify(request).replace(/\{\{(\d+)\}\}/g, (_, index: string) => made[Number(index)] ?? "missing"),
		) as Exchange["request"];
		const body = filled.body === undefined ? {} : { body: JSON.stringify(filled.body) };
		const response = await app.request(filled.path, { method: filled.method, headers, ...body });
		const text = await response.text();
		const answer: unknown = text === "" ? null : JSON.parse(text);
		const { sip_trunk_id, sip_dispatch_rule_id } = (answer ?? {}) as Record<string, string | undefined>;
		if (request.path.includes("/Create")) made.push(sip_trunk_id ?? sip_dispatch_rule_id ?? "");
		exchanges.push({ request, status: response.status, answer });
	}
	return exchanges;
}

const SECRET = "a secret of sufficient length for HS256";

function apiOf({ endpoints }: Cloud): ReturnType<typeof apiFromEnvironment> {
	// The clients read their endpoints there.
	Object.assign(process.env, {
		AWS_ENDPOINT_URL_DYNAMODB: endpoints.dynamo,
		AWS_ENDPOINT_URL_SQS: endpoints.sqs,
		AWS_ACCESS_KEY_ID: "local",
		AWS_SECRET_ACCESS_KEY: "local",
	});
	return apiFromEnvironment({
		AWS_REGION: REGION,
		CONFIG_TABLE: "config",
		CALLS_TABLE: "calls",
		DIAL_QUEUE_URL: endpoints.dialUrl,
		COMMAND_QUEUE_URL_PREFIX: endpoints.dialUrl.replace(/dial$/, "commands-"),
		LIVEKIT_URL: "ws://127.0.0.1:1",
		API_KEYS: JSON.stringify({ key: { secret: SECRET, projectId: PROJECT } }),
		LOG_LEVEL: "silent",
	});
}

/** Without what differs from run to run (ids that are made up, times), and without words for people, which are no promise. */
export function steady(value: unknown): unknown {
	const withoutWords = (key: string, inner: unknown): unknown => (FOR_PEOPLE.has(key) ? undefined : inner);
	const text = JSON.stringify(value, withoutWords)
		.replace(/\b(ST|SDR)_[0-9A-Za-z]{12}\b/g, "$1_made")
		.replace(/"20\d\d-\d\d-\d\dT[^"]*"/g, '"a time"')
		.replace(/(?<=:)1[789]\d{11}\b/g, '"a time"');
	return JSON.parse(text) as unknown;
}

const FOR_PEOPLE: ReadonlySet<string> = new Set(["text", "summary", "detail", "explanation"]);
