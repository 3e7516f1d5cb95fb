import { all, type Graph, type Resource, SECRET_VALUES } from "./graph.ts";

/** What must hold for the graph of every stage, as findings in words: none is good. Tests break a graph on purpose to see each of them. */
export const RULES: Record<string, (graph: Graph) => string[]> = {
	"everything is in the region that its name says": inItsRegion,
	"every region has the same": sameInEveryRegion,
	"every queue has a dead letter": deadLetters,
	"nothing is public but what must be": nothingPublic,
	"no role has a wildcard of ours": noWildcards,
	"one role for each function and fleet": rolesApart,
	"secrets are secrets": secretsKept,
	"everything at rest is encrypted": encrypted,
	"alarms tell somebody": alarmsTell,
};

/** us-east-1 → UsEast1 */
const suffixOf = (region: string): string =>
	region
		.split("-")
		.map((part) => part.charAt(0).toUpperCase() + part.slice(1))
		.join("");

export function regionsOf({ resources }: Graph): string[] {
	return resources.filter(({ type }) => type === "pulumi:providers:aws").map(({ region }) => region);
}

function inItsRegion(graph: Graph): string[] {
	const home = graph.app.providers.aws.region;
	return graph.resources
		.filter(({ type }) => type.startsWith("aws:"))
		.flatMap(({ name, type, region }) => {
			const named = regionsOf(graph).find((one) => name.includes(suffixOf(one))) ?? home;
			return named === region ? [] : [`${type} ${name} is in ${region}`];
		});
}

/** Of what belongs to one region alone. The API, its domain and what has no region in its name are at home. */
function sameInEveryRegion(graph: Graph): string[] {
	const [home = "", ...others] = regionsOf(graph);
	const namesIn = (region: string): string[] =>
		graph.resources
			.filter(({ type, name, region: own }) => own === region && type.startsWith("aws:") && name.includes(suffixOf(region)))
			.map(({ type, name }) => `${type} ${name.replaceAll(suffixOf(region), "")}`)
			// Keys of other regions are copies of those at home, and the alarms of what the API does are where it is.
			.filter((name) => !/ (Api|AlarmApi|AlarmConfigTable|AlarmCallsNotClaimed|DataKey|ProjectsKey)/.test(name));
	const atHome = new Set(namesIn(home));
	return others.flatMap((region) => {
		const here = new Set(namesIn(region));
		return [
			...[...atHome].filter((name) => !here.has(name)).map((name) => `${region} has no ${name}`),
			...[...here].filter((name) => !atHome.has(name)).map((name) => `${home} has no ${name}`),
		];
	});
}

function deadLetters(graph: Graph): string[] {
	const ends = new Set([
		...all(graph, "sqs/queue:Queue").map(({ inputs }) => redriveOf(inputs)?.deadLetterTargetArn),
		...all(graph, "lambda/eventSourceMapping:EventSourceMapping").map(
			({ inputs }) => (inputs["destinationConfig"] as { onFailure?: { destinationArn?: string } } | undefined)?.onFailure?.destinationArn,
		),
	]);
	const streams = all(graph, "lambda/eventSourceMapping:EventSourceMapping")
		.filter(({ inputs }) => String(inputs["eventSourceArn"]).includes(":dynamodb:") && inputs["destinationConfig"] === undefined)
		.map(({ name }) => `${name} has no destination for what fails`);
	const queues = all(graph, "sqs/queue:Queue")
		.filter(({ arn, inputs }) => redriveOf(inputs) === undefined && !ends.has(arn))
		.map(({ name }) => `${name} has no dead letter, and is none`);
	return [...streams, ...queues];
}

export function redriveOf(inputs: Record<string, unknown>): { deadLetterTargetArn: string; maxReceiveCount: number } | undefined {
	const text = inputs["redrivePolicy"];
	return typeof text === "string" ? (JSON.parse(text) as { deadLetterTargetArn: string; maxReceiveCount: number }) : undefined;
}

interface Rule {
	description?: string;
	protocol: string;
	fromPort: number;
	toPort: number;
	cidrBlocks?: string[];
	self?: boolean;
	securityGroups?: string[];
}

/** Ports that may be open to everybody, by the group's name. SIP only where the stage names no networks of its carriers. */
const OPEN: Record<string, string[]> = {
	SipBalancerGroup: ["udp 5060-5060", "tcp 5060-5061"],
	NodeGroup: ["udp 5060-5060", "tcp 5060-5061", "udp 16384-32767"],
	ApiGroup: ["tcp 443-443"],
};

function nothingPublic(graph: Graph): string[] {
	return [
		...all(graph, "ec2/securityGroup:SecurityGroup").flatMap(({ name, inputs }) =>
			openPorts(inputs)
				.filter((ports) => !(Object.entries(OPEN).find(([group]) => name.startsWith(group))?.[1] ?? []).includes(ports))
				.map((ports) => `${name} is open on ${ports}`),
		),
		...all(graph, "ec2/defaultSecurityGroup:DefaultSecurityGroup")
			.filter(({ inputs }) => (inputs["ingress"] as unknown[]).length > 0)
			.map(({ name }) => `${name} lets something in`),
		...all(graph, "ec2/subnet:Subnet")
			.filter(({ inputs }) => inputs["mapPublicIpOnLaunch"] === true)
			.map(({ name }) => `${name} gives everything a public address`),
		...all(graph, "lb/loadBalancer:LoadBalancer")
			.filter(({ name, inputs }) => !/^(Sip[A-Z]|Api$)/.test(name) && inputs["internal"] !== true)
			.map(({ name }) => `${name} faces the internet`),
		...all(graph, "lambda/permission:Permission")
			.filter(({ name, inputs }) => inputs["principal"] === "*" && !/^Api\w+(PublicFunctionUrlAccess|InvokeFunction)$/.test(name))
			.map(({ name }) => `${name} lets everybody invoke a function`),
		...all(graph, "lambda/functionUrl:FunctionUrl")
			.filter(({ name }) => !name.startsWith("Api"))
			.map(({ name }) => `${name} is a way in`),
		...all(graph, "s3/bucket:Bucket")
			.filter((bucket) => !isBlocked(graph, bucket))
			.map(({ name }) => `${name} can be made public`),
		...all(graph, "ecs/service:Service")
			.filter(({ inputs }) => inputs["enableExecuteCommand"] !== false)
			.map(({ name }) => `${name} has a shell`),
	];
}

/** `udp 5060-5060` of each rule that lets everybody in. */
function openPorts(inputs: Record<string, unknown>): string[] {
	return ((inputs["ingress"] ?? []) as Rule[])
		.filter(({ cidrBlocks = [] }) => cidrBlocks.includes("0.0.0.0/0"))
		.map(({ protocol, fromPort, toPort }) => `${protocol} ${fromPort}-${toPort}`);
}

function isBlocked(graph: Graph, { name }: Resource): boolean {
	const block = all(graph, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock").find(
		(one) => one.name === name.replace(/Bucket$/, "PublicAccessBlock"),
	);
	return ["blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"].every((key) => block?.inputs[key] === true);
}

interface Statement {
	actions: string[];
	resources: string[];
}

/** Of a role; the pieces that SST gives by itself are not there, as every role has our own policy alone. */
function statementsOf({ inputs }: Resource): Statement[] {
	const policies = (inputs["inlinePolicies"] ?? []) as { policy: string }[];
	return policies.flatMap(({ policy }) => (JSON.parse(policy) as { Statement: Statement[] }).Statement);
}

/** AWS has no resources for these: https://docs.aws.amazon.com/service-authorization/latest/reference */
const WITHOUT_RESOURCES = ["ecr:GetAuthorizationToken", "ec2:DescribeNetworkInterfaces", "sqs:ListQueues"];
/** Names of what comes and goes end in a part that nobody knows before; each pattern begins with what is the stage's own. */
const PATTERNS = [
	/^arn:aws:sqs:[\w-]+:\d+:trunkline-[\w-]+-node-\*$/,
	/^arn:aws:ecs:[\w-]+:\d+:task\/[\w-]+\/\*$/,
	/^arn:aws:logs:[\w-]+:\d+:log-group:\/trunkline\/[\w-]+\/[\w-]+:\*$/,
	/^arn:aws:s3:::trunkline-[\w-]+-(recordings|traces)[\w-]+\/\*$/,
	/^arn:aws:dynamodb:[\w-]+:\d+:table\/[\w-]+\/(stream|index)\/\*$/,
];

function noWildcards(graph: Graph): string[] {
	return all(graph, "iam/role:Role").flatMap((role) => {
		const managed = ((role.inputs["managedPolicyArns"] ?? []) as string[]).map((arn) => `${role.name} has ${arn}`);
		const broad = statementsOf(role).flatMap(({ actions, resources }) => [
			...actions.filter((action) => action.includes("*")).map((action) => `${role.name} may ${action}`),
			...resources
				.filter((resource) => resource.includes("*") && !PATTERNS.some((pattern) => pattern.test(resource)))
				.filter((resource) => resource !== "*" || !actions.every((action) => WITHOUT_RESOURCES.includes(action)))
				.map((resource) => `${role.name} may ${actions.join(", ")} on ${resource}`),
		]);
		return [...managed, ...broad];
	});
}

function rolesApart(graph: Graph): string[] {
	const users = [
		...all(graph, "lambda/function:Function").map(({ name, inputs }) => [name, inputs["role"]] as const),
		...all(graph, "ecs/taskDefinition:TaskDefinition").flatMap(({ name, inputs }) => [
			[name, inputs["taskRoleArn"]] as const,
			[`${name}'s start`, inputs["executionRoleArn"]] as const,
		]),
	];
	return users.flatMap(([name, role]) => {
		const others = users.filter(([other, same]) => same === role && other !== name).map(([other]) => other);
		return role === undefined ? [`${name} has no role`] : others.map((other) => `${name} has the role of ${other}`);
	});
}

/** In the state they are encrypted, and in no program's environment at all: an SSM parameter and SST's own record of the secret are the places. */
function secretsKept(graph: Graph): string[] {
	return graph.resources.flatMap(({ type, name, inputs, secrets }) => {
		const text = JSON.stringify(inputs);
		const has = Object.entries(SECRET_VALUES).filter(([, value]) => text.includes(value));
		if (has.length === 0) return [];
		const what = has.map(([secret]) => secret).join(", ");
		if (type === "sst:sst:LinkRef") return secrets.includes("properties") ? [] : [`${name} has ${what} in clear`];
		if (type !== "aws:ssm/parameter:Parameter") return [`${type} ${name} has ${what}`];
		return secrets.includes("value") && inputs["type"] === "SecureString" ? [] : [`${name} has ${what} in clear`];
	});
}

function encrypted(graph: Graph): string[] {
	const config = all(graph, "dynamodb/table:Table").filter(({ name }) => name === "ConfigTable");
	return [
		...config
			.filter(({ inputs }) => (inputs["serverSideEncryption"] as { kmsKeyArn?: string } | undefined)?.kmsKeyArn === undefined)
			.map(({ name }) => `${name} has SIP passwords, and no key of its own`),
		...config
			.flatMap(({ inputs }) => (inputs["replicas"] ?? []) as { regionName: string; kmsKeyArn?: string }[])
			.filter(({ regionName, kmsKeyArn }) => !kmsKeyArn?.includes(`:${regionName}:`))
			.map(({ regionName }) => `the copy in ${regionName} has no key of its region`),
		...all(graph, "sqs/queue:Queue")
			.filter(({ inputs }) => inputs["sqsManagedSseEnabled"] !== true)
			.map(({ name }) => `${name} is in clear`),
		...all(graph, "s3/bucket:Bucket")
			.filter(({ inputs }) => !isEncrypted(graph, inputs["bucket"]))
			.map(({ name }) => `${name} has no key`),
		...all(graph, "ssm/parameter:Parameter")
			.filter(({ inputs }) => inputs["keyId"] === undefined)
			.map(({ name }) => `${name} has AWS's key`),
	];
}

function isEncrypted(graph: Graph, bucket: unknown): boolean {
	const rules = all(graph, "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration").filter(
		({ inputs }) => inputs["bucket"] === bucket,
	);
	return rules.length === 1;
}

function alarmsTell(graph: Graph): string[] {
	const topics = new Map(all(graph, "sns/topic:Topic").map(({ arn, region }) => [arn, region]));
	return all(graph, "cloudwatch/metricAlarm:MetricAlarm").flatMap(({ name, region, inputs }) => {
		const actions = (inputs["alarmActions"] ?? []) as string[];
		if (actions.length === 0) return [`${name} tells nobody`];
		return actions.filter((arn) => topics.get(arn) !== region).map((arn) => `${name} tells ${arn}, which is no topic of ${region}`);
	});
}
