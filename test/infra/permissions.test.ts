import { readFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { FUNCTIONS } from "../../infra/bundle.ts";
import { all, type Graph, graphOf, one, ROOT } from "./graph.ts";

const missing = inject("sstMissing");

/** Each program with its role. */
const PROGRAMS = {
	node: { entry: "media-node/src/main.ts", role: "MediaUsEast1TaskRole" },
	api: { entry: FUNCTIONS.api, role: "ApiEuWest1Role" },
	events: { entry: FUNCTIONS.events, role: "EventsUsEast1Role" },
	sweep: { entry: FUNCTIONS.sweep, role: "SweepUsEast1Role" },
	deadLetters: { entry: FUNCTIONS.deadLetters, role: "DeadLettersUsEast1Role" },
};
type Program = keyof typeof PROGRAMS;
const NAMES = Object.keys(PROGRAMS) as Program[];

const SERVICES: Record<string, string> = { eventbridge: "events" };
/** Commands whose action has another name: https://docs.aws.amazon.com/service-authorization/latest/reference */
const ACTIONS: Record<string, string[]> = {
	"dynamodb:TransactWriteItems": ["dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:ConditionCheckItem"],
	"s3:CreateMultipartUpload": ["s3:PutObject"],
	"s3:UploadPart": ["s3:PutObject"],
	"s3:CompleteMultipartUpload": ["s3:PutObject"],
};

/** In the program's bundle and never asked for by it: a class comes with all of its methods. */
const NEVER_ASKED: Partial<Record<Program, Record<string, string>>> = {
	node: { "s3:GetObject": "the API reads traces", "kms:Encrypt": "the API seals projects' secrets" },
	api: {
		"s3:PutObject": "nodes write traces",
		"sqs:ReceiveMessage": "the API sends alone",
		"sqs:DeleteMessage": "the API sends alone",
		"sqs:ChangeMessageVisibility": "the API sends alone",
	},
	events: { "kms:Encrypt": "the API seals projects' secrets" },
	sweep: { "kms:Encrypt": "the API seals projects' secrets" },
};

/** Asked for by AWS in the role's name, or without a command of the SDK. */
const WITHOUT_COMMAND: Partial<Record<Program, Record<string, string>>> = {
	node: {
		"ecs:GetTaskProtection": "by ECS' agent",
		"ecs:UpdateTaskProtection": "by ECS' agent",
		"sqs:TagQueue": "CreateQueue with tags",
		"sqs:GetQueueAttributes": "belongs to reading a queue",
	},
	api: { "s3:ListBucket": "or what is not there would be forbidden" },
	events: {
		"dynamodb:DescribeStream": "the event source",
		"dynamodb:GetRecords": "the event source",
		"dynamodb:GetShardIterator": "the event source",
		"dynamodb:ListStreams": "the event source",
		"sqs:SendMessage": "what the event source gives up",
	},
	deadLetters: {
		"sqs:ReceiveMessage": "the event source",
		"sqs:DeleteMessage": "the event source",
		"sqs:ChangeMessageVisibility": "the event source",
		"sqs:GetQueueAttributes": "the event source",
		"dynamodb:DeleteItem": "what may be done with calls is said once for all",
		"dynamodb:ConditionCheckItem": "what may be done with calls is said once for all",
	},
};
/** Of every function; a node's log is written by what starts it. */
const LOGS = ["logs:CreateLogStream", "logs:PutLogEvents"];

interface Statement {
	actions: string[];
	resources: string[];
	conditions?: { variable: string; values: string[] }[];
}

describe.skipIf(missing !== "")(`permissions (${missing || "of each program"})`, () => {
	let graph: Graph;
	const asked = new Map<Program, Set<string>>();
	beforeAll(async () => {
		graph = await graphOf("dev", { regions: ["eu-west-1", "us-east-1"] });
		for (const name of NAMES) asked.set(name, await actionsOf(PROGRAMS[name].entry));
	});

	describe.each(NAMES)("%s", (name) => {
		it("may do what its code asks for, and nothing else", () => {
			const wanted = [...(asked.get(name) ?? [])];
			const may = actionsIn(statementsOf(graph, PROGRAMS[name].role));
			const never = Object.keys(NEVER_ASKED[name] ?? {});
			const others = [...Object.keys(WITHOUT_COMMAND[name] ?? {}), ...(name === "node" ? [] : LOGS)];
			expect({
				denied: wanted.filter((action) => !may.has(action) && !never.includes(action)),
				unused: [...may].filter((action) => !wanted.includes(action) && !others.includes(action)),
				superfluous: [
					...never.filter((action) => !wanted.includes(action)),
					...others.filter((action) => wanted.includes(action) || !may.has(action)),
				],
			}).toEqual({ denied: [], unused: [], superfluous: [] });
		});
	});

	it("whoever reaches into a bucket or a table with a key of ours may use the key, in its own region", () => {
		const keyed = new Map<string, { service: string; key: string; region: string }>();
		for (const { inputs, region } of all(graph, "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")) {
			const [rule] = inputs["rules"] as { applyServerSideEncryptionByDefault: { kmsMasterKeyId: string } }[];
			const key = rule?.applyServerSideEncryptionByDefault.kmsMasterKeyId ?? "";
			keyed.set(`arn:aws:s3:::${String(inputs["bucket"])}`, { service: "s3", key, region });
		}
		const config = one(graph, "dynamodb/table:Table", "ConfigTable");
		const { kmsKeyArn } = config.inputs["serverSideEncryption"] as { kmsKeyArn: string };
		keyed.set(config.arn ?? "", { service: "dynamodb", key: kmsKeyArn, region: config.region });
		for (const { regionName, kmsKeyArn: key } of config.inputs["replicas"] as { regionName: string; kmsKeyArn: string }[])
			keyed.set((config.arn ?? "").replace(config.region, regionName), { service: "dynamodb", key, region: regionName });
		for (const { name, arn } of all(graph, "ssm/parameter:Parameter")) expect([name, arn]).toEqual([name, expect.any(String)]);

		const denied = all(graph, "iam/role:Role").flatMap((role) => {
			const statements = statementsOf(graph, role.name);
			const reached = new Set(
				statements.flatMap(({ resources }) => resources.map((resource) => resource.replace(/\/(\*|index\/.*)$/, ""))),
			);
			return [...keyed]
				.filter(([arn]) => reached.has(arn))
				.filter(([, { service, key, region }]) => !statements.some((statement) => usesKey(statement, { service, key, region })))
				.map(([arn]) => `${role.name} may not use the key of ${arn}`);
		});
		expect(keyed.size).toBe(6);
		expect(denied).toEqual([]);
	});

	it("functions may read each parameter that they ask for when they start: SSM refuses all for one", () => {
		for (const [name, entry] of Object.entries(FUNCTIONS)) {
			const text = readFileSync(join(ROOT, entry), "utf8");
			if (!text.includes("withSecrets(")) continue;
			const wanted = [...text.matchAll(/"([A-Z][A-Z\d]*(?:_[A-Z\d]+)+)"/g)].map(([, parameter = ""]) => parameter);
			expect(wanted.length).toBeGreaterThan(1);
			const { role } = PROGRAMS[name as Program];
			const region = role.includes("EuWest1") ? "eu-west-1" : "us-east-1";
			const may = statementsOf(graph, role)
				.filter(({ actions }) => actions.includes("ssm:GetParameters"))
				.flatMap(({ resources }) => resources);
			expect(may.sort()).toEqual(
				wanted.map((parameter) => `arn:aws:ssm:${region}:123456789012:parameter/trunkline/dev/${parameter}`).sort(),
			);
		}
	});

	it("the API's policy has room for eight regions", async () => {
		const regions = [
			"eu-west-1",
			"us-east-1",
			"ap-southeast-1",
			"ap-southeast-2",
			"ap-northeast-1",
			"eu-central-1",
			"us-west-2",
			"sa-east-1",
		];
		const graph = await graphOf("a-stage-of-20-letter", { regions });
		const policies = one(graph, "iam/role:Role", "ApiEuWest1Role").inputs["inlinePolicies"] as { policy: string }[];
		// IAM counts all inline policies of a role together, without white space. What mocks write as names is about 12 characters shorter than AWS's.
		const tables = policies.map(({ policy }) => policy.match(/arn:aws:/g)?.length ?? 0).reduce((sum, count) => sum + count, 0);
		expect(policies.reduce((sum, { policy }) => sum + policy.length, 0) + 12 * tables).toBeLessThan(10_240);
	});
});

/** Actions of all commands of the AWS SDK that are left in the program once what nobody calls is shaken off. */
async function actionsOf(entry: string): Promise<Set<string>> {
	const { outputFiles } = await build({
		entryPoints: [join(ROOT, entry)],
		absWorkingDir: ROOT,
		bundle: true,
		write: false,
		treeShaking: true,
		platform: "node",
		format: "esm",
		target: "es2024",
		external: ["@aws-sdk/*", "*.node"],
		loader: { ".wasm": "empty", ".bin": "empty" },
		logLevel: "silent",
	});
	const text = outputFiles[0]?.text ?? "";
	const used = new Set([...text.matchAll(/\bnew (\w+)\(/g)].map(([, name = ""]) => name));
	const commands = [...text.matchAll(/import\s*\{([^}]*)\}\s*from\s*"@aws-sdk\/client-([a-z\d]+)"/g)].flatMap(
		([, names = "", client = ""]) =>
			[...names.matchAll(/(\w+)Command\b(?:\s+as\s+(\w+))?/g)]
				.filter(([, name = "", alias]) => used.has(alias ?? `${name}Command`))
				.map(([, name = ""]) => `${SERVICES[client] ?? client}:${name}`),
	);
	expect(commands.length).toBeGreaterThan(0);
	return new Set(commands.flatMap((command) => ACTIONS[command] ?? [command]));
}

function statementsOf(graph: Graph, role: string): Statement[] {
	const policies = (one(graph, "iam/role:Role", role).inputs["inlinePolicies"] ?? []) as { policy: string }[];
	return policies.flatMap(({ policy }) => (JSON.parse(policy) as { Statement: Statement[] }).Statement);
}

/** Without what a service does with a key for the role. */
function actionsIn(statements: Statement[]): Set<string> {
	return new Set(statements.filter(({ conditions = [] }) => conditions.length === 0).flatMap(({ actions }) => actions));
}

function usesKey(
	{ actions, resources, conditions = [] }: Statement,
	{ service, key, region }: { service: string; key: string; region: string },
): boolean {
	const via = conditions.find(({ variable }) => variable === "kms:ViaService")?.values ?? [];
	return actions.includes("kms:Decrypt") && resources.includes(key) && via.includes(`${service}.${region}.amazonaws.com`);
}
