import type { Log } from "./logger.ts";
import { type MetricDimensions, METRICS, type MetricName } from "./metric-names.ts";

/** Where measurements go. Called from the media path: it must neither throw nor wait. */
export interface Metrics {
	record<N extends MetricName>(
		name: N,
		value: number,
		...dimensions: Record<never, never> extends MetricDimensions<N> ? [] : [MetricDimensions<N>]
	): void;
}

/** For tests, and where nobody looks. */
export const noMetrics: Metrics = { record: () => {} };

/** One debug line for each measurement. */
export function loggedMetrics(log: Pick<Log, "debug">): Metrics {
	return {
		record: (name, value, ...[dimensions]) => log.debug({ metric: name, value, unit: METRICS[name].unit, ...dimensions }, "measured"),
	};
}
