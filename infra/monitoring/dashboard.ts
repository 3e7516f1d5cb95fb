import { API_ERROR_CODES, API_OPERATIONS, CLAIM_OUTCOMES, FAILURE_REASONS } from "@trunkline/observability/metric-names";
import { type HomeNames, type MetricRef, own, platform, type RegionNames, type StageNames } from "./names.ts";
import { scalingTarget } from "./autoscaling.ts";
import { QUERIES } from "./queries.ts";

/** A line of a graph: a metric with its label, or an expression of those before it. */
type Line = (MetricRef & { label: string; id?: string; visible?: false; axis?: "right" }) | { expression: string; label: string };

interface Graph {
	title: string;
	lines: readonly Line[];
	unit?: string;
	/** one area on the other */
	stacked?: true;
	/** dashed line across */
	mark?: { label: string; value: number };
	min?: number;
	max?: number;
}

type Widget = Readonly<Record<string, unknown>>;

const COLUMNS = 24;
const WIDTH = 6;
const HEIGHT = 6;
const PERIOD_SECONDS = 60;
/** That the widget of alarms takes. */
const MOST_ALARMS = 100;
const DIRECTIONS = ["inbound", "outbound"] as const;
const AUDIO = ["uplink", "downlink"] as const;

/** The body of the stage's dashboard: what is there once, then each region's rows. `alarms`: ARNs, whose states are on top. */
export function dashboardBody({ stage, home, regions }: StageNames, alarms: readonly string[]): { widgets: Widget[] } {
	const page = new Page();
	page.heading(`# ${stage}: calls, audio, nodes. What each alarm asks for is in docs/operations.md.`);
	if (alarms.length > 0)
		page.add(
			{ type: "alarm", properties: { title: "Alarms", alarms: alarms.slice(0, MOST_ALARMS) } },
			COLUMNS,
			2 + Math.ceil(Math.min(alarms.length, 40) / 4),
		);
	page.heading(`## API (${home.region})`);
	for (const graph of apiGraphs(stage, home)) page.graph(home.region, graph);
	page.add(throttledProjects(home), COLUMNS, HEIGHT);
	for (const region of regions) {
		page.heading(`## ${region.region}`);
		const all = [callGraphs, setUpGraphs, audioGraphs, nodeGraphs, queueGraphs].flatMap((graphs) => graphs(stage, region));
		for (const graph of all) page.graph(region.region, graph);
	}
	return { widgets: page.widgets };
}

function apiGraphs(stage: string, { region, api, configTable }: HomeNames): Graph[] {
	const at = { stage, region };
	const lambda = { FunctionName: api };
	return [
		{
			title: "Requests",
			stacked: true,
			lines: API_OPERATIONS.map((operation) => ({ ...own(at, "ApiRequests", "Sum", { operation }), label: operation })),
		},
		{
			title: "Latency, p95 (dial and transfer wait for people)",
			unit: "ms",
			lines: API_OPERATIONS.map((operation) => ({ ...own(at, "ApiLatency", "p95", { operation }), label: operation })),
		},
		{
			title: "Errors by HTTP status",
			stacked: true,
			lines: API_ERROR_CODES.map((code) => ({ ...own(at, "ApiErrors", "Sum", { code }), label: code })),
		},
		{
			title: "Function",
			lines: [
				{ ...platform("AWS/Lambda", "Errors", "Sum", lambda), label: "errors" },
				{ ...platform("AWS/Lambda", "Throttles", "Sum", lambda), label: "throttles" },
				{ ...platform("AWS/Lambda", "ConcurrentExecutions", "Maximum", lambda), label: "at once" },
				{ ...platform("AWS/DynamoDB", "WriteThrottleEvents", "Sum", { TableName: configTable }), label: "config table throttled" },
				{ ...own(at, "CallsNotClaimed", "Sum"), label: "calls that no node took" },
			],
		},
	];
}

function callGraphs(stage: string, { region }: RegionNames): Graph[] {
	const at = { stage, region };
	return [
		{
			title: "Calls now",
			stacked: true,
			min: 0,
			lines: DIRECTIONS.map((direction) => ({ ...own(at, "ActiveCalls", "Sum", { direction }), label: direction })),
		},
		{
			title: "Answer-seizure ratio",
			unit: "%",
			min: 0,
			max: 100,
			lines: DIRECTIONS.flatMap((direction): Line[] => [
				{ ...own(at, "CallAttempts", "Sum", { direction }), label: `attempts ${direction}`, id: `a_${direction}`, visible: false },
				{ ...own(at, "CallAnswers", "Sum", { direction }), label: `answers ${direction}`, id: `b_${direction}`, visible: false },
				{ expression: `100 * FILL(b_${direction}, 0) / a_${direction}`, label: direction },
			]),
		},
		{
			title: "Attempts and answers",
			min: 0,
			lines: DIRECTIONS.flatMap((direction) => [
				{ ...own(at, "CallAttempts", "Sum", { direction }), label: `attempts ${direction}` },
				{ ...own(at, "CallAnswers", "Sum", { direction }), label: `answers ${direction}` },
			]),
		},
		{
			title: "Failures by reason",
			stacked: true,
			lines: FAILURE_REASONS.map((reason) => ({ ...own(at, "CallFailures", "Sum", { reason }), label: reason })),
		},
	];
}

function setUpGraphs(stage: string, { region }: RegionNames): Graph[] {
	const at = { stage, region };
	const percentiles = ["p50", "p95", "p99"] as const;
	return [
		{
			title: "From request to INVITE",
			unit: "ms",
			lines: percentiles.map((stat) => ({ ...own(at, "RequestToInvite", stat), label: stat })),
		},
		{
			title: "From INVITE to ringing (post-dial delay)",
			unit: "ms",
			lines: percentiles.map((stat) => ({ ...own(at, "InviteToRinging", stat), label: stat })),
		},
		{
			title: "From INVITE to answer",
			unit: "ms",
			lines: DIRECTIONS.flatMap((direction) =>
				(["p50", "p95"] as const).map((stat) => ({ ...own(at, "InviteToAnswer", stat, { direction }), label: `${direction} ${stat}` })),
			),
		},
		{
			title: "Encrypted calls",
			unit: "%",
			min: 0,
			max: 100,
			lines: [{ ...own(at, "EncryptedCalls", "Average"), label: "with SRTP" }],
		},
	];
}

function audioGraphs(stage: string, { region }: RegionNames): Graph[] {
	const at = { stage, region };
	return [
		{
			title: "MOS",
			min: 1,
			max: 4.5,
			lines: AUDIO.flatMap((direction) =>
				(["p50", "p10"] as const).map((stat) => ({ ...own(at, "CallMos", stat, { direction }), label: `${direction} ${stat}` })),
			),
		},
		{
			title: "Packet loss, p95",
			unit: "%",
			min: 0,
			lines: AUDIO.map((direction) => ({ ...own(at, "CallPacketLoss", "p95", { direction }), label: direction })),
		},
		{
			title: "Jitter and round trip, p95",
			unit: "ms",
			min: 0,
			lines: [
				...AUDIO.map((direction) => ({ ...own(at, "CallJitter", "p95", { direction }), label: `jitter ${direction}` })),
				{ ...own(at, "CallRoundTrip", "p95"), label: "round trip" },
			],
		},
		{
			title: "Frames made up, packets too late",
			lines: AUDIO.flatMap((direction) => [
				{ ...own(at, "CallConcealedFrames", "Sum", { direction }), label: `made up ${direction}` },
				{ ...own(at, "CallLatePackets", "Sum", { direction }), label: `too late ${direction}` },
			]),
		},
	];
}

function nodeGraphs(
	stage: string,
	{ region, callsPerNode, leastNodes, cluster, service, loadBalancer, targetGroups }: RegionNames,
): Graph[] {
	const at = { stage, region };
	return [
		{
			title: "Nodes and calls a node",
			min: 0,
			mark: { label: "scaling target", value: scalingTarget(callsPerNode, leastNodes) },
			lines: [
				{ ...own(at, "ActiveCallsPerNode", "Average"), label: "calls a node" },
				{ ...own(at, "ActiveCallsPerNode", "Maximum"), label: "fullest node" },
				{ ...own(at, "ActiveCallsPerNode", "SampleCount"), label: "nodes", axis: "right" },
				...targetGroups.slice(0, 1).map((TargetGroup) => ({
					...platform("AWS/NetworkELB", "HealthyHostCount", "Minimum", { TargetGroup, LoadBalancer: loadBalancer }),
					label: "behind the load balancer",
					axis: "right" as const,
				})),
			],
		},
		{
			title: "Free slots",
			min: 0,
			lines: [
				{ ...own(at, "FreeSlots", "Sum"), label: "of the region" },
				{ ...own(at, "FreeSlots", "Minimum"), label: "of the fullest node" },
			],
		},
		{
			title: "Node load",
			min: 0,
			lines: [
				{ ...own(at, "NodeCpu", "Average"), label: "CPU %" },
				{ ...own(at, "NodeCpu", "Maximum"), label: "CPU %, busiest" },
				{ ...platform("AWS/ECS", "MemoryUtilization", "Maximum", { ClusterName: cluster, ServiceName: service }), label: "memory %" },
				{ ...own(at, "ClockLateness", "Maximum"), label: "lateness ms", axis: "right" },
			],
		},
		{
			title: "Late frames, dead nodes",
			lines: [
				{ ...own(at, "LateFrames", "Sum"), label: "frames 20 ms late" },
				{ ...own(at, "DeadNodesBuried", "Sum"), label: "dead nodes", axis: "right" },
			],
		},
	];
}

function queueGraphs(stage: string, { region, dialQueue, deadLetterQueues, functions, callsTable }: RegionNames): Graph[] {
	const at = { stage, region };
	return [
		{
			title: "Dial queue",
			min: 0,
			lines: [
				{ ...platform("AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", { QueueName: dialQueue }), label: "oldest, s" },
				{ ...platform("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", { QueueName: dialQueue }), label: "waiting" },
				...deadLetterQueues.map((QueueName, index) => ({
					...platform("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", { QueueName }),
					label: `dead letters ${index + 1}`,
				})),
			],
		},
		{
			title: "Claims of nodes",
			stacked: true,
			lines: CLAIM_OUTCOMES.map((outcome) => ({ ...own(at, "DialClaims", "Sum", { outcome }), label: outcome })),
		},
		{
			title: "Turned away, dropped, banned",
			lines: [
				...(["draining", "full", "late"] as const).map((why) => ({ ...own(at, "CallsTurnedAway", "Sum", { why }), label: `503: ${why}` })),
				{ ...own(at, "DroppedDatagrams", "Sum"), label: "datagrams dropped", axis: "right" as const },
				{ ...own(at, "BannedSources", "Maximum"), label: "banned" },
			],
		},
		{
			title: "Events and functions",
			lines: [
				{ ...own(at, "EventsGivenUp", "Sum"), label: "events given up" },
				{
					...platform("AWS/Lambda", "IteratorAge", "Maximum", { FunctionName: functions.events }),
					label: "events late, ms",
					axis: "right",
				},
				...Object.entries(functions).map(([name, FunctionName]) => ({
					...platform("AWS/Lambda", "Errors", "Sum", { FunctionName }),
					label: `${name} errors`,
				})),
				{ ...platform("AWS/DynamoDB", "WriteThrottleEvents", "Sum", { TableName: callsTable }), label: "calls table throttled" },
			],
		},
	];
}

/** Who: that is no dimension, as there is no end to projects. */
function throttledProjects({ region, apiLogGroup }: HomeNames): Widget {
	const query = `SOURCE '${apiLogGroup}' | ${QUERIES.throttledProjects.query.trim().replaceAll(/\s*\n\s*/g, " ")}`;
	return { type: "log", properties: { region, title: "Projects over their limits", query, view: "table" } };
}

/** Widgets in reading order on CloudWatch's grid of 24 columns. */
class Page {
	readonly widgets: Widget[] = [];
	#x = 0;
	#y = 0;
	#rowHeight = 0;

	heading(markdown: string): void {
		this.add({ type: "text", properties: { markdown } }, COLUMNS, 1);
	}

	graph(region: string, graph: Graph): void {
		this.add({ type: "metric", properties: graphProperties(region, graph) }, WIDTH, HEIGHT);
	}

	add(widget: Widget, width: number, height: number): void {
		if (this.#x + width > COLUMNS) {
			this.#x = 0;
			this.#y += this.#rowHeight;
			this.#rowHeight = 0;
		}
		this.widgets.push({ ...widget, x: this.#x, y: this.#y, width, height });
		this.#x += width;
		this.#rowHeight = Math.max(this.#rowHeight, height);
	}
}

function graphProperties(region: string, { title, lines, unit, stacked, mark, min, max }: Graph): Widget {
	return {
		...{ region, title, view: "timeSeries", stacked: stacked === true, period: PERIOD_SECONDS, metrics: lines.map(line) },
		yAxis: {
			left: {
				...(min === undefined ? {} : { min }),
				...(max === undefined ? {} : { max }),
				...(unit === undefined ? {} : { label: unit }),
			},
		},
		...(mark === undefined ? {} : { annotations: { horizontal: [mark] } }),
	};
}

function line(given: Line): readonly unknown[] {
	if ("expression" in given) return [{ expression: given.expression, label: given.label }];
	const { namespace, name, dimensions, stat, label, id, visible, axis } = given;
	const rendering = {
		stat,
		label,
		...(id === undefined ? {} : { id }),
		...(visible === false ? { visible } : {}),
		...(axis === undefined ? {} : { yAxis: axis }),
	};
	return [namespace, name, ...Object.entries(dimensions).flat(), rendering];
}
