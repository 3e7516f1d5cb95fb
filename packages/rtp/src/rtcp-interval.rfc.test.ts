import { expect, it } from "vitest";
import { rtcpIntervalMs } from "./rtcp-interval.ts";

const audio = { bandwidth: 64_000, averageBytes: 120 };
const C = Math.E - 1.5;

// RFC 3550 §6.3.1: T = [0.5, 1.5] Td / (e − 3/2), Td = max(Tmin, n C)
it("two parties: five seconds, half of it at first, spread over half to one and a half", () => {
	expect(rtcpIntervalMs(0, audio)).toBeCloseTo(2500 / C, 9);
	expect(rtcpIntervalMs(0.5, audio)).toBeCloseTo(5000 / C, 9);
	expect(rtcpIntervalMs(0.999999, audio)).toBeLessThan(7500 / C);
	expect(rtcpIntervalMs(0.5, { ...audio, initial: true })).toBeCloseTo(2500 / C, 9);
});

it("many parties share a twentieth of the bandwidth", () => {
	// 1000 × 120 bytes × 8 = 960 kbit at 3200 bit/s
	expect(rtcpIntervalMs(0.5, { ...audio, members: 1000 })).toBeCloseTo(300_000 / C, 6);
});

it("the reduced minimum is 360 s over the kbit/s, where that is less", () => {
	expect(rtcpIntervalMs(0.5, { ...audio, reducedMinimum: true })).toBeCloseTo(5000 / C, 9);
	expect(rtcpIntervalMs(0.5, { bandwidth: 720_000, averageBytes: 120, reducedMinimum: true })).toBeCloseTo(500 / C, 9);
});
