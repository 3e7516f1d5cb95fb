import { EmfMetrics, type Metrics } from "@trunkline/observability";

/** Lines on standard output that CloudWatch makes metrics of; undefined where no stage is named, as outside of a cloud. */
export function lambdaMetrics(stage: string | undefined, region: string): EmfMetrics | undefined {
	if (stage === undefined) return undefined;
	return new EmfMetrics({ stage, region, now: Date.now, write: (line) => void process.stdout.write(`${line}\n`) });
}

/** For what is rare: each measurement at once, as nobody says when a function runs for the last time. */
export function atOnce(emf: EmfMetrics): Metrics {
	return {
		record: (...measurement) => {
			emf.record(...measurement);
			emf.flush();
		},
	};
}
