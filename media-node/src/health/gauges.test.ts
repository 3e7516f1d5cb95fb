import { afterEach, expect, it } from "vitest";
import type { Metrics } from "@trunkline/observability";
import { Gauges, type NodeReading } from "./gauges.ts";

let gauges: Gauges | undefined;
afterEach(() => gauges?.stop());

it("gauges as they are, counters as what came since, CPU as a share of all cores", () => {
	const recorded: [string, number, unknown][] = [];
	const metrics: Metrics = { record: (name, value, ...[dimensions]) => void recorded.push([name, value, dimensions]) };
	const reading: NodeReading = { inbound: 3, outbound: 4, freeSlots: 13, lateMs: 7, lateFrames: 10, dropped: 100, bannedSources: 2 };
	const clock = { ms: 0, micros: 5_000_000 };
	gauges = new Gauges({ metrics, read: () => reading, now: () => clock.ms, cpuMicros: () => clock.micros, cores: 2, everyMs: 60_000 });
	const first = new Map(recorded.map(([name, value]) => [name, value]));
	expect([first.get("LateFrames"), first.get("DroppedDatagrams"), first.has("NodeCpu")]).toEqual([10, 100, false]);
	recorded.length = 0;
	clock.ms += 10_000;
	// 5 s of processor in 10 s on two cores
	clock.micros += 5_000_000;
	Object.assign(reading, { lateFrames: 25, dropped: 100 });
	gauges.sample();
	expect(recorded).toEqual([
		["ActiveCallsPerNode", 7, undefined],
		["ActiveCalls", 3, { direction: "inbound" }],
		["ActiveCalls", 4, { direction: "outbound" }],
		["FreeSlots", 13, undefined],
		["ClockLateness", 7, undefined],
		["BannedSources", 2, undefined],
		["LateFrames", 15, undefined],
		["DroppedDatagrams", 0, undefined],
		["NodeCpu", 25, undefined],
	]);
});
