import { dimensionName, METRIC_NAMESPACE, type MetricDefinition, METRICS, type MetricName } from "./metric-names.ts";
import type { Metrics } from "./metrics.ts";

export interface EmfOptions {
	/** dimensions of every metric */
	stage: string;
	region: string;
	/** found in the lines, and no dimension: a series for each would be paid for each */
	nodeId?: string;
	/** ms since the epoch */
	now(): number;
	/** takes one line, without its end */
	write(line: string): void;
}

/** What CloudWatch takes of one metric in one line (embedded metric format, "Metric values"). */
const MAX_VALUES = 100;
const MINUTE_MS = 60_000;

interface Series {
	name: MetricName;
	dimensions: Readonly<Record<string, string>>;
	values: number[];
}

/**
 * CloudWatch's embedded metric format: JSON lines on standard output from which CloudWatch Logs takes metrics, without an agent. What is
 * recorded within a minute by the wall clock goes out as few lines, one for each set of dimensions; `tick` often, `flush` at the end.
 */
export class EmfMetrics implements Metrics {
	readonly #options: EmfOptions;
	readonly #series = new Map<string, Series>();
	/** the minute that is being gathered, ms since the epoch; undefined while nothing is */
	#minute: number | undefined;

	constructor(options: EmfOptions) {
		this.#options = options;
	}

	record: Metrics["record"] = (name, value, ...[given]) => {
		// A measurement that is no number is somebody's mistake, and no reason to lose the line.
		if (!Number.isFinite(value)) return;
		this.tick();
		this.#minute ??= minuteOf(this.#options.now());
		const dimensions = boundDimensions(METRICS[name], (given ?? {}) as Readonly<Record<string, string>>);
		const key = [name, ...Object.values(dimensions)].join("|");
		const series = this.#series.get(key);
		if (series === undefined) this.#series.set(key, { name, dimensions, values: [value] });
		else gather(series, METRICS[name], value);
	};

	/** Writes the minute that is over, if one is. */
	tick(): void {
		if (this.#minute !== undefined && minuteOf(this.#options.now()) !== this.#minute) this.flush();
	}

	/** Writes what there is. */
	flush(): void {
		const at = this.#minute;
		if (at === undefined) return;
		this.#minute = undefined;
		const lines = new Map<string, Series[]>();
		for (const series of this.#series.values()) {
			const key = Object.entries(series.dimensions).flat().join("|");
			lines.set(key, [...(lines.get(key) ?? []), series]);
		}
		this.#series.clear();
		for (const together of lines.values()) this.#options.write(this.#line(at, together));
	}

	#line(timestamp: number, together: readonly Series[]): string {
		const { stage, region, nodeId } = this.#options;
		const own = Object.entries(together[0]?.dimensions ?? {}).map(([name, value]) => [dimensionName(name), value] as const);
		return JSON.stringify({
			_aws: {
				Timestamp: timestamp,
				CloudWatchMetrics: [
					{
						Namespace: METRIC_NAMESPACE,
						Dimensions: [["Stage", "Region", ...own.map(([name]) => name)]],
						Metrics: together.map(({ name }) => ({ Name: name, Unit: METRICS[name].unit })),
					},
				],
			},
			Stage: stage,
			Region: region,
			...Object.fromEntries(own),
			...(nodeId === undefined ? {} : { nodeId }),
			...Object.fromEntries(together.map(({ name, values }) => [name, written(METRICS[name], values)])),
		});
	}
}

const minuteOf = (at: number): number => Math.floor(at / MINUTE_MS) * MINUTE_MS;

/** Values outside the list are "other" where it has that, and the list's first otherwise: a stranger's word never makes a series. */
function boundDimensions({ dimensions }: MetricDefinition, given: Readonly<Record<string, string>>): Record<string, string> {
	return Object.fromEntries(
		Object.entries(dimensions).map(([name, allowed]) => {
			const value = given[name] ?? "";
			return [name, allowed.includes(value) ? value : allowed.includes("other") ? "other" : (allowed[0] ?? "")];
		}),
	);
}

function gather(series: Series, { kind }: MetricDefinition, value: number): void {
	const [so = 0] = series.values;
	switch (kind) {
		case "counter":
			series.values = [so + value];
			return;
		case "latest":
			series.values = [value];
			return;
		case "highest":
			series.values = [Math.max(so, value)];
			return;
		case "mean":
		case "distribution":
			series.values.push(value);
	}
}

function written({ kind }: MetricDefinition, values: readonly number[]): number | number[] {
	if (kind === "mean") return short(values.reduce((sum, value) => sum + value, 0) / values.length);
	if (kind !== "distribution") return short(values[0] ?? 0);
	return representatives(values).map(short);
}

/** At most 100 of them, evenly spaced in order, the least and the greatest included. */
function representatives(values: readonly number[]): readonly number[] {
	if (values.length <= MAX_VALUES) return values;
	const ordered = [...values].sort((a, b) => a - b);
	return Array.from({ length: MAX_VALUES }, (_, index) => {
		return ordered[Math.round((index * (ordered.length - 1)) / (MAX_VALUES - 1))] ?? 0;
	});
}

/** Two decimals: more are noise, and lines above 16 KB are cut in two on their way out of a container. */
const short = (value: number): number => Math.round(value * 100) / 100;
