import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CALLS_TABLE, CALLS_TTL_ATTRIBUTE, CONFIG_TABLE } from "@trunkline/store";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { readRegions } from "../../functions/src/wire-regions.ts";
import { deadLettersFromEnvironment, sweepFromEnvironment } from "../../functions/src/wire-fleet.ts";
import { apiFromEnvironment, eventsFromEnvironment } from "../../functions/src/wire.ts";
import { readConfig } from "../../media-node/src/config.ts";
import { namesIn } from "./environment-names.ts";
import { all, type Graph, graphOf, one, ROOT, SECRET_VALUES } from "./graph.ts";

const missing = inject("sstMissing");

/** Known to the code and not set by infra/, each with its reason: a stage has what the code takes without it. */
const LEFT_OUT: Record<"node" | "functions", Record<string, string>> = {
	node: {
		AWS_REGION: "set by Fargate",
		ECS_AGENT_URI: "set by ECS",
		ECS_CONTAINER_METADATA_URI_V4: "set by ECS",
		STUN_SERVER: "EC2 knows the node's address",
		ADVERTISED_ADDRESS: "a node on Fargate finds its own",
		ADVERTISED_ADDRESS_6: "the load balancer's UDP has IPv4 alone",
		BUILT_IN_PROJECTS: "the one of PROJECT_ID is all there is",
		BUILD: "the revision of the task definition",
		NODE_HEARTBEAT_MS: "5 s",
		PROTECTED_DRAIN_MINUTES: "two hours",
		HOLD_MUSIC: "the image has none",
		LOG_LEVEL: "info",
		MEDIA_WORKERS: "one per core",
		NOISE_SUPPRESSOR_MODULE: "DTLN",
		PROMPTS_DIR: "the built-in ones",
		RECORDINGS_DIR: "below /tmp, which can be written to",
		RECORDINGS_PREFIX: "the bucket is the stage's own",
		ROOM_RECOVERY_SECONDS: "the default",
		ROOM_RELAYS: "when nothing else leads to the room",
		SIP_DNS_SERVERS: "the network's",
		SIP_HOST: "every address",
		SIP_MAX_CONNECTIONS: "the default",
		SIP_MAX_CONNECTIONS_PER_SOURCE: "the default",
		SIP_TLS_CA_FILE: "authorities that everybody trusts",
		SIP_TLS_CERT_FILE: "SIP_TLS_CERT, from Secrets Manager",
		SIP_TLS_KEY_FILE: "SIP_TLS_KEY, from Secrets Manager",
		SIP_TLS_CLIENT_CA_FILE: "no mutual TLS",
		SIP_TLS_CLIENT_DIR: "no mutual TLS",
		SIP_UNKNOWN_SOURCES: "auto",
		QUALITY_EVERY_SECONDS: "the default",
		STRICT_DISPATCH: "true",
		TRACES_DIR: "a bucket",
	},
	functions: {
		API_KEYS: "made of LiveKit's own key",
		AWS_REGION: "set by Lambda",
		LOG_LEVEL: "info",
		STRICT_DISPATCH: "true",
		WEBHOOK_TARGETS: "public",
		NONCE_SECRET: "for nodes alone",
	},
};

type Environment = Record<string, string>;

describe.skipIf(missing !== "")(`names (${missing || "of the graph and of the code"})`, () => {
	let graph: Graph;
	beforeAll(async () => {
		const regions = ["eu-west-1", "us-east-1"];
		const tlsSecrets = Object.fromEntries(
			regions.map((region) => [region, `arn:aws:secretsmanager:${region}:123456789012:secret:sip-abc`]),
		);
		graph = await graphOf("dev", {
			regions,
			sip: { tlsSecrets },
			countries: { "us-east-1": ["US", "CA"] },
			livekitUrls: { "us-east-1": "wss://us.example" },
			traces: { numbers: "masked" },
		});
	});

	it("a node's environment is what its code reads", () => {
		const { environment, secrets } = nodeEnvironment(graph, "UsEast1");
		expect(differences([...Object.keys(environment), ...Object.keys(secrets)], "node")).toEqual({ unread: [], unset: [], superfluous: [] });
	});

	it("the functions' environments are what their code reads", () => {
		const names = ["Api", "Events", "Sweep", "DeadLetters"].flatMap((name) => Object.keys(functionEnvironment(graph, `${name}EuWest1`)));
		const secrets = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "ADMIN_SECRET"];
		expect(differences([...new Set([...names, ...secrets])], "functions")).toEqual({ unread: [], unset: [], superfluous: [] });
	});

	it("a node starts with its environment", () => {
		const { environment, secrets } = nodeEnvironment(graph, "UsEast1");
		const pem = "-----BEGIN CERTIFICATE-----";
		const resolved = Object.entries(secrets).map(([name, from]) => [name, from.startsWith("arn:aws:ssm") ? secretOf(from) : pem]);
		const config = readConfig({
			AWS_REGION: "us-east-1",
			ADVERTISED_ADDRESS: "192.0.2.1",
			...environment,
			...Object.fromEntries(resolved),
		});
		expect(config).toMatchObject({
			region: "us-east-1",
			callsTable: one(graph, "dynamodb/table:Table", "CallsUsEast1Table").inputs["name"],
			configTable: one(graph, "dynamodb/table:Table", "ConfigTable").inputs["name"],
			commandQueuePrefix: "trunkline-dev-node-",
			livekit: { url: "wss://secret-livekit-url.invalid", apiKey: "secret-livekit-api-key" },
			rtpPortRange: [16_384, 32_767],
			maxCalls: 100,
			drainMs: 100_000,
			traces: { numbersMasked: true },
			peerRegions: [
				{ region: "eu-west-1", sipAddress: "192.0.2.1" },
				{ region: "us-east-1", sipAddress: "192.0.2.1", countries: ["US", "CA"] },
			],
		});
		expect(config.sip).toMatchObject({ balancedTcpPort: 5062, tls: { pair: { cert: pem, key: pem } } });
		expect(secrets["LIVEKIT_URL"]).toMatch(/^arn:aws:ssm:us-east-1:.*\/dev\/LIVEKIT_URL$/);
	});

	it("the API starts with its environment, and knows every region", () => {
		const environment = {
			AWS_REGION: "eu-west-1",
			...functionEnvironment(graph, "ApiEuWest1"),
			LIVEKIT_URL: "wss://rooms.example",
			ADMIN_SECRET: "a".repeat(40),
			API_KEYS: JSON.stringify({ key: { secret: "secret", projectId: "default" } }),
		};
		expect(apiFromEnvironment(environment).regions).toEqual(["eu-west-1", "us-east-1"]);
		const [home, other] = readRegions(environment) ?? [];
		expect(home?.dialQueueUrl).toMatch(/^https:\/\/sqs\.eu-west-1\.amazonaws\.com\/123456789012\/trunkline-dev-DialEuWest1Queue/);
		expect(other).toMatchObject({
			region: "us-east-1",
			callsTable: one(graph, "dynamodb/table:Table", "CallsUsEast1Table").inputs["name"],
			commandQueuePrefix: "trunkline-dev-node-",
			sipAddress: "192.0.2.1",
			countries: ["US", "CA"],
			livekitUrl: "wss://us.example",
			tracesBucket: one(graph, "s3/bucket:Bucket", "TracesUsEast1Bucket").inputs["bucket"],
		});
	});

	it("the API's environment has room for eight regions", () => {
		const environment = functionEnvironment(graph, "ApiEuWest1");
		const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
		const { REGIONS = "", ...others } = environment;
		// Lambda's limit of all variables together.
		expect(bytes(others) + 8 * (bytes(REGIONS) / 2 + 64)).toBeLessThan(4096);
	});

	it("the consumer of events starts with its environment", () => {
		const environment = functionEnvironment(graph, "EventsUsEast1");
		const given = {
			AWS_REGION: "us-east-1",
			...environment,
			API_KEYS: JSON.stringify({ key: { secret: "secret", projectId: "default" } }),
		};
		expect(() => eventsFromEnvironment(given)).not.toThrow();
	});

	it("the sweeper and the reader of dead letters start with theirs", () => {
		const livekit = { LIVEKIT_URL: "wss://rooms.example", LIVEKIT_API_KEY: "key", LIVEKIT_API_SECRET: "secret" };
		const environment = (name: string) => ({ AWS_REGION: "us-east-1", ...functionEnvironment(graph, `${name}UsEast1`) });
		expect(sweepFromEnvironment({ ...environment("Sweep"), ...livekit }).region).toBe("us-east-1");
		expect(() => deadLettersFromEnvironment(environment("DeadLetters"))).not.toThrow();
	});

	it("nodes, and the API for them, mean the same queues, and may use them", () => {
		const { environment } = nodeEnvironment(graph, "EuWest1");
		const prefix = functionEnvironment(graph, "ApiEuWest1")["COMMAND_QUEUE_URL_PREFIX"];
		expect(prefix).toBe(`https://sqs.eu-west-1.amazonaws.com/123456789012/${environment["COMMAND_QUEUE_PREFIX"]}`);
		const policy = JSON.stringify(one(graph, "iam/role:Role", "MediaEuWest1TaskRole").inputs["inlinePolicies"]);
		expect(policy).toContain(`arn:aws:sqs:eu-west-1:123456789012:${environment["COMMAND_QUEUE_PREFIX"]}*`);
	});

	it("every function's file is there, with a handler", () => {
		for (const [name, handler] of Object.entries(graph.handlers)) {
			const source = readFileSync(join(ROOT, handler.replace(/\.handler$/, ".ts")), "utf8");
			expect([name, /export const handler\b/.test(source)]).toEqual([name, true]);
		}
	});

	it("tables are the store's own", () => {
		const shape = (name: string) => {
			const { attributes, hashKey, rangeKey, globalSecondaryIndexes, ttl } = one(graph, "dynamodb/table:Table", name).inputs as {
				attributes: { name: string; type: string }[];
				hashKey: string;
				rangeKey: string;
				globalSecondaryIndexes: { name: string; hashKey: string; rangeKey: string; projectionType: string }[];
				ttl?: { attributeName: string; enabled: boolean };
			};
			return {
				AttributeDefinitions: attributes.map((one) => ({ AttributeName: one.name, AttributeType: one.type })),
				KeySchema: keys(hashKey, rangeKey),
				GlobalSecondaryIndexes: globalSecondaryIndexes.map((index) => ({
					IndexName: index.name,
					KeySchema: keys(index.hashKey, index.rangeKey),
					Projection: { ProjectionType: index.projectionType },
				})),
				ttl,
			};
		};
		expect(shape("CallsUsEast1Table")).toEqual({ ...CALLS_TABLE, ttl: { attributeName: CALLS_TTL_ATTRIBUTE, enabled: true } });
		expect(shape("ConfigTable")).toEqual({ ...CONFIG_TABLE, GlobalSecondaryIndexes: [], ttl: undefined });
	});

	it("roles may read every index of their calls table", () => {
		const table = one(graph, "dynamodb/table:Table", "CallsUsEast1Table");
		const policy = JSON.stringify(one(graph, "iam/role:Role", "MediaUsEast1TaskRole").inputs["inlinePolicies"]);
		expect(CALLS_TABLE.GlobalSecondaryIndexes?.length).toBeGreaterThan(0);
		expect(policy).toContain(`${table.arn}/index/*`);
	});

	it("no function or node of a region may touch what is in another, but for the API", () => {
		const elsewhere = all(graph, "iam/role:Role")
			.filter(({ name, region }) => !name.startsWith("Api") && region !== "eu-west-1")
			.filter(({ inputs }) => JSON.stringify(inputs["inlinePolicies"]).includes("eu-west-1"));
		expect(elsewhere.map(({ name }) => name)).toEqual([]);
	});
});

const keys = (hash: string, range: string) => [
	{ AttributeName: hash, KeyType: "HASH" },
	{ AttributeName: range, KeyType: "RANGE" },
];

/** What the code knows and the graph has not, and the other way round. */
function differences(
	given: readonly string[],
	program: "node" | "functions",
): { unread: string[]; unset: string[]; superfluous: string[] } {
	const known = namesIn(program);
	const leftOut = Object.keys(LEFT_OUT[program]);
	return {
		unread: given.filter((name) => !known.has(name)),
		unset: [...known].filter((name) => !given.includes(name) && !leftOut.includes(name)),
		superfluous: leftOut.filter((name) => given.includes(name) || !known.has(name)),
	};
}

function nodeEnvironment(graph: Graph, suffix: string): { environment: Environment; secrets: Environment } {
	const text = one(graph, "ecs/taskDefinition:TaskDefinition", `Media${suffix}Task`).inputs["containerDefinitions"] as string;
	const [container] = JSON.parse(text) as {
		environment: { name: string; value: string }[];
		secrets: { name: string; valueFrom: string }[];
	}[];
	return {
		environment: Object.fromEntries(container?.environment.map(({ name, value }) => [name, value]) ?? []),
		secrets: Object.fromEntries(container?.secrets.map(({ name, valueFrom }) => [name, valueFrom]) ?? []),
	};
}

function functionEnvironment(graph: Graph, name: string): Environment {
	return (one(graph, "lambda/function:Function", `${name}Function`).inputs["environment"] as { variables: Environment }).variables;
}

/** What ECS would put in: the value of the parameter with this ARN. */
function secretOf(arn: string): string {
	const name = arn.slice(arn.lastIndexOf("/") + 1);
	const secret = Object.keys(SECRET_VALUES).find((one) => one.replace(/(?<=.)([A-Z])/g, "_$1").toUpperCase() === name);
	return SECRET_VALUES[secret ?? ""] ?? "";
}
