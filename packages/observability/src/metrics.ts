import type { Log } from "./logger.ts";

export type MetricUnit = "Count" | "Milliseconds" | "Percent" | "None";

export interface MetricDefinition {
	unit: MetricUnit;
	/** names of what tells its series apart; each has a handful of values, never a number, an address or an id */
	dimensions: readonly string[];
	description: string;
}

/** Every metric there is: whoever makes dashboards and alarms reads it, and nothing else can be recorded. `direction`: uplink = telephone → room. */
export const METRICS = {
	CallMos: { unit: "None", dimensions: ["direction"], description: "mean opinion score of 5 s of a call (ITU-T G.107)" },
	CallPacketLoss: { unit: "Percent", dimensions: ["direction"], description: "of 5 s of a call" },
	CallJitter: { unit: "Milliseconds", dimensions: ["direction"], description: "RFC 3550 §6.4.1" },
	CallRoundTrip: { unit: "Milliseconds", dimensions: [], description: "between node and telephone, from RTCP" },
	CallConcealedFrames: { unit: "Count", dimensions: ["direction"], description: "made up in 5 s because nothing was there to be played" },
	CallLatePackets: { unit: "Count", dimensions: ["direction"], description: "in 5 s" },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof METRICS;

/** Where measurements go. Called from the media path: it must neither throw nor wait. */
export interface Metrics {
	record<N extends MetricName>(
		name: N,
		value: number,
		dimensions?: Partial<Record<(typeof METRICS)[N]["dimensions"][number], string>>,
	): void;
}

/** For tests, and where nobody looks. */
export const noMetrics: Metrics = { record: () => {} };

/** One debug line for each measurement. */
export function loggedMetrics(log: Pick<Log, "debug">): Metrics {
	return {
		record: (name, value, dimensions = {}) => log.debug({ metric: name, value, unit: METRICS[name].unit, ...dimensions }, "measured"),
	};
}
