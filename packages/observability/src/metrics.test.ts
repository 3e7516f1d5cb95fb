import { expect, it } from "vitest";
import { METRICS, type MetricDefinition } from "./metric-names.ts";
import { loggedMetrics, noMetrics } from "./metrics.ts";
import { Totals } from "./totals.ts";

it("a measurement is one debug line with its name, value, unit and dimensions", () => {
	const lines: Record<string, unknown>[] = [];
	const metrics = loggedMetrics({ debug: (fields) => lines.push(fields) });
	metrics.record("CallMos", 4.4, { direction: "uplink" });
	metrics.record("CallRoundTrip", 75);
	expect(lines).toEqual([
		{ metric: "CallMos", value: 4.4, unit: "None", direction: "uplink" },
		{ metric: "CallRoundTrip", value: 75, unit: "Milliseconds" },
	]);
});

it("nothing that there are many of tells series apart: a region has fewer than 130 of them, whatever happens", () => {
	const all: MetricDefinition[] = Object.values(METRICS);
	expect([...new Set(all.flatMap(({ dimensions }) => Object.keys(dimensions)))].sort()).toEqual([
		"code",
		"direction",
		"operation",
		"outcome",
		"reason",
		"why",
	]);
	const series = all.reduce(
		(sum, { dimensions }) => sum + Object.values(dimensions).reduce((product, values) => product * values.length, 1),
		0,
	);
	expect(series).toBeLessThan(130);
});

it("totals for Prometheus: counters add up, gauges are the latest, of distributions sum and count", () => {
	const totals = new Totals(noMetrics);
	totals.record("CallAttempts", 1, { direction: "inbound" });
	totals.record("CallAttempts", 2, { direction: "inbound" });
	totals.record("FreeSlots", 9);
	totals.record("FreeSlots", 7);
	totals.record("CallRoundTrip", 20);
	totals.record("CallRoundTrip", 30);
	expect(totals.exposition().split("\n")).toEqual([
		'trunkline_call_attempts_total{direction="inbound"} 3',
		"trunkline_free_slots 7",
		"trunkline_call_round_trip_sum 50",
		"trunkline_call_round_trip_count 2",
		"",
	]);
});
