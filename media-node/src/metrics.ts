import { EmfMetrics, type Log, loggedMetrics, type Metrics, Totals } from "@trunkline/observability";

/**
 * Where a node's measurements go: with a stage to CloudWatch, as lines on standard output, and without one to the log at `debug`; in both cases
 * they are counted for /metrics.
 */
export function nodeMetrics(
	{ stage, region, nodeId }: { stage: string | undefined; region: string; nodeId: string },
	log: Pick<Log, "debug">,
): { metrics: Metrics; exposition(): string; flush(): void } {
	const emf =
		stage === undefined
			? undefined
			: new EmfMetrics({ stage, region, nodeId, now: Date.now, write: (line) => void process.stdout.write(`${line}\n`) });
	const totals = new Totals(emf ?? loggedMetrics(log));
	return { metrics: totals, exposition: () => totals.exposition(), flush: () => emf?.flush() };
}
