import { type HomeNames, type MetricRef, own, platform, type RegionNames, type StageNames } from "./names.ts";

/** What an alarm looks at: metrics by an id, and what is made of them (unset: the only metric itself). */
export interface AlarmSpec {
	/** also the heading of its run-book in docs/operations.md */
	name: string;
	region: string;
	/** what is wrong when it fires, for who is woken up by it */
	summary: string;
	metrics: Readonly<Record<string, MetricRef>>;
	expression?: string;
	comparison: "above" | "below";
	threshold: number;
	periodSeconds: number;
	/** of the last `of` periods so many */
	datapoints: number;
	of: number;
	/** what a period without data is */
	missing: "breaching" | "notBreaching";
}

const RUN_BOOKS = "docs/operations.md";
/** Failures that no telephone, nobody who calls and nobody who is called has wished for. */
const FAULTS = ["internal-error", "room-failed", "media-timeout", "media-mismatch", "unreachable"] as const;
const DIRECTIONS = ["inbound", "outbound"] as const;
/** Below so many calls in a quarter of an hour a share of them says nothing. */
const ENOUGH_CALLS = 20;

/** What CloudWatch shows and sends. */
export const descriptionOf = ({ name, summary }: Pick<AlarmSpec, "name" | "summary">): string =>
	`${summary} Run-book: ${RUN_BOOKS}#${name}`;

export function alarmsOf({ stage, home, regions }: StageNames): AlarmSpec[] {
	return [
		...homeAlarms(stage, home),
		...regions.flatMap((region) => [nodeAlarms, callAlarms, queueAlarms, platformAlarms].flatMap((alarms) => alarms(stage, region))),
	];
}

const minutes = (count: number): number => count * 60;

function homeAlarms(stage: string, { region, api, configTable }: HomeNames): AlarmSpec[] {
	const at = { stage, region };
	const lambda = { FunctionName: api };
	return [
		{
			...{ name: "api-errors", region, summary: "The API answers requests with 500, 502 or 503." },
			metrics: Object.fromEntries((["500", "502", "503"] as const).map((code) => [`e${code}`, own(at, "ApiErrors", "Sum", { code })])),
			expression: "SUM(METRICS())",
			...{ comparison: "above", threshold: 5, periodSeconds: minutes(5), datapoints: 1, of: 1, missing: "notBreaching" },
		},
		{
			...{ name: "api-slow", region, summary: "Requests that wait for nobody take longer than 1.5 s." },
			metrics: { p95: own(at, "ApiLatency", "p95", { operation: "configuration" }) },
			...{ comparison: "above", threshold: 1_500, periodSeconds: minutes(5), datapoints: 3, of: 3, missing: "notBreaching" },
		},
		{
			...{ name: "api-failing", region, summary: "Lambda ends the API's function with an error, or does not run it." },
			metrics: { errors: platform("AWS/Lambda", "Errors", "Sum", lambda), throttles: platform("AWS/Lambda", "Throttles", "Sum", lambda) },
			expression: "SUM(METRICS())",
			...{ comparison: "above", threshold: 3, periodSeconds: minutes(5), datapoints: 1, of: 1, missing: "notBreaching" },
		},
		{
			...{ name: "calls-not-claimed", region, summary: "Outbound calls are ended because no media node takes them within 9 s." },
			metrics: { calls: own(at, "CallsNotClaimed", "Sum") },
			...{ comparison: "above", threshold: 2, periodSeconds: minutes(5), datapoints: 1, of: 1, missing: "notBreaching" },
		},
		{
			...{ name: "config-table-throttled", region, summary: "DynamoDB throttles the table of trunks, rules and projects." },
			metrics: throttleEvents(configTable),
			expression: "SUM(METRICS())",
			...{ comparison: "above", threshold: 0, periodSeconds: minutes(5), datapoints: 2, of: 3, missing: "notBreaching" },
		},
	];
}

function nodeAlarms(stage: string, { region, callsPerNode }: RegionNames): AlarmSpec[] {
	const at = { stage, region };
	return [
		{
			...{ name: "no-nodes", region, summary: "No media node of the region reports: calls are neither taken nor placed." },
			metrics: { nodes: own(at, "ActiveCallsPerNode", "SampleCount") },
			...{ comparison: "below", threshold: 1, periodSeconds: minutes(1), datapoints: 3, of: 3, missing: "breaching" },
		},
		{
			...{ name: "few-free-slots", region, summary: "The region's nodes together have room for less than a quarter of one node's calls." },
			metrics: { slots: own(at, "FreeSlots", "Sum") },
			...{ comparison: "below", threshold: Math.max(1, Math.floor(callsPerNode / 4)), periodSeconds: minutes(1), datapoints: 5, of: 5 },
			missing: "notBreaching",
		},
		{
			...{ name: "calls-turned-away", region, summary: "Nodes that are full or late answer INVITEs with 503." },
			metrics: { full: own(at, "CallsTurnedAway", "Sum", { why: "full" }), late: own(at, "CallsTurnedAway", "Sum", { why: "late" }) },
			expression: "SUM(METRICS())",
			...{ comparison: "above", threshold: 5, periodSeconds: minutes(5), datapoints: 1, of: 1, missing: "notBreaching" },
		},
		{
			...{ name: "late-audio", region, summary: "A node's thread is late: audio of its calls stutters." },
			metrics: { late: own(at, "ClockLateness", "Maximum") },
			...{ comparison: "above", threshold: 60, periodSeconds: minutes(1), datapoints: 4, of: 5, missing: "notBreaching" },
		},
		{
			...{ name: "node-died", region, summary: "A media node went without a word; its calls were ended for it." },
			metrics: { dead: own(at, "DeadNodesBuried", "Sum") },
			...{ comparison: "above", threshold: 0, periodSeconds: minutes(5), datapoints: 1, of: 1, missing: "notBreaching" },
		},
	];
}

function callAlarms(stage: string, { region }: RegionNames): AlarmSpec[] {
	const at = { stage, region };
	return [
		{
			...{ name: "few-answers", region, summary: "Fewer than one in five calls of the last quarter of an hour was answered." },
			metrics: Object.fromEntries(
				DIRECTIONS.flatMap((direction) => [
					[`a_${direction}`, own(at, "CallAttempts", "Sum", { direction })] as const,
					[`b_${direction}`, own(at, "CallAnswers", "Sum", { direction })] as const,
				]),
			),
			expression: `IF(${total("a")} >= ${ENOUGH_CALLS}, 100 * (${total("b")}) / (${total("a")}), 100)`,
			...{ comparison: "below", threshold: 20, periodSeconds: minutes(15), datapoints: 1, of: 1, missing: "notBreaching" },
		},
		{
			...{ name: "call-faults", region, summary: "Calls fail by what is nobody's wish: rooms, media, networks or faults of ours." },
			metrics: Object.fromEntries(FAULTS.map((reason) => [reason.replace("-", "_"), own(at, "CallFailures", "Sum", { reason })])),
			expression: "SUM(METRICS())",
			...{ comparison: "above", threshold: 5, periodSeconds: minutes(5), datapoints: 2, of: 3, missing: "notBreaching" },
		},
		{
			...{ name: "slow-dialling", region, summary: "Of outbound calls one in twenty waits longer than 3 s for its INVITE." },
			metrics: { p95: own(at, "RequestToInvite", "p95") },
			...{ comparison: "above", threshold: 3_000, periodSeconds: minutes(5), datapoints: 2, of: 3, missing: "notBreaching" },
		},
		...(["uplink", "downlink"] as const).map(
			(direction): AlarmSpec => ({
				name: `poor-audio-${direction}`,
				region,
				summary: `One call in ten is hard to follow (${direction === "uplink" ? "telephone to room" : "room to telephone"}): MOS below 3.5.`,
				metrics: { p10: own(at, "CallMos", "p10", { direction }) },
				...{ comparison: "below", threshold: 3.5, periodSeconds: minutes(5), datapoints: 3, of: 3, missing: "notBreaching" },
			}),
		),
	];
}

function queueAlarms(stage: string, { region, dialQueue, deadLetterQueues }: RegionNames): AlarmSpec[] {
	// Also what a function has in its hands: it takes a letter again and again that it cannot answer, and none is ever seen waiting.
	const left = deadLetterQueues.flatMap((QueueName, index) => [
		[`q${index}`, platform("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", { QueueName })] as const,
		[`r${index}`, platform("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Maximum", { QueueName })] as const,
	]);
	return [
		{
			...{ name: "dial-queue-waits", region, summary: "A request to place a call has been in the queue for longer than 5 s." },
			metrics: { oldest: platform("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", { QueueName: dialQueue }) },
			...{ comparison: "above", threshold: 5, periodSeconds: minutes(1), datapoints: 2, of: 2, missing: "notBreaching" },
		},
		{
			...{ name: "dead-letters", region, summary: "Messages could not be dealt with and are in a dead-letter queue." },
			metrics: Object.fromEntries(left),
			expression: "SUM(METRICS())",
			...{ comparison: "above", threshold: 0, periodSeconds: minutes(5), datapoints: 3, of: 3, missing: "notBreaching" },
		},
		{
			...{ name: "events-given-up", region, summary: "A receiver of call events has not taken some for three days." },
			metrics: { events: own({ stage, region }, "EventsGivenUp", "Sum") },
			...{ comparison: "above", threshold: 0, periodSeconds: minutes(5), datapoints: 1, of: 1, missing: "notBreaching" },
		},
	];
}

function platformAlarms(_stage: string, { region, callsTable, functions, loadBalancer, targetGroups }: RegionNames): AlarmSpec[] {
	const failing = Object.entries(functions).flatMap(([name, FunctionName]) => [
		[`${name}Errors`, platform("AWS/Lambda", "Errors", "Sum", { FunctionName })] as const,
		[`${name}Throttles`, platform("AWS/Lambda", "Throttles", "Sum", { FunctionName })] as const,
	]);
	const healthy = targetGroups.map(
		(TargetGroup, index) =>
			[`t${index}`, platform("AWS/NetworkELB", "HealthyHostCount", "Maximum", { TargetGroup, LoadBalancer: loadBalancer })] as const,
	);
	return [
		{
			...{ name: "no-way-in", region, summary: "The load balancer has no node that it could send calls to." },
			metrics: Object.fromEntries(healthy),
			expression: "MIN(METRICS())",
			...{ comparison: "below", threshold: 1, periodSeconds: minutes(1), datapoints: 3, of: 3, missing: "breaching" },
		},
		{
			...{ name: "functions-failing", region, summary: "Functions that deliver events or clean up after nodes fail." },
			metrics: Object.fromEntries(failing),
			expression: "SUM(METRICS())",
			...{ comparison: "above", threshold: 3, periodSeconds: minutes(5), datapoints: 2, of: 3, missing: "notBreaching" },
		},
		{
			...{ name: "events-late", region, summary: "Call events are delivered more than a minute after they happened." },
			metrics: { age: platform("AWS/Lambda", "IteratorAge", "Maximum", { FunctionName: functions.events }) },
			...{ comparison: "above", threshold: 60_000, periodSeconds: minutes(5), datapoints: 2, of: 3, missing: "notBreaching" },
		},
		{
			...{ name: "calls-table-throttled", region, summary: "DynamoDB throttles the table of the region's calls." },
			metrics: throttleEvents(callsTable),
			expression: "SUM(METRICS())",
			...{ comparison: "above", threshold: 0, periodSeconds: minutes(5), datapoints: 2, of: 3, missing: "notBreaching" },
		},
	];
}

/** Of both directions; a direction without calls has no data. */
const total = (id: string): string => DIRECTIONS.map((direction) => `FILL(${id}_${direction}, 0)`).join(" + ");

function throttleEvents(TableName: string): Record<string, MetricRef> {
	return {
		reads: platform("AWS/DynamoDB", "ReadThrottleEvents", "Sum", { TableName }),
		writes: platform("AWS/DynamoDB", "WriteThrottleEvents", "Sum", { TableName }),
	};
}
