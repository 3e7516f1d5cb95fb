import { METRICS, type MetricName } from "./metric-names.ts";
import type { Metrics } from "./metrics.ts";

interface Total {
	name: MetricName;
	labels: string;
	/** of a distribution: how many */
	count: number;
	/** of a gauge: the latest */
	value: number;
}

/** Counts beside whatever else takes the measurements: for who has Prometheus and no CloudWatch. */
export class Totals implements Metrics {
	readonly #totals = new Map<string, Total>();
	readonly #next: Metrics;

	constructor(next: Metrics) {
		this.#next = next;
	}

	record: Metrics["record"] = (name, value, ...dimensions) => {
		this.#next.record(name, value, ...dimensions);
		const labels = labelsOf((dimensions[0] ?? {}) as Readonly<Record<string, string>>);
		const key = `${name}${labels}`;
		const total = this.#totals.get(key) ?? { name, labels, count: 0, value: 0 };
		const { kind } = METRICS[name];
		total.count += 1;
		total.value = kind === "counter" || kind === "distribution" ? total.value + value : value;
		this.#totals.set(key, total);
	};

	/** Prometheus' text format: counters and gauges as they are, of distributions sum and count. */
	exposition(): string {
		return [...this.#totals.values()].map(lines).join("");
	}
}

function lines({ name, labels, count, value }: Total): string {
	const metric = `trunkline${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
	switch (METRICS[name].kind) {
		case "counter":
			return `${metric}_total${labels} ${value}\n`;
		case "distribution":
			return `${metric}_sum${labels} ${value}\n${metric}_count${labels} ${count}\n`;
		default:
			return `${metric}${labels} ${value}\n`;
	}
}

/** Values are words of closed lists: nothing in them needs escaping. */
function labelsOf(dimensions: Readonly<Record<string, string>>): string {
	const pairs = Object.entries(dimensions).map(([name, value]) => `${name}="${value}"`);
	return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
