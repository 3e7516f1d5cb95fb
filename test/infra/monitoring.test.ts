import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { dimensionName, METRICS, type MetricDefinition } from "@trunkline/observability/metric-names";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { type AlarmSpec, alarmsOf } from "../../infra/monitoring/alarms.ts";
import { scalingTarget } from "../../infra/monitoring/autoscaling.ts";
import { dashboardBody } from "../../infra/monitoring/dashboard.ts";
import type { RegionNames, StageNames } from "../../infra/monitoring/names.ts";
import { QUERIES } from "../../infra/monitoring/queries.ts";
import { all, type Graph, graphOf, ROOT } from "./graph.ts";
import { readQuery } from "./insights.ts";

const region = (name: string): RegionNames => ({
	region: name,
	dialQueue: `dial-${name}`,
	deadLetterQueues: [`dead-${name}`, `stream-${name}`],
	callsTable: `calls-${name}`,
	loadBalancer: `net/sip-${name}/1`,
	targetGroups: [`targetgroup/udp-${name}/1`, `targetgroup/tcp-${name}/1`],
	cluster: `cluster-${name}`,
	service: `nodes-${name}`,
	callsPerNode: 100,
	leastNodes: 2,
	functions: { events: `events-${name}`, sweep: `sweep-${name}`, deadLetters: `dead-letters-${name}` },
	logGroups: [`/nodes/${name}`],
});
const STAGE: StageNames = {
	stage: "production",
	home: { region: "eu-west-1", api: "api", apiLogGroup: "/api", configTable: "config" },
	regions: [region("eu-west-1"), region("us-east-1")],
};
const DEFINITIONS: Record<string, MetricDefinition> = METRICS;

interface Shown {
	widget: string;
	region: string;
	namespace: string;
	name: string;
	dimensions: Record<string, string>;
}

interface Widget {
	type: string;
	x: number;
	y: number;
	width: number;
	height: number;
	properties: { title?: string; region?: string; query?: string; metrics?: unknown[][] };
}

/** Every metric of a dashboard's body, as CloudWatch reads it: namespace, name, then pairs. */
function shownIn(widgets: readonly Widget[]): Shown[] {
	return widgets.flatMap(({ properties: { title = "", region: at = "", metrics = [] } }) =>
		metrics
			.filter(([first]) => typeof first === "string")
			.map((entry) => {
				const [namespace = "", name = "", ...pairs] = entry.filter((part): part is string => typeof part === "string");
				const dimensions = Object.fromEntries(pairs.flatMap((key, index) => (index % 2 === 0 ? [[key, pairs[index + 1] ?? ""]] : [])));
				return { widget: title, region: at, namespace, name, dimensions };
			}),
	);
}

const widgets = dashboardBody(STAGE, ["arn:1"]).widgets as unknown as Widget[];
const shown = shownIn(widgets);
const ours = shown.filter(({ namespace }) => namespace === "Trunkline");
const alarms = alarmsOf(STAGE);

/** Of ours: the list's own dimensions and no others, with values of the list. */
function expectDefined({ name, dimensions }: { name: string; dimensions: Readonly<Record<string, string>> }): void {
	const definition = DEFINITIONS[name];
	expect(definition, name).toBeDefined();
	const { Stage, Region, ...others } = dimensions;
	expect([Stage, STAGE.regions.some((one) => one.region === Region)], name).toEqual(["production", true]);
	const defined = Object.entries(definition?.dimensions ?? {}).map(([key, values]) => [dimensionName(key), values] as const);
	expect(Object.keys(others).sort(), name).toEqual(defined.map(([key]) => key).sort());
	for (const [key, values] of defined) expect(values, `${name} ${key}`).toContain(others[key]);
}

describe("the dashboard", () => {
	it("shows every metric that the code emits, and no other", () => {
		expect([...new Set(ours.map(({ name }) => name))].sort()).toEqual(Object.keys(METRICS).sort());
		for (const metric of ours) expectDefined(metric);
	});

	it("shows every series of a metric: no value of a dimension is left out, in any region", () => {
		for (const [name, { source, dimensions }] of Object.entries(DEFINITIONS)) {
			const series = Object.values(dimensions).reduce((product, values) => product * values.length, 1);
			for (const { region: at } of source === "api" ? [STAGE.home] : STAGE.regions) {
				const found = ours.filter((one) => one.name === name && one.dimensions["Region"] === at);
				expect(new Set(found.map((one) => JSON.stringify(one.dimensions))).size, `${name} in ${at}`).toBe(series);
			}
		}
	});

	it("asks each region for its own metrics: CloudWatch has them nowhere else", () => {
		for (const { region: at, dimensions } of ours) expect(dimensions["Region"]).toBe(at);
	});

	it("has no widget on another, and none over the edge", () => {
		const taken = new Set<string>();
		for (const { x, y, width, height } of widgets) {
			expect(x + width).toBeLessThanOrEqual(24);
			for (let column = x; column < x + width; column++)
				for (let row = y; row < y + height; row++) {
					expect(taken.has(`${column},${row}`)).toBe(false);
					taken.add(`${column},${row}`);
				}
		}
	});

	it("its expressions are made of metrics of the same graph", () => {
		for (const { properties } of widgets) {
			const parts = (properties.metrics ?? []).map((entry) => entry.at(-1) as { id?: string; expression?: string });
			const ids = parts.flatMap(({ id }) => (id === undefined ? [] : [id]));
			expect(new Set(ids).size).toBe(ids.length);
			for (const { expression = "" } of parts) expectKnownIds(expression, ids);
		}
	});
});

function expectKnownIds(expression: string, ids: readonly string[]): void {
	const used = (expression.match(/\b[a-z]\w*\b/g) ?? []).filter((word) => !/^[A-Z]+$/.test(word));
	for (const id of used) expect(ids, expression).toContain(id);
}

describe("alarms", () => {
	it("look at metrics that the code emits, with ids that CloudWatch takes", () => {
		for (const { name, metrics, expression } of alarms) {
			expect(Object.keys(metrics).length, name).toBeGreaterThan(0);
			// PutMetricAlarm: "A metric math expression can be based on at most 10 metrics" as far as its Metrics array is 20 long.
			expect(Object.keys(metrics).length, name).toBeLessThanOrEqual(10);
			if (expression === undefined) expect(Object.keys(metrics), name).toHaveLength(1);
			else expectKnownIds(expression, Object.keys(metrics));
			for (const [id, metric] of Object.entries(metrics)) {
				expect(id).toMatch(/^[a-z]\w*$/);
				if (metric.namespace === "Trunkline") expectDefined(metric);
			}
		}
	});

	it("are evaluated within a day, as CloudWatch demands, and need no more data points than there are", () => {
		for (const { name, periodSeconds, of, datapoints } of alarms) {
			expect(periodSeconds * of, name).toBeLessThanOrEqual(86_400);
			expect(datapoints, name).toBeLessThanOrEqual(of);
		}
	});

	it("have names that are there once in a region", () => {
		const names = alarms.map(({ name, region: at }) => `${at} ${name}`);
		expect(new Set(names).size).toBe(names.length);
	});

	it("each has a run-book in docs/operations.md, and each run-book an alarm", () => {
		const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
		const section = page.split(/^## /m).find((part) => part.startsWith("Alarms and what to do")) ?? "";
		const runBooks = [...section.matchAll(/^### (\S+)$/gm)].map(([, name]) => name ?? "");
		expect(runBooks.sort()).toEqual([...new Set(alarms.map(({ name }) => name))].sort());
	});
});

describe("saved queries", () => {
	it.each(Object.entries(QUERIES))("%s is one that Logs Insights can read", (_key, { query }) => {
		const { commands, fields } = readQuery(query);
		expect(commands.length).toBeGreaterThan(1);
		expect(fields.length).toBeGreaterThan(0);
	});

	it.each([
		["fields a, b | filtr a = 1", /no command filtr/],
		["filter a = ", /ends too early/],
		["filter a = 1 b", /b is too much/],
		["stats cnt(*) by a", /no function cnt/],
		["filter (a = 1", /\) is missing/],
		["filter a in ['x']", /cannot read '/],
		["sort a desc | limit ten", /limit wants a number/],
	])("the reader refuses %s", (query, message) => expect(() => readQuery(query)).toThrow(message));

	it("the reader tells fields of lines from names of the query's own, and from words in quotes", () => {
		const query =
			'filter msg = "call | ended" and not (x.y >= 2 or ispresent(z)) | stats avg(ms) / 1000 as s by bin(1m), trunkId | sort s desc';
		expect(readQuery(query)).toEqual({ commands: ["filter", "stats", "sort"], fields: ["msg", "x.y", "z", "ms", "trunkId"] });
	});
});

describe("the list of metrics", () => {
	it("has nothing that no code records, and each is recorded where it says", () => {
		const folder = { node: "media-node/src", api: "functions/src/api", events: "functions/src/consumers" };
		const texts = Object.fromEntries(
			Object.entries(folder).map(([source, path]) => {
				const files = globSync(`${path}/**/*.ts`, { cwd: ROOT, exclude: ["**/*.test.ts", "**/*.testkit.ts"] });
				return [source, files.map((file) => readFileSync(join(ROOT, file), "utf8")).join("\n")];
			}),
		);
		const unrecorded = Object.entries(DEFINITIONS).filter(([name, { source }]) => !texts[source]?.includes(`record("${name}"`));
		expect(unrecorded.map(([name]) => name)).toEqual([]);
	});

	it("is what docs/operations.md lists, with units and dimensions", () => {
		const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
		const rows = [...page.matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*) \|/gm)].map(([, name, unit, dimensions = ""]) => [
			name,
			unit,
			dimensions.trim(),
		]);
		const listed = Object.entries(DEFINITIONS).map(([name, { unit, dimensions }]) => {
			const own = Object.keys(dimensions).map((key) => `\`${dimensionName(key)}\``);
			return [name, unit, own.join(", ")];
		});
		expect(rows).toEqual(listed);
	});

	it("has every reason that calls end with, but for those that are no failure", () => {
		const contracts = readFileSync(join(ROOT, "packages/contracts/src/call.ts"), "utf8");
		const union = /export type EndReason =([^;]+);/.exec(contracts)?.[1] ?? "";
		const reasons = [...union.matchAll(/"([\w-]+)"/g)].map(([, reason = ""]) => reason);
		const failures = DEFINITIONS["CallFailures"]?.dimensions["reason"] ?? [];
		expect(reasons.filter((reason) => !failures.includes(reason)).sort()).toEqual([
			"hangup",
			"max-duration",
			"participant-removed",
			"transferred",
		]);
		expect(failures.filter((reason) => !reasons.includes(reason))).toEqual(["other"]);
	});
});

describe("scaling", () => {
	it("one node less always leaves room for all calls", () => {
		for (const least of [1, 2, 3, 5, 20])
			for (let nodes = Math.max(2, least); nodes < 50; nodes++)
				expect(nodes * scalingTarget(100, least), `${nodes} nodes`).toBeLessThanOrEqual((nodes - 1) * 100);
		expect([scalingTarget(100, 1), scalingTarget(100, 2), scalingTarget(100, 3), scalingTarget(1)]).toEqual([50, 50, 60, 1]);
	});
});

const missing = inject("sstMissing");

describe.skipIf(missing !== "")(`in the graph of a stage with two regions${missing && ` (${missing})`}`, () => {
	let graph: Graph;
	beforeAll(async () => {
		graph = await graphOf("dev", { regions: ["eu-west-1", "us-east-1"], alarmEmail: "ops@example.com" });
	});

	it("every alarm of the list is there, in its region, and tells a topic of that region", () => {
		const made = all(graph, "cloudwatch/metricAlarm:MetricAlarm");
		const expected = alarms.map((alarm: AlarmSpec) => `trunkline-dev-${alarm.name}-${alarm.region}`);
		expect(made.map(({ inputs }) => inputs["name"]).sort()).toEqual(expected.sort());
		for (const { region: at, inputs } of made) {
			const [topic] = inputs["alarmActions"] as string[];
			expect(topic).toMatch(new RegExp(`^arn:aws:sns:${at}:`));
			expect(String(inputs["alarmDescription"])).toMatch(/ Run-book: docs\/operations\.md#[a-z-]+$/);
		}
		expect(
			all(graph, "sns/topicSubscription:TopicSubscription")
				.map(({ region: at, inputs }) => [at, inputs["endpoint"]])
				.sort(),
		).toEqual([
			["eu-west-1", "ops@example.com"],
			["us-east-1", "ops@example.com"],
		]);
	});

	it("alarms and dashboard name queues, tables, functions, load balancers and services that the stage has", () => {
		const names = graph.resources.flatMap(({ name, inputs }) => [name, inputs["name"]]);
		const exists = names.filter((name): name is string => typeof name === "string" && name !== "");
		const [made] = all(graph, "cloudwatch/dashboard:Dashboard");
		const body = JSON.parse(String(made?.inputs["dashboardBody"])) as { widgets: Widget[] };
		const inDashboard = shownIn(body.widgets).filter(({ namespace }) => namespace.startsWith("AWS/"));
		const inAlarms = all(graph, "cloudwatch/metricAlarm:MetricAlarm").flatMap(({ inputs }) =>
			(inputs["metricQueries"] as { metric?: { namespace: string; dimensions: Record<string, string> } }[]).flatMap(({ metric }) =>
				metric?.namespace.startsWith("AWS/") === true ? [metric] : [],
			),
		);
		expect([inDashboard.length, inAlarms.length].every((count) => count > 20)).toBe(true);
		for (const { dimensions } of [...inDashboard, ...inAlarms])
			for (const [key, value] of Object.entries(dimensions))
				expect(
					exists.some((name) => value.includes(name)),
					`${key} ${value}`,
				).toBe(true);
		const groups = new Set(all(graph, "cloudwatch/logGroup:LogGroup").map(({ inputs }) => inputs["name"]));
		for (const { inputs } of all(graph, "cloudwatch/queryDefinition:QueryDefinition"))
			for (const group of inputs["logGroupNames"] as string[]) expect(groups).toContain(group);
	});

	it("every saved query is there in every region, and nodes scale on calls and CPU in both", () => {
		const queries = all(graph, "cloudwatch/queryDefinition:QueryDefinition");
		for (const at of ["eu-west-1", "us-east-1"]) {
			const names = queries.filter((one) => one.region === at).map(({ inputs }) => inputs["name"]);
			expect(names.sort()).toEqual(
				Object.values(QUERIES)
					.map(({ name }) => `trunkline/dev/${name}`)
					.sort(),
			);
		}
		const policies = all(graph, "appautoscaling/policy:Policy").map(({ region: at, inputs }) => {
			const tracked = inputs["targetTrackingScalingPolicyConfiguration"] as {
				targetValue: number;
				customizedMetricSpecification?: { metricName: string; dimensions: { name: string; value: string }[] };
			};
			return [
				at,
				tracked.targetValue,
				tracked.customizedMetricSpecification?.metricName,
				tracked.customizedMetricSpecification?.dimensions,
			];
		});
		const of = (at: string) => [
			{ name: "Stage", value: "dev" },
			{ name: "Region", value: at },
		];
		expect(policies).toHaveLength(4);
		for (const at of ["eu-west-1", "us-east-1"]) {
			expect(policies).toContainEqual([at, 50, "ActiveCallsPerNode", of(at)]);
			expect(policies).toContainEqual([at, 60, undefined, undefined]);
		}
	});
});
