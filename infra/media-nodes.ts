import { PROJECT } from "./api.ts";
import { writesObjects } from "./buckets.ts";
import { PORTS, RTP_PORTS } from "./network.ts";
import { policyOf, receivesFrom, sendsTo, type Statement, usesKeyThrough } from "./permissions.ts";
import { commandQueuePrefix, commandQueues } from "./queues.ts";
import type { SecretName } from "./secret-names.ts";
import { parametersIn, type Secrets, versionIn } from "./secrets.ts";
import type { StageSettings } from "./settings.ts";
import { usesCalls, usesConfig } from "./tables.ts";
import type { LogGroup, MediaNodes, Place, RegionData, RegionKeys } from "./types.ts";

/** Fargate's longest, from SIGTERM to SIGKILL. */
const STOP_SECONDS = 120;
/** Less than that by what hanging up and closing takes: the node says so itself. */
const DRAIN_SECONDS = 100;
const GRACE_SECONDS = 60;
/** AWS retires tasks some days after it has told, whatever runs on them: a node goes by itself before, when it has no calls. */
const MAX_AGE_HOURS = 72;
const SECRETS: readonly SecretName[] = ["LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "NONCE_SECRET"];

export interface MediaNodesInput {
	data: RegionData;
	/** PEER_REGIONS */
	peers: $util.Output<string>;
	configTable: sst.aws.Dynamo;
	keys: RegionKeys;
	secrets: Secrets;
	settings: StageSettings;
}

/** The region's media nodes: a Fargate service on ARM, in public subnets, behind the SIP load balancer. */
export function mediaNodes(input: MediaNodesInput): MediaNodes {
	const { data, settings } = input;
	const { network, place, loadBalancer } = data;
	const { opts, suffix } = place;
	const name = `Media${suffix}`;
	const cluster = new sst.aws.Cluster(
		`Cluster${suffix}`,
		{
			vpc: {
				id: network.vpcId,
				securityGroups: [network.nodeGroup.id],
				containerSubnets: network.publicSubnets.map(({ id }) => id),
				loadBalancerSubnets: network.publicSubnets.map(({ id }) => id),
			},
		},
		opts,
	);
	const logGroup = logGroupOf(place);
	const service = new sst.aws.Service(
		name,
		{
			cluster,
			architecture: "arm64",
			cpu: `${settings.nodes.vcpu} vCPU` as const,
			memory: `${settings.nodes.memoryGb} GB` as const,
			image: { context: ".", dockerfile: "media-node/Dockerfile" },
			environment: environmentOf(input),
			ssm: secretsOf(input),
			logging: { name: logGroup.name },
			scaling: { min: settings.nodes.min, max: settings.nodes.max, cpuUtilization: false, memoryUtilization: false },
			// A deployment ends when its nodes are there, not when the last call on an old one is over.
			wait: false,
			transform: {
				taskRole: (args) => {
					args.inlinePolicies = [{ name: "own", policy: policyOf(nodeStatements(input, cluster)) }];
				},
				executionRole: (args) => {
					args.managedPolicyArns = [];
					args.inlinePolicies = [{ name: "own", policy: policyOf(startStatements(input, logGroup)) }];
				},
				taskDefinition: (args) => {
					args.containerDefinitions = $util
						.all([args.containerDefinitions, versionIn(input.secrets, place)])
						.apply(([json, version]) => containerFrom(json ?? "[]", version));
					args.volumes = [{ name: SCRATCH }];
				},
				logGroup: (args) => {
					args.retentionInDays = settings.keepLogsDays;
				},
				service: (args, own) => {
					args.networkConfiguration = {
						subnets: network.publicSubnets.map(({ id }) => id),
						securityGroups: [network.nodeGroup.id],
						assignPublicIp: true,
					};
					args.loadBalancers = loadBalancer.ways.map(({ targetGroup, containerPort }) => ({
						targetGroupArn: targetGroup.arn,
						containerName: name,
						containerPort,
					}));
					args.deploymentMinimumHealthyPercent = 100;
					args.deploymentMaximumPercent = 200;
					args.healthCheckGracePeriodSeconds = GRACE_SECONDS;
					// It stops tasks to move them: calls would end for the balance of zones.
					args.availabilityZoneRebalancing = "DISABLED";
					// A shell on a node would be a second way to everything that it may do.
					args.enableExecuteCommand = false;
					args.propagateTags = "SERVICE";
					own.dependsOn = [...network.connected, ...loadBalancer.ways.map(({ listener }) => listener)];
					// The autoscaler's: a deployment must not shrink the fleet to its least.
					own.ignoreChanges = ["desiredCount"];
				},
			},
		},
		opts,
	);
	return { cluster, service, logGroup, callsPerNode: settings.nodes.calls, leastNodes: settings.nodes.min };
}

/** SST makes it with the service; the name is ours, so that the rest is known before. */
function logGroupOf({ region, opts }: Place): LogGroup {
	const name = `/${$app.name}/${$app.stage}/media-node`;
	const { accountId } = aws.getCallerIdentityOutput({}, opts);
	const { partition } = aws.getPartitionOutput({}, opts);
	return { name, arn: $interpolate`arn:${partition}:logs:${region}:${accountId}:log-group:${name}` };
}

/** As media-node reads it: test/infra compares the two lists. */
function environmentOf({ data, peers, configTable, keys, settings }: MediaNodesInput): Record<string, $util.Input<string>> {
	const { place, callsTable, dial, recordings, traces } = data;
	return {
		STAGE: $app.stage,
		REGION: place.region,
		VPC_ID: data.network.vpcId,
		PEER_REGIONS: peers,
		PROJECT_ID: PROJECT,
		PROJECTS_KMS_KEY: keys.projects.arn,
		CONFIG_TABLE: configTable.name,
		CALLS_TABLE: callsTable.name,
		DIAL_QUEUE_URL: dial.queue.url,
		DIAL_DEAD_LETTER_URL: dial.deadLetters.url,
		COMMAND_QUEUE_PREFIX: commandQueuePrefix(),
		RECORDINGS_BUCKET: recordings.name,
		RECORDINGS_KMS_KEY: keys.data.arn,
		TRACES_BUCKET: traces.name,
		TRACES_RETENTION: String(settings.traces.keepDays),
		TRACE_NUMBERS: settings.traces.numbers,
		MAX_CALLS: String(settings.nodes.calls),
		DRAIN_SECONDS: String(DRAIN_SECONDS),
		SIP_PORT: String(PORTS.sip),
		RELAY_PORT: String(PORTS.relay),
		NODE_MAX_AGE_HOURS: String(MAX_AGE_HOURS),
		SIP_BALANCED_TCP_PORT: String(PORTS.balancedTcp),
		HEALTH_PORT: String(PORTS.health),
		RTP_PORT_RANGE: `${RTP_PORTS.first}-${RTP_PORTS.last}`,
		...(settings.sip.tlsSecrets === undefined ? {} : { SIP_TLS_PORT: String(PORTS.tls) }),
	};
}

/** By the name of the variable: where ECS gets its value from when a task starts. */
function secretsOf({ data, secrets, settings }: MediaNodesInput): Record<string, $util.Input<string>> {
	const parameters = parametersIn(secrets, data.place);
	const own = Object.fromEntries(SECRETS.map((name) => [name, parameters[name]]));
	const tls = settings.sip.tlsSecrets?.[data.place.region];
	return tls === undefined ? own : { ...own, SIP_TLS_CERT: `${tls}:certificate::`, SIP_TLS_KEY: `${tls}:key::` };
}

/** What a node may do. */
function nodeStatements({ data, configTable, keys }: MediaNodesInput, cluster: sst.aws.Cluster): Statement[] {
	const { place, callsTable, dial, recordings, traces } = data;
	const tasks = cluster.nodes.cluster.arn.apply((arn) => arn.replace(":cluster/", ":task/"));
	return [
		...usesConfig(configTable, place, keys.data, "read"),
		...usesCalls(callsTable),
		receivesFrom(dial.queue.arn),
		sendsTo(dial.deadLetters.arn),
		commandQueues(dial.queue, [
			"sqs:CreateQueue",
			"sqs:TagQueue",
			"sqs:DeleteQueue",
			"sqs:ReceiveMessage",
			"sqs:DeleteMessage",
			"sqs:ChangeMessageVisibility",
			"sqs:SendMessage",
		]),
		...writesObjects(recordings, place, keys.data),
		...writesObjects(traces, place, keys.data),
		{ actions: ["kms:Decrypt"], resources: [keys.projects.arn] },
		// Its own protection while it has calls. Ids of tasks come and go, so this is as near as a policy gets.
		{ actions: ["ecs:GetTaskProtection", "ecs:UpdateTaskProtection"], resources: [$interpolate`${tasks}/*`] },
		// Its own public address, which is in nothing else that it can ask. EC2 knows no resources for this action.
		{ actions: ["ec2:DescribeNetworkInterfaces"], resources: ["*"] },
	];
}

/** What ECS may do to start one: the image, the log, the secrets. */
function startStatements({ data, secrets, keys, settings }: MediaNodesInput, logGroup: LogGroup): Statement[] {
	const { place } = data;
	const { accountId } = aws.getCallerIdentityOutput({}, place.opts);
	const { partition } = aws.getPartitionOutput({}, place.opts);
	const parameters = parametersIn(secrets, place);
	const tls = settings.sip.tlsSecrets?.[place.region];
	return [
		// SST's repository of images, one in each region.
		{
			actions: ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
			resources: [$interpolate`arn:${partition}:ecr:${place.region}:${accountId}:repository/sst-asset`],
		},
		// ECR knows no resources for this action.
		{ actions: ["ecr:GetAuthorizationToken"], resources: ["*"] },
		{ actions: ["logs:CreateLogStream", "logs:PutLogEvents"], resources: [$interpolate`${logGroup.arn}:*`] },
		{ actions: ["ssm:GetParameters"], resources: SECRETS.map((name) => parameters[name]) },
		usesKeyThrough("ssm", place.region, keys.data),
		...(tls === undefined ? [] : [{ actions: ["secretsmanager:GetSecretValue"], resources: [tls] }]),
	];
}

/** The one place that a node writes files to: recordings until S3 has them. Everything else of its file system is read-only. */
const SCRATCH = "scratch";

interface ContainerDefinition {
	environment?: { name: string }[];
	logConfiguration: { options: Record<string, string> };
	linuxParameters?: Record<string, unknown>;
	[name: string]: unknown;
}

/** What SST has no argument for. */
function containerFrom(json: string, secretsVersion: string): string {
	const definitions = JSON.parse(json) as ContainerDefinition[];
	// Another label is another revision of the task: ECS replaces the nodes, which read the secrets when they start.
	const dockerLabels = { "trunkline.secrets": secretsVersion };
	return JSON.stringify(definitions.map((definition) => ({ ...hardened(definition), dockerLabels })));
}

function hardened(definition: ContainerDefinition): ContainerDefinition {
	const ports = [
		{ containerPort: PORTS.sip, protocol: "udp" },
		{ containerPort: PORTS.balancedTcp, protocol: "tcp" },
		{ containerPort: PORTS.tls, protocol: "tcp" },
		{ containerPort: PORTS.health, protocol: "tcp" },
	];
	return {
		...definition,
		// SST tells its own run time of the app, which nobody here uses.
		environment: definition.environment?.filter(({ name }) => !name.startsWith("SST_")),
		stopTimeout: STOP_SECONDS,
		// A terminal would put a carriage return into every line of the log.
		pseudoTerminal: false,
		portMappings: ports,
		readonlyRootFilesystem: true,
		mountPoints: [{ sourceVolume: SCRATCH, containerPath: "/tmp", readOnly: false }],
		ulimits: [{ name: "nofile", softLimit: 65_536, hardLimit: 65_536 }],
		linuxParameters: { ...definition.linuxParameters, capabilities: { drop: ["ALL"] } },
		healthCheck: {
			command: [
				"CMD",
				"node",
				"-e",
				`fetch("http://127.0.0.1:${PORTS.health}/healthz").then((r)=>process.exit(r.ok?0:1),()=>process.exit(1))`,
			],
			interval: 30,
			timeout: 5,
			retries: 3,
			startPeriod: 20,
		},
		logConfiguration: {
			...definition.logConfiguration,
			// A log that is slow must not stop calls; what does not fit is lost.
			options: { ...definition.logConfiguration.options, "awslogs-stream-prefix": "node", mode: "non-blocking", "max-buffer-size": "8m" },
		},
	};
}
