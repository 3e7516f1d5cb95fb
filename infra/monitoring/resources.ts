import type { StageSettings } from "../settings.ts";
import type { Api, LogGroup, RegionStack } from "../types.ts";
import { type AlarmSpec, alarmsOf, descriptionOf } from "./alarms.ts";
import { scalingPolicies } from "./autoscaling.ts";
import { dashboardBody } from "./dashboard.ts";
import type { HomeNames, RegionNames, StageNames } from "./names.ts";
import { QUERIES } from "./queries.ts";

/** Dashboard, alarms and their topics, saved queries, and the policies that add and take away nodes. */
export function monitoring({
	api,
	configTable,
	stacks,
	settings,
}: {
	api: Api;
	configTable: sst.aws.Dynamo;
	stacks: readonly RegionStack[];
	settings: Pick<StageSettings, "alarmEmail">;
}): { dashboard: $util.Output<string> } {
	const names = stageNames(api, configTable, stacks);
	const alarms = stacks.map((stack) => regionAlarms(stack, settings.alarmEmail, names));
	for (const stack of stacks) {
		savedQueries(stack, api);
		autoscaling(stack);
	}
	const arns = $util.all(alarms.flat().map(({ arn }) => arn));
	const [home] = stacks;
	if (home === undefined) throw new Error("a stage has a region");
	const dashboard = new aws.cloudwatch.Dashboard(
		"Dashboard",
		{
			dashboardName: `${$app.name}-${$app.stage}`,
			dashboardBody: $util.all([names, arns]).apply(([known, listed]) => JSON.stringify(dashboardBody(known, listed))),
		},
		home.place.opts,
	);
	const { region } = home.place;
	return {
		dashboard: $util.interpolate`https://${region}.console.aws.amazon.com/cloudwatch/home?region=${region}#dashboards/dashboard/${dashboard.dashboardName}`,
	};
}

function regionNames({ place, callsTable, dial, loadBalancer, nodes, consumers }: RegionStack, api: Api): $util.Output<RegionNames> {
	return $util
		.output({
			dialQueue: dial.queue.nodes.queue.name,
			deadLetterQueues: [dial.deadLetters.nodes.queue.name, consumers.streamFailures.nodes.queue.name],
			callsTable: callsTable.name,
			loadBalancer: loadBalancer.balancer.arnSuffix,
			targetGroups: loadBalancer.ways.map(({ targetGroup }) => targetGroup.arnSuffix),
			cluster: nodes.cluster.nodes.cluster.name,
			service: nodes.service.nodes.service.name,
			events: consumers.events.fn.name,
			sweep: consumers.sweep.fn.name,
			deadLetters: consumers.deadLetters.fn.name,
			logGroups: logGroupsOf({ place, nodes, consumers }, api).map(({ name }) => name),
		})
		.apply(({ events, sweep, deadLetters, ...known }) => ({
			...known,
			region: place.region,
			callsPerNode: nodes.callsPerNode,
			leastNodes: nodes.leastNodes,
			functions: { events, sweep, deadLetters },
		}));
}

function stageNames(api: Api, configTable: sst.aws.Dynamo, stacks: readonly RegionStack[]): $util.Output<StageNames> {
	const region = stacks[0]?.place.region ?? "";
	const home: $util.Output<HomeNames> = $util
		.output({ api: api.fn.name, apiLogGroup: api.logGroup.name, configTable: configTable.name })
		.apply((known) => ({ ...known, region }));
	return $util
		.all([home, $util.all(stacks.map((stack) => regionNames(stack, api)))])
		.apply(([known, regions]) => ({ stage: $app.stage, home: known, regions }));
}

/** Where a call of the region leaves lines: the API's are in the home region. */
function logGroupsOf({ place, nodes, consumers }: Pick<RegionStack, "place" | "nodes" | "consumers">, api: Api): LogGroup[] {
	const { events, sweep, deadLetters } = consumers;
	return [nodes.logGroup, events.logGroup, sweep.logGroup, deadLetters.logGroup, ...(place.home ? [api.logGroup] : [])];
}

/** An alarm, the metrics it looks at and the topic that it tells are in one region. */
function regionAlarms(stack: RegionStack, email: string | undefined, names: $util.Output<StageNames>): aws.cloudwatch.MetricAlarm[] {
	const { suffix, opts, region } = stack.place;
	// Not encrypted with AWS's own key of SNS: CloudWatch may not use that one, and its messages would be lost without a word.
	const topic = new aws.sns.Topic(`Alarms${suffix}`, {}, opts);
	if (email !== undefined)
		new aws.sns.TopicSubscription(`AlarmEmail${suffix}`, { topic: topic.arn, protocol: "email", endpoint: email }, opts);
	// How many alarms there are must be known before any name is: blanks in the place of names give the same ones.
	return blankAlarms(stack).map(({ name, ...spec }) => {
		const known = names.apply((all) => {
			const found = alarmsOf(all).find((one) => one.name === name && one.region === region);
			if (found === undefined) throw new Error(`no alarm ${name} in ${region}`);
			return found;
		});
		return new aws.cloudwatch.MetricAlarm(
			`Alarm${pascal(name)}${suffix}`,
			{
				name: `${$app.name}-${$app.stage}-${name}-${region}`,
				alarmDescription: descriptionOf({ name, ...spec }),
				comparisonOperator: spec.comparison === "above" ? "GreaterThanThreshold" : "LessThanThreshold",
				threshold: spec.threshold,
				evaluationPeriods: spec.of,
				datapointsToAlarm: spec.datapoints,
				treatMissingData: spec.missing,
				metricQueries: known.apply(metricQueries),
				alarmActions: [topic.arn],
				okActions: [topic.arn],
			},
			opts,
		);
	});
}

function blankAlarms({ place: { region, home }, nodes: { callsPerNode, leastNodes } }: RegionStack): AlarmSpec[] {
	const blank: RegionNames = {
		...{ region, dialQueue: "", deadLetterQueues: [""], callsTable: "", loadBalancer: "", targetGroups: [""], cluster: "", service: "" },
		...{ callsPerNode, leastNodes, functions: { events: "", sweep: "", deadLetters: "" }, logGroups: [] },
	};
	const elsewhere = { region: home ? region : "", api: "", apiLogGroup: "", configTable: "" };
	return alarmsOf({ stage: $app.stage, home: elsewhere, regions: [blank] }).filter((spec) => spec.region === region);
}

function metricQueries({ metrics, expression, periodSeconds }: AlarmSpec): aws.types.input.cloudwatch.MetricAlarmMetricQuery[] {
	const queries = Object.entries(metrics).map(([id, { namespace, name: metricName, dimensions, stat }]) => ({
		id,
		metric: { namespace, metricName, dimensions: { ...dimensions }, stat, period: periodSeconds },
		returnData: expression === undefined,
	}));
	return expression === undefined ? queries : [...queries, { id: "result", expression, label: "result", returnData: true }];
}

function savedQueries(stack: RegionStack, api: Api): void {
	const { suffix, opts } = stack.place;
	const logGroupNames = logGroupsOf(stack, api).map(({ name }) => name);
	for (const [key, { name, query }] of Object.entries(QUERIES))
		new aws.cloudwatch.QueryDefinition(
			`Query${key.charAt(0).toUpperCase()}${key.slice(1)}${suffix}`,
			{ name: `${$app.name}/${$app.stage}/${name}`, queryString: query.trim(), logGroupNames },
			opts,
		);
}

function autoscaling({ place, nodes }: RegionStack): void {
	const { suffix, opts, region } = place;
	const { serviceNamespace, scalableDimension, resourceId } = nodes.service.nodes.autoScalingTarget;
	for (const spec of scalingPolicies({ stage: $app.stage, region, callsPerNode: nodes.callsPerNode, leastNodes: nodes.leastNodes })) {
		const { metric } = spec;
		new aws.appautoscaling.Policy(
			`Scale${spec.name}${suffix}`,
			{
				...{ serviceNamespace, scalableDimension, resourceId, policyType: "TargetTrackingScaling" },
				targetTrackingScalingPolicyConfiguration: {
					targetValue: spec.target,
					scaleOutCooldown: spec.scaleOutCooldownSeconds,
					scaleInCooldown: spec.scaleInCooldownSeconds,
					...(metric === "cpu"
						? { predefinedMetricSpecification: { predefinedMetricType: "ECSServiceAverageCPUUtilization" } }
						: {
								customizedMetricSpecification: {
									namespace: metric.namespace,
									metricName: metric.name,
									statistic: "Average",
									dimensions: Object.entries(metric.dimensions).map(([name, value]) => ({ name, value })),
								},
							}),
				},
			},
			opts,
		);
	}
}

/** api-errors → ApiErrors */
const pascal = (name: string): string => name.replace(/(^|-)(\w)/g, (_, _dash: string, letter: string) => letter.toUpperCase());
