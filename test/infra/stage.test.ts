import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { consoleFiles } from "@trunkline/console";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { CONSOLE_DIR, CONSOLE_FILES } from "../../infra/bundle.ts";
import { all, type Graph, graphOf, one, ROOT } from "./graph.ts";
import { redriveOf, regionsOf, RULES } from "./rules.ts";

const missing = inject("sstMissing");
const THREE = ["eu-west-1", "us-east-1", "ap-south-1"];
const NETWORKS = ["192.0.2.0/24", "198.51.100.7/32"];
const OWN = {
	sip: {
		networks: NETWORKS,
		fixedOutboundAddresses: true,
		tlsSecrets: Object.fromEntries(THREE.map((region) => [region, `arn:aws:secretsmanager:${region}:123456789012:secret:sip-abc`])),
	},
	domain: { name: "api.example.com", zone: "example.com" },
	alarmEmail: "oncall@example.com",
	recordings: { keepDays: 0 },
};

const STAGES = {
	"a first stage, of one region": ["dev", {}],
	"two regions": ["dev", { regions: THREE.slice(0, 2) }],
	"production, of three regions": ["production", { regions: THREE }],
	"production, with everything that can be set": ["production", { regions: THREE, ...OWN }],
} as const;
type Name = keyof typeof STAGES;

describe.skipIf(missing !== "")(`the graph of a stage (${missing || "of sst.config.ts"})`, () => {
	const graphs = new Map<string, Graph>();
	beforeAll(async () => {
		for (const [name, [stage, settings]] of Object.entries(STAGES)) graphs.set(name, await graphOf(stage, settings));
	});
	const graphIn = (name: Name): Graph => {
		const graph = graphs.get(name);
		if (graph === undefined) throw new Error(`no graph of ${name}`);
		return graph;
	};

	describe.each(Object.keys(STAGES) as Name[])("%s", (name) => {
		it.each(Object.keys(RULES))("%s", (rule) => {
			expect(RULES[rule]?.(graphIn(name))).toEqual([]);
		});
	});

	it("has the regions of its settings, home first", () => {
		expect(regionsOf(graphIn("a first stage, of one region"))).toEqual(["us-east-1"]);
		expect(regionsOf(graphIn("two regions"))).toEqual(THREE.slice(0, 2));
		const graph = graphIn("production, of three regions");
		expect(regionsOf(graph)).toEqual(THREE);
		expect(graph.app.providers.aws.region).toBe("eu-west-1");
		for (const type of ["ecs/service:Service", "ec2/vpc:Vpc", "cloudwatch/eventBus:EventBus"])
			expect(all(graph, type).map(({ region }) => region)).toEqual(THREE);
		expect(Object.keys(graph.outputs["sip"] as object)).toEqual(THREE);
	});

	it("config has a copy in every other region, calls have none", () => {
		const graph = graphIn("production, of three regions");
		const { inputs, region } = one(graph, "dynamodb/table:Table", "ConfigTable");
		expect(region).toBe("eu-west-1");
		expect((inputs["replicas"] as { regionName: string }[]).map(({ regionName }) => regionName)).toEqual(THREE.slice(1));
		const calls = all(graph, "dynamodb/table:Table").filter(({ name }) => name.startsWith("Calls"));
		expect(calls.map((table) => table.region)).toEqual(THREE);
		expect(calls.map((table) => table.inputs["replicas"])).toEqual([undefined, undefined, undefined]);
		expect(one(graphIn("a first stage, of one region"), "dynamodb/table:Table", "ConfigTable").inputs["replicas"]).toBeUndefined();
	});

	it("production is retained, protected, and its tables can be taken back to any second", () => {
		const graph = graphIn("production, of three regions");
		expect(graph.app).toMatchObject({ removal: "retain", protect: true });
		for (const { inputs } of all(graph, "dynamodb/table:Table")) {
			expect(inputs["deletionProtectionEnabled"]).toBe(true);
			expect(inputs["pointInTimeRecovery"]).toMatchObject({ enabled: true });
			for (const replica of (inputs["replicas"] ?? []) as unknown[])
				expect(replica).toMatchObject({ pointInTimeRecovery: true, deletionProtectionEnabled: true });
		}
		for (const { inputs } of all(graph, "s3/bucket:Bucket")) expect(inputs["forceDestroy"]).toBe(false);
		for (const { inputs } of all(graph, "lb/loadBalancer:LoadBalancer")) expect(inputs["enableDeletionProtection"]).toBe(true);
	});

	it("a stage for trying out can be removed, and has one node in one zone", () => {
		const graph = graphIn("a first stage, of one region");
		expect(graph.app).toMatchObject({ removal: "remove", protect: false });
		for (const { inputs } of all(graph, "dynamodb/table:Table")) expect(inputs["deletionProtectionEnabled"]).toBe(false);
		expect(all(graph, "ec2/eip:Eip")).toHaveLength(1);
		expect(all(graph, "ec2/natGateway:NatGateway")).toHaveLength(0);
		expect(all(graph, "appautoscaling/target:Target").map(({ inputs }) => [inputs["minCapacity"], inputs["maxCapacity"]])).toEqual([
			[1, 20],
		]);
	});

	it("a dial is tried five times within its minutes, and dead letters are kept for two weeks", () => {
		const graph = graphIn("two regions");
		for (const suffix of ["EuWest1", "UsEast1"]) {
			const { inputs } = one(graph, "sqs/queue:Queue", `Dial${suffix}Queue`);
			expect(inputs).toMatchObject({ visibilityTimeoutSeconds: 30, messageRetentionSeconds: 300, receiveWaitTimeSeconds: 20 });
			const dead = one(graph, "sqs/queue:Queue", `DialDead${suffix}Queue`);
			expect(redriveOf(inputs)).toEqual({ deadLetterTargetArn: dead.arn, maxReceiveCount: 5 });
			expect(dead.inputs["messageRetentionSeconds"]).toBe(1_209_600);
		}
	});

	it("SIP comes by fixed addresses over UDP and TCP, with the carrier's own address, to nodes that are alive", () => {
		const graph = graphIn("two regions");
		const listeners = all(graph, "lb/listener:Listener").filter(({ region }) => region === "us-east-1");
		expect(listeners.map(({ inputs }) => [inputs["protocol"], inputs["port"]])).toEqual([
			["UDP", 5060],
			["TCP", 5060],
		]);
		const groups = all(graph, "lb/targetGroup:TargetGroup").filter(({ region }) => region === "us-east-1");
		expect(groups.map(({ inputs }) => inputs["port"])).toEqual([5060, 5062]);
		for (const { inputs } of groups)
			expect(inputs).toMatchObject({
				preserveClientIp: "true",
				targetType: "ip",
				healthCheck: { protocol: "HTTP", port: "8080", path: "/healthz", matcher: "200" },
			});
		const { inputs } = one(graph, "lb/loadBalancer:LoadBalancer", "SipUsEast1");
		expect(inputs["subnetMappings"]).toEqual([{ subnetId: "PublicUsEast11-id", allocationId: "eipalloc-SipAddressUsEast11" }]);
	});

	it("what has a public address comes after the way to the internet, and nodes after their load balancer", () => {
		const graph = graphIn("production, with everything that can be set");
		const gateway = (region: string) => all(graph, "ec2/internetGateway:InternetGateway").find((one) => one.region === region)?.name;
		for (const { name, region, after } of [...all(graph, "lb/loadBalancer:LoadBalancer"), ...all(graph, "ec2/natGateway:NatGateway")])
			expect([name, after]).toEqual([name, expect.arrayContaining([gateway(region)])]);
		const { after } = one(graph, "ecs/service:Service", "MediaUsEast1Service");
		expect(after).toEqual(
			expect.arrayContaining(["PublicRoutesOfUsEast11", "PublicRoutesOfUsEast12", "SipListenerUdpUsEast1", "SipListenerTcpUsEast1"]),
		);
	});

	it("zones are those that Fargate is in, and subnets stay where they are", () => {
		const graph = graphIn("production, with everything that can be set");
		const subnets = all(graph, "ec2/subnet:Subnet").filter(({ region }) => region === "us-east-1");
		expect(subnets.map(({ inputs }) => inputs["availabilityZone"])).toEqual(["us-east-1b", "us-east-1c", "us-east-1b", "us-east-1c"]);
		for (const { ignored } of subnets) expect(ignored).toEqual(["availabilityZone"]);
	});

	it("TLS is there where there is a certificate, and ends in the node", () => {
		const graph = graphIn("production, with everything that can be set");
		const tls = one(graph, "lb/listener:Listener", "SipListenerTlsEuWest1").inputs;
		expect(tls).toMatchObject({ protocol: "TCP", port: 5061 });
		const secrets = containerOf(graph, "EuWest1").secrets.map(({ name }) => name);
		expect(secrets).toEqual(expect.arrayContaining(["SIP_TLS_CERT", "SIP_TLS_KEY"]));
		expect(containerOf(graphIn("two regions"), "EuWest1").secrets.map(({ name }) => name)).not.toContain("SIP_TLS_CERT");
	});

	it("with networks of carriers SIP is theirs alone; RTP is not", () => {
		const graph = graphIn("production, with everything that can be set");
		for (const { name, inputs } of all(graph, "ec2/securityGroup:SecurityGroup").filter((group) => group.name !== "ApiGroup")) {
			const rules = inputs["ingress"] as { fromPort: number; cidrBlocks?: string[] }[];
			for (const { fromPort, cidrBlocks } of rules.filter((rule) => rule.cidrBlocks !== undefined))
				expect([name, fromPort, cidrBlocks]).toEqual([name, fromPort, fromPort === 16_384 ? ["0.0.0.0/0"] : NETWORKS]);
		}
	});

	it("with fixed addresses, carriers' networks and nothing else is reached through NAT", () => {
		const graph = graphIn("production, with everything that can be set");
		const { inputs } = one(graph, "ec2/routeTable:RouteTable", "PublicRoutesEuWest12");
		expect(inputs["routes"]).toEqual([
			{ cidrBlock: "0.0.0.0/0", gatewayId: "GatewayEuWest1-id" },
			...NETWORKS.map((cidrBlock) => ({ cidrBlock, natGatewayId: "NatGatewayEuWest12-id" })),
		]);
		expect(one(graph, "ec2/routeTable:RouteTable", "NatRoutesEuWest1").inputs["routes"]).toEqual([
			{ cidrBlock: "0.0.0.0/0", gatewayId: "GatewayEuWest1-id" },
		]);
		expect(Object.keys(graph.outputs["sipOutbound"] as object)).toEqual(THREE);
	});

	it("a node runs as ARM on Fargate, read-only but for /tmp, with two minutes to stop and no terminal", () => {
		const graph = graphIn("production, of three regions");
		const { inputs } = one(graph, "ecs/taskDefinition:TaskDefinition", "MediaUsEast1Task");
		expect(inputs).toMatchObject({
			runtimePlatform: { cpuArchitecture: "ARM64" },
			requiresCompatibilities: ["FARGATE"],
			cpu: "1024",
			memory: "2048",
		});
		expect(containerOf(graph, "UsEast1")).toMatchObject({
			stopTimeout: 120,
			pseudoTerminal: false,
			readonlyRootFilesystem: true,
			mountPoints: [{ sourceVolume: "scratch", containerPath: "/tmp", readOnly: false }],
			linuxParameters: { capabilities: { drop: ["ALL"] } },
			portMappings: [
				{ containerPort: 5060, protocol: "udp" },
				{ containerPort: 5062, protocol: "tcp" },
				{ containerPort: 5061, protocol: "tcp" },
				{ containerPort: 8080, protocol: "tcp" },
			],
			logConfiguration: { options: { "awslogs-group": "/trunkline/production/media-node", "awslogs-region": "us-east-1" } },
		});
		const service = one(graph, "ecs/service:Service", "MediaUsEast1Service").inputs;
		expect(service).toMatchObject({
			deploymentMinimumHealthyPercent: 100,
			deploymentMaximumPercent: 200,
			networkConfiguration: { assignPublicIp: true, securityGroups: ["NodeGroupUsEast1-id"] },
			desiredCount: 2,
		});
		expect((service["loadBalancers"] as { containerPort: number }[]).map(({ containerPort }) => containerPort)).toEqual([5060, 5062]);
	});

	it("the API waits as long as a dial does, and under its own name has no other way in", () => {
		const own = graphIn("production, with everything that can be set");
		expect(all(own, "lambda/functionUrl:FunctionUrl")).toEqual([]);
		expect(one(own, "lb/loadBalancer:LoadBalancer", "Api").inputs).toMatchObject({ loadBalancerType: "application", idleTimeout: 100 });
		expect(own.outputs["api"]).toBe("https://api.example.com");
		const graph = graphIn("two regions");
		expect(one(graph, "lambda/functionUrl:FunctionUrl", "ApiEuWest1Url").inputs).toMatchObject({ authorizationType: "NONE" });
		expect(one(graph, "lambda/function:Function", "ApiEuWest1Function").inputs).toMatchObject({ timeout: 90, architectures: ["arm64"] });
	});

	it("the console is there unless the stage says otherwise; a flood of the API is bounded where it says so", async () => {
		const apiOf = (graph: Graph) => one(graph, "lambda/function:Function", "ApiUsEast1Function").inputs;
		const first = apiOf(graphIn("a first stage, of one region"));
		expect((first["environment"] as { variables: object }).variables).toMatchObject({ CONSOLE_DIR: "/var/task/console" });
		// A new account has ten for all of its functions: none can be set aside.
		expect(first["reservedConcurrentExecutions"]).toBeUndefined();
		const other = apiOf(await graphOf("dev", { console: false, apiConcurrency: 50 }));
		expect((other["environment"] as { variables: object }).variables).not.toHaveProperty("CONSOLE_DIR");
		expect(other["reservedConcurrentExecutions"]).toBe(50);
	});

	it("the page beside the API's bundle is the one of packages/console, with its libraries", () => {
		const directory = mkdtempSync(join(tmpdir(), "trunkline-console-"));
		try {
			for (const { from, to } of CONSOLE_FILES) cpSync(join(ROOT, from), join(directory, to), { recursive: true });
			const etags = (files: ReturnType<typeof consoleFiles>) => [...files].map(([path, { etag, type }]) => [path, etag, type]).sort();
			expect(etags(consoleFiles(join(directory, "console")))).toEqual(etags(consoleFiles()));
			expect(CONSOLE_DIR).toBe("/var/task/console");
		} finally {
			rmSync(directory, { recursive: true });
		}
	});

	it("a secret that has changed makes new nodes and new processes of functions, and is in neither", () => {
		const graph = graphIn("two regions");
		// In the order of SECRETS: the third has its second value.
		expect(containerOf(graph, "UsEast1")["dockerLabels"]).toEqual({ "trunkline.secrets": "1.1.2.1.1" });
		for (const name of ["ApiEuWest1", "EventsUsEast1", "SweepUsEast1"])
			expect(one(graph, "lambda/function:Function", `${name}Function`).inputs["description"]).toMatch(/ \(secrets 1\.1\.2\.1\.1\)$/);
	});

	it("recordings are kept as long as the stage says", () => {
		const rules = (graph: Graph) =>
			all(graph, "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").map(({ name, inputs }) => [
				name,
				(inputs["rules"] as { expiration: { days: number } }[]).map(({ expiration }) => expiration.days),
			]);
		expect(rules(graphIn("a first stage, of one region"))).toEqual([
			["RecordingsUsEast1Lifecycle", [90]],
			["TracesUsEast1Lifecycle", [7]],
		]);
		expect(rules(graphIn("production, with everything that can be set")).map(([name]) => name)).toEqual([
			"TracesEuWest1Lifecycle",
			"TracesUsEast1Lifecycle",
			"TracesApSouth1Lifecycle",
		]);
	});
});

interface Container {
	secrets: { name: string; valueFrom: string }[];
	environment: { name: string; value: string }[];
	[name: string]: unknown;
}

function containerOf(graph: Graph, suffix: string): Container {
	const text = one(graph, "ecs/taskDefinition:TaskDefinition", `Media${suffix}Task`).inputs["containerDefinitions"] as string;
	const [container] = JSON.parse(text) as Container[];
	if (container === undefined) throw new Error("a task has a container");
	return container;
}
