import { describe, expect, it } from "vitest";
import { parseRtcp, writeReceiverReport } from "./rtcp.ts";
import { LossBursts, type VoipMetrics, writeVoipMetrics } from "./rtcp-xr.ts";
import { ReceptionStatistics } from "./sequence.ts";

const METRICS: VoipMetrics = {
	...{ sourceSsrc: 0x01020304, lossRate: 12.8, discardRate: 0, burstDensity: 128, gapDensity: 2, burstMs: 400, gapMs: 70_000 },
	...{ roundTripMs: 41, endSystemMs: 20, rFactor: 82.4, mosListening: 4.36, mosConversation: 4.1, bufferMs: 0 },
};

describe("RFC 3611 §4.7, the VoIP metrics report block", () => {
	it("byte by byte", () => {
		expect(Buffer.from(writeVoipMetrics(0xa1a2a3a4, METRICS)).toString("hex")).toBe(
			[
				...["80cf000a", "a1a2a3a4", "07000008", "01020304", "0d008002", "0190ffff", "00290014"],
				...["7f7f7f10", "527f2c29", "c0000000", "00000000"],
			].join(""),
		);
	});
	it("what is not known is 127, and a round trip 0 (§4.7.3, §4.7.5)", () => {
		const bytes = writeVoipMetrics(1, {
			...METRICS,
			roundTripMs: undefined,
			rFactor: undefined,
			mosListening: undefined,
			mosConversation: undefined,
		});
		expect([...bytes.subarray(24, 26), ...bytes.subarray(32, 36)]).toEqual([0, 0, 127, 127, 127, 127]);
	});
	it("stands in a compound behind the report, and a reader that knows none passes over it", () => {
		const report = writeReceiverReport(7, [], "x");
		const compound = Buffer.concat([report, writeVoipMetrics(7, METRICS)]);
		expect(parseRtcp(compound)?.at(-1)).toEqual({ type: "other", packetType: 207 });
	});
});

describe("RFC 3611 §4.7.2, bursts and gaps", () => {
	it("nothing lost: one gap", () => {
		expect(new LossBursts().summary(20, 500)).toEqual({ burstDensity: 0, gapDensity: 0, burstMs: 0, gapMs: 10_000 });
	});
	it("losses that stand alone are in the gap", () => {
		const bursts = new LossBursts();
		for (let i = 0; i < 5; i++) bursts.lost(1, 99);
		const { burstDensity, gapDensity, burstMs } = bursts.summary(20, 0);
		expect([burstDensity, burstMs]).toEqual([0, 0]);
		expect(gapDensity).toBeCloseTo(256 / 100, 1);
	});
	it("half of the packets of a burst lost: a density of a half, as long as it was", () => {
		const bursts = new LossBursts();
		for (let burst = 0; burst < 20; burst++) {
			bursts.lost(1, 480);
			// one lost, one not: 41 packets
			for (let i = 0; i < 20; i++) bursts.lost(1, 1);
		}
		const { burstDensity, gapDensity, burstMs, gapMs } = bursts.summary(20, 480);
		expect(burstDensity / 256).toBeCloseTo(0.5, 1);
		expect(gapDensity).toBeLessThan(2);
		expect(burstMs / 20).toBeGreaterThan(15);
		expect(burstMs / 20).toBeLessThan(45);
		expect(gapMs / 20).toBeGreaterThan(450);
		expect(gapMs / 20).toBeLessThan(550);
	});
	it("all of a burst lost", () => {
		const bursts = new LossBursts();
		bursts.lost(1, 100);
		bursts.lost(30, 3);
		bursts.lost(10, 200);
		expect(bursts.summary(20, 100).burstDensity).toBeGreaterThan(200);
	});
	it("the statistics of a stream tell them, and begin anew with another stream", () => {
		const statistics = new ReceptionStatistics(8_000);
		const hear = (sequence: number): void => void statistics.onPacket(sequence & 0xffff, sequence * 160, sequence * 20);
		for (let sequence = 65_000; sequence < 66_000; sequence++) if (sequence < 65_530 || sequence > 65_560) hear(sequence);
		expect(statistics.bursts(20).burstDensity).toBe(256);
		statistics.restart();
		for (let sequence = 5; sequence < 105; sequence++) hear(sequence);
		expect(statistics.bursts(20)).toEqual({ burstDensity: 0, gapDensity: 0, burstMs: 0, gapMs: 2_000 });
	});
});
