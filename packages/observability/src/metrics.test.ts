import { expect, it } from "vitest";
import { loggedMetrics, METRICS, type MetricName } from "./metrics.ts";

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

it("nothing that there are many of tells series apart", () => {
	const dimensions = new Set((Object.keys(METRICS) as MetricName[]).flatMap((name): string[] => [...METRICS[name].dimensions]));
	expect([...dimensions]).toEqual(["direction"]);
});
