/** The value that `share` (0..1) of all values do not exceed (nearest rank); undefined when there are none. */
export function percentile(values: readonly number[], share: number): number | undefined {
	const sorted = [...values].sort((a, b) => a - b);
	return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

export interface Spread {
	count: number;
	p50: number;
	p95: number;
	max: number;
}

/** Undefined when there are no values. */
export function spread(values: readonly number[]): Spread | undefined {
	const [p50, p95, max] = [0.5, 0.95, 1].map((share) => percentile(values, share));
	return p50 === undefined || p95 === undefined || max === undefined ? undefined : { count: values.length, p50, p95, max };
}
