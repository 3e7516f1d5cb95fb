import { expect, it } from "vitest";
import { EmfMetrics } from "./emf.ts";

const MINUTE = 60_000;
const START = 1_800_000_000_000 - (1_800_000_000_000 % MINUTE);

interface Line {
	_aws: {
		Timestamp: number;
		CloudWatchMetrics: { Namespace: string; Dimensions: string[][]; Metrics: { Name: string; Unit: string }[] }[];
	};
	[key: string]: unknown;
}

function emf() {
	const texts: string[] = [];
	const clock = { now: START + 1_234 };
	const metrics = new EmfMetrics({
		stage: "dev",
		region: "eu-west-1",
		nodeId: "ND_1",
		now: () => clock.now,
		write: (line) => texts.push(line),
	});
	return { metrics, clock, texts, lines: () => texts.map((text) => JSON.parse(text) as Line) };
}

it("one line of a minute, as the embedded metric format has it", () => {
	const { metrics, lines } = emf();
	metrics.record("CallRoundTrip", 75);
	metrics.record("CallRoundTrip", 80.126);
	metrics.record("FreeSlots", 12);
	metrics.record("FreeSlots", 10);
	metrics.flush();
	expect(lines()).toEqual([
		{
			_aws: {
				Timestamp: START,
				CloudWatchMetrics: [
					{
						Namespace: "Trunkline",
						Dimensions: [["Stage", "Region"]],
						Metrics: [
							{ Name: "CallRoundTrip", Unit: "Milliseconds" },
							{ Name: "FreeSlots", Unit: "Count" },
						],
					},
				],
			},
			Stage: "dev",
			Region: "eu-west-1",
			nodeId: "ND_1",
			CallRoundTrip: [75, 80.13],
			FreeSlots: 10,
		},
	]);
});

it("one line for each set of dimensions", () => {
	const { metrics, lines } = emf();
	metrics.record("CallAttempts", 1, { direction: "inbound" });
	metrics.record("CallAttempts", 1, { direction: "outbound" });
	metrics.record("CallAnswers", 1, { direction: "outbound" });
	metrics.flush();
	expect(lines().map(({ Direction, CallAttempts, CallAnswers }) => ({ Direction, CallAttempts, CallAnswers }))).toEqual([
		{ Direction: "inbound", CallAttempts: 1 },
		{ Direction: "outbound", CallAttempts: 1, CallAnswers: 1 },
	]);
	expect(lines()[0]?._aws.CloudWatchMetrics[0]?.Dimensions).toEqual([["Stage", "Region", "Direction"]]);
});

it("a minute goes out when it is over, with its own beginning, and nothing when there is nothing", () => {
	const { metrics, clock, lines } = emf();
	metrics.tick();
	metrics.record("LateFrames", 2);
	clock.now = START + MINUTE - 1;
	metrics.record("LateFrames", 3);
	metrics.tick();
	expect(lines()).toEqual([]);
	clock.now = START + MINUTE;
	metrics.record("LateFrames", 10);
	expect(lines().map(({ _aws, LateFrames }) => [_aws.Timestamp, LateFrames])).toEqual([[START, 5]]);
	clock.now = START + 3 * MINUTE;
	metrics.tick();
	metrics.tick();
	metrics.flush();
	expect(lines().map(({ _aws, LateFrames }) => [_aws.Timestamp, LateFrames])).toEqual([
		[START, 5],
		[START + MINUTE, 10],
	]);
});

it("gauges have one value a minute: the latest, the mean, the highest", () => {
	const { metrics, lines } = emf();
	for (const value of [10, 50, 30]) {
		metrics.record("ActiveCallsPerNode", value);
		metrics.record("NodeCpu", value);
		metrics.record("ClockLateness", value);
	}
	metrics.flush();
	expect(lines()).toEqual([expect.objectContaining({ ActiveCallsPerNode: 30, NodeCpu: 30, ClockLateness: 50 })]);
});

it("of 10,000 values 100 are left, in one line below 16 KB, whose percentiles are those of all", () => {
	const { metrics, texts, lines } = emf();
	for (let index = 0; index < 10_000; index++) metrics.record("CallMos", 1 + ((index * 7_919) % 10_000) / 2_857, { direction: "uplink" });
	metrics.flush();
	expect(texts).toHaveLength(1);
	expect(texts[0]?.length).toBeLessThan(16_000);
	const values = lines()[0]?.["CallMos"] as number[];
	expect(values).toHaveLength(100);
	expect([values[0], values[10], values[50], values[99]]).toEqual([1, 1.35, 2.77, 4.5]);
});

it("what is no number, or no word of the list, makes neither a line nor a series", () => {
	const { metrics, lines } = emf();
	metrics.record("CallRoundTrip", Number.NaN);
	metrics.flush();
	expect(lines()).toEqual([]);
	metrics.record("CallFailures", 1, { reason: "+15550100" as "busy" });
	metrics.flush();
	expect(lines().map(({ Reason }) => Reason)).toEqual(["other"]);
});
