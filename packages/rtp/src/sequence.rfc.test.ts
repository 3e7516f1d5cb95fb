import { expect, it } from "vitest";
import { ReceptionStatistics, sequenceDelta, timestampDelta, Unwrapper } from "./sequence.ts";

it("differences go the short way round", () => {
	expect(sequenceDelta(65535, 0)).toBe(1);
	expect(sequenceDelta(0, 65535)).toBe(-1);
	expect(sequenceDelta(10, 10)).toBe(0);
	expect(timestampDelta(0xffffff60, 0)).toBe(160);
	expect(timestampDelta(0, 0xffffff60)).toBe(-160);
});

it("unwraps over the edge and back", () => {
	const sequence = new Unwrapper(16);
	expect([65534, 65535, 0, 65533, 2].map((value) => sequence.unwrap(value))).toEqual([65534, 65535, 65536, 65533, 65538]);
	const timestamp = new Unwrapper(32);
	expect([0xffffff00, 0x10].map((value) => timestamp.unwrap(value))).toEqual([0xffffff00, 0x100000010]);
});

it("counts loss per interval and in all (RFC 3550 A.3)", () => {
	const statistics = new ReceptionStatistics(8000);
	for (let i = 0; i < 10; i++) statistics.onPacket((65530 + i) & 0xffff, i * 160, i * 20);
	expect(statistics.report()).toMatchObject({ extendedHighest: 65539, received: 10, expected: 10, cumulativeLost: 0, fractionLost: 0 });
	for (let i = 10; i < 20; i++) if (i % 2 === 1) statistics.onPacket((65530 + i) & 0xffff, i * 160, i * 20);
	expect(statistics.report()).toMatchObject({ received: 15, expected: 20, cumulativeLost: 5, fractionLost: 128 });
	expect(statistics.report().fractionLost).toBe(0);
});

it("jitter follows A.8: J += (|D| - J) / 16", () => {
	const statistics = new ReceptionStatistics(8000);
	statistics.onPacket(0, 0, 0);
	statistics.onPacket(1, 160, 30); // 10 ms late: D = 80 ticks
	expect(statistics.report().jitterTicks).toBe(5);
	statistics.onPacket(2, 320, 40); // D = -80
	expect(statistics.report().jitterMs).toBeCloseTo((5 + (80 - 5) / 16) / 8, 9);
});

it("a restart of the sender is believed at the second packet (A.1)", () => {
	const statistics = new ReceptionStatistics(8000);
	for (let i = 0; i < 5; i++) statistics.onPacket(i, i * 160, i * 20);
	expect(statistics.onPacket(30000, 0, 100)).toBe(false);
	expect(statistics.onPacket(30001, 160, 120)).toBe(true);
	expect(statistics.report()).toMatchObject({ received: 1, expected: 1, extendedHighest: 30001 });
});
