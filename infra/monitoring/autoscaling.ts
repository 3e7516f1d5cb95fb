import { METRIC_NAMESPACE, type MetricName } from "@trunkline/observability/metric-names";

export interface ScalingSpec {
	name: string;
	target: number;
	scaleOutCooldownSeconds: number;
	scaleInCooldownSeconds: number;
	metric: { namespace: string; name: MetricName; dimensions: Readonly<Record<string, string>> } | "cpu";
}

/** Of its calls a node carries so much when as many nodes run as the policy wants; docs/scaling.md has the arithmetic. */
const MOST_LOADED = 0.6;
const CPU_PERCENT = 60;

/** Calls a node that are aimed at: with one node less, the others would have room for them all. */
export function scalingTarget(callsPerNode: number, leastNodes = 2): number {
	const nodes = Math.max(2, leastNodes);
	return Math.max(1, Math.floor(callsPerNode * Math.min(MOST_LOADED, 1 - 1 / nodes)));
}

/** More nodes when either policy asks for them, fewer when both do. */
export function scalingPolicies({
	stage,
	region,
	callsPerNode,
	leastNodes,
}: {
	stage: string;
	region: string;
	callsPerNode: number;
	leastNodes: number;
}): ScalingSpec[] {
	const cooldowns = { scaleOutCooldownSeconds: 30, scaleInCooldownSeconds: 600 };
	const metric = { namespace: METRIC_NAMESPACE, name: "ActiveCallsPerNode", dimensions: { Stage: stage, Region: region } } as const;
	return [
		{ name: "Calls", target: scalingTarget(callsPerNode, leastNodes), metric, ...cooldowns },
		{ name: "Cpu", target: CPU_PERCENT, metric: "cpu", ...cooldowns },
	];
}
