import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, inject, it } from "vitest";
import { type Graph, graphOf, type Resource, ROOT, SECRET_VALUES } from "./graph.ts";
import { RULES } from "./rules.ts";

const missing = inject("sstMissing");

/** Each rule sees what it is for: a graph with one thing wrong in it. */
describe.skipIf(missing !== "")(`a graph with something wrong in it (${missing || "is told from a good one"})`, () => {
	let good: Graph;
	beforeAll(async () => {
		good = await graphOf("dev", { regions: ["eu-west-1", "us-east-1"] });
	});

	const found = (graph: Graph, type: string, name: RegExp): Resource => {
		const resource = graph.resources.find((one) => one.type === `aws:${type}` && name.test(one.name));
		if (resource === undefined) throw new Error(`no ${type} ${String(name)}`);
		return resource;
	};
	const statement = (graph: Graph, role: RegExp, add: unknown): void => {
		const { inputs } = found(graph, "iam/role:Role", role);
		inputs["inlinePolicies"] = [...(inputs["inlinePolicies"] as unknown[]), { policy: JSON.stringify({ Statement: [add] }) }];
	};

	it.each<[rule: string, what: string, breakIt: (graph: Graph) => void, finding: RegExp]>([
		[
			"everything is in the region that its name says",
			"a queue in the wrong region",
			(graph) => (found(graph, "sqs/queue:Queue", /^DialUsEast1/).region = "eu-west-1"),
			/DialUsEast1Queue is in eu-west-1/,
		],
		[
			"every region has the same",
			"a region without its bus",
			(graph) => graph.resources.splice(graph.resources.indexOf(found(graph, "cloudwatch/eventBus:EventBus", /UsEast1/)), 1),
			/us-east-1 has no .*EventBus/,
		],
		[
			"every queue has a dead letter",
			"a dial queue without one",
			(graph) => delete found(graph, "sqs/queue:Queue", /^DialUsEast1/).inputs["redrivePolicy"],
			/DialUsEast1Queue has no dead letter/,
		],
		[
			"every queue has a dead letter",
			"a stream whose failures go nowhere",
			(graph) => delete found(graph, "lambda/eventSourceMapping:EventSourceMapping", /^EventsOfCalls/).inputs["destinationConfig"],
			/EventsOfCalls\w+ has no destination/,
		],
		[
			"nothing is public but what must be",
			"health checks for everybody",
			(graph) =>
				(found(graph, "ec2/securityGroup:SecurityGroup", /^NodeGroup/).inputs["ingress"] as unknown[]).push({
					protocol: "tcp",
					fromPort: 8080,
					toPort: 8080,
					cidrBlocks: ["0.0.0.0/0"],
				}),
			/NodeGroup\w+ is open on tcp 8080-8080/,
		],
		[
			"nothing is public but what must be",
			"a bucket that could be published",
			(graph) => (found(graph, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", /^Recordings/).inputs["blockPublicPolicy"] = false),
			/Recordings\w+ can be made public/,
		],
		[
			"nothing is public but what must be",
			"a shell on nodes",
			(graph) => (found(graph, "ecs/service:Service", /./).inputs["enableExecuteCommand"] = true),
			/has a shell/,
		],
		[
			"no role has a wildcard of ours",
			"all of DynamoDB",
			(graph) => statement(graph, /^ApiEuWest1/, { actions: ["dynamodb:*"], resources: ["arn:aws:dynamodb:eu-west-1:1:table/t"] }),
			/ApiEuWest1Role may dynamodb:\*/,
		],
		[
			"no role has a wildcard of ours",
			"every queue",
			(graph) => statement(graph, /^MediaEuWest1Task/, { actions: ["sqs:SendMessage"], resources: ["*"] }),
			/MediaEuWest1TaskRole may sqs:SendMessage on \*/,
		],
		[
			"no role has a wildcard of ours",
			"a policy of AWS's",
			(graph) => (found(graph, "iam/role:Role", /^Sweep/).inputs["managedPolicyArns"] = ["arn:aws:iam::aws:policy/PowerUserAccess"]),
			/SweepEuWest1Role has .*PowerUserAccess/,
		],
		[
			"one role for each function and fleet",
			"two functions with one role",
			(graph) =>
				(found(graph, "lambda/function:Function", /^SweepEuWest1/).inputs["role"] = found(
					graph,
					"lambda/function:Function",
					/^EventsEuWest1/,
				).inputs["role"]),
			/SweepEuWest1Function has the role of EventsEuWest1Function/,
		],
		[
			"secrets are secrets",
			"an API secret in an environment",
			(graph) =>
				(found(graph, "lambda/function:Function", /^Api/).inputs["environment"] = {
					variables: { LIVEKIT_API_SECRET: SECRET_VALUES["LivekitApiSecret"] },
				}),
			/ApiEuWest1Function has LivekitApiSecret/,
		],
		[
			"secrets are secrets",
			"a parameter that the state has in clear",
			(graph) => (found(graph, "ssm/parameter:Parameter", /^NonceSecret/).secrets = []),
			/NonceSecretEuWest1 has NonceSecret in clear/,
		],
		[
			"everything at rest is encrypted",
			"a config table with AWS's key",
			(graph) => delete found(graph, "dynamodb/table:Table", /^ConfigTable/).inputs["serverSideEncryption"],
			/ConfigTable has SIP passwords/,
		],
		[
			"alarms tell somebody",
			"an alarm that tells nobody",
			(graph) => (found(graph, "cloudwatch/metricAlarm:MetricAlarm", /./).inputs["alarmActions"] = []),
			/tells nobody/,
		],
	])("%s: %s", (rule, _, breakIt, finding) => {
		expect(RULES[rule]?.(good)).toEqual([]);
		const graph = structuredClone(good);
		breakIt(graph);
		expect(RULES[rule]?.(graph).join("\n")).toMatch(finding);
	});

	it("every rule has a graph that breaks it", () => {
		const source = readFileSync(import.meta.filename, "utf8");
		for (const rule of Object.keys(RULES)) expect(source).toContain(`"${rule}",\n`);
	});
});

describe.skipIf(missing !== "")(`sources with something wrong in them (${missing || "do not get through"})`, () => {
	let root: string;
	beforeEach(() => {
		root = mkdtempSync(join(tmpdir(), "trunkline-broken-"));
		for (const name of ["packages", "node_modules", "functions", "media-node"]) symlinkSync(join(ROOT, name), join(root, name));
		mkdirSync(join(root, ".sst"));
		symlinkSync(join(ROOT, ".sst/platform"), join(root, ".sst/platform"));
		cpSync(join(ROOT, ".sst/provider-lock.json"), join(root, ".sst/provider-lock.json"));
		cpSync(join(ROOT, "sst.config.ts"), join(root, "sst.config.ts"));
		cpSync(join(ROOT, "infra"), join(root, "infra"), { recursive: true });
	});
	afterEach(() => rmSync(root, { recursive: true }));
	const edit = (file: string, from: string, to: string): void => {
		const text = readFileSync(join(root, file), "utf8");
		if (!text.includes(from)) throw new Error(`${file} has no ${from}`);
		writeFileSync(join(root, file), text.replaceAll(from, to));
	};

	it("a component without its region's provider is at home", async () => {
		edit("infra/main.ts", "new sst.aws.Bus(`Bus${place.suffix}`, {}, place.opts)", "new sst.aws.Bus(`Bus${place.suffix}`)");
		const graph = await graphOf("dev", { regions: ["eu-west-1", "us-east-1"] }, root);
		expect(RULES["everything is in the region that its name says"]?.(graph)).toEqual([
			"aws:cloudwatch/eventBus:EventBus BusUsEast1Bus is in eu-west-1",
		]);
	});

	it("a parameter that anybody in the account can read is none for a secret", async () => {
		edit("infra/secrets.ts", 'type: "SecureString"', 'type: "String"');
		const graph = await graphOf("dev", {}, root);
		expect(RULES["secrets are secrets"]?.(graph)).toContain("LivekitApiSecretUsEast1 has LivekitApiSecret in clear");
	});

	it("two components of one name, and a stage that cannot be, end in words", async () => {
		edit("infra/queues.ts", "`DialDead${suffix}`", "`Dial${suffix}`");
		await expect(graphOf("dev", {}, root)).rejects.toThrow(/DialUsEast1 is not unique/);
		await expect(graphOf("dev", { regions: ["moon-1"] })).rejects.toThrow(/is no AWS region/);
	});
});
