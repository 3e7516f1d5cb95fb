import { dimensionName, METRIC_NAMESPACE, type MetricDimensions, type MetricName } from "@trunkline/observability/metric-names";

/** One region's resources, by the names that CloudWatch knows them by. */
export interface RegionNames {
	region: string;
	dialQueue: string;
	/** whatever ends there needs somebody to look at it */
	deadLetterQueues: readonly string[];
	callsTable: string;
	/** "net/name/id" */
	loadBalancer: string;
	/** "targetgroup/name/id" */
	targetGroups: readonly string[];
	cluster: string;
	service: string;
	/** calls that a node takes */
	callsPerNode: number;
	/** that run in any case */
	leastNodes: number;
	functions: { events: string; sweep: string; deadLetters: string };
	/** of nodes and functions of the region, in the home region the API's too */
	logGroups: readonly string[];
}

/** What there is once, in the home region. */
export interface HomeNames {
	region: string;
	api: string;
	apiLogGroup: string;
	configTable: string;
}

export interface StageNames {
	stage: string;
	home: HomeNames;
	regions: readonly RegionNames[];
}

export type Statistic = "Sum" | "Average" | "Maximum" | "Minimum" | "SampleCount" | `p${number}`;

export interface MetricRef {
	namespace: string;
	name: string;
	dimensions: Readonly<Record<string, string>>;
	stat: Statistic;
}

/** A metric of ours: only one that the code emits, with all of its dimensions. */
export function own<N extends MetricName>(
	{ stage, region }: { stage: string; region: string },
	name: N,
	stat: Statistic,
	...[dimensions]: Record<never, never> extends MetricDimensions<N> ? [] : [MetricDimensions<N>]
): MetricRef {
	const given = Object.entries((dimensions ?? {}) as Record<string, string>).map(([key, value]) => [dimensionName(key), value]);
	return { namespace: METRIC_NAMESPACE, name, dimensions: { Stage: stage, Region: region, ...Object.fromEntries(given) }, stat };
}

/** A metric of AWS's own services. */
export function platform(
	namespace: `AWS/${string}`,
	name: string,
	stat: Statistic,
	dimensions: Readonly<Record<string, string>>,
): MetricRef {
	return { namespace, name, dimensions, stat };
}
