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

it("totals: lost, reordered and repeated packets are told apart, over the edge and over a change of source", () => {
	const statistics = new ReceptionStatistics(8000);
	const order = [65530, 65531, 65533, 65532, 65534, 65534, 65535, 1, 1, 0, 4, 3, 5];
	order.forEach((sequence, i) => statistics.onPacket(sequence, i * 160, i * 20));
	// 2 never came; 65532, 0 and 3 came late; 65534 and 1 came twice
	expect(statistics.totals()).toMatchObject({ received: 13, lost: 1, reordered: 3, duplicates: 2 });
	expect(statistics.totals(), "asking changes nothing").toMatchObject({ received: 13, lost: 1 });
	statistics.restart();
	for (const sequence of [9000, 9001, 9003]) statistics.onPacket(sequence, sequence * 160, 0);
	expect(statistics.totals()).toMatchObject({ received: 16, lost: 2, reordered: 3, duplicates: 2 });
	expect(statistics.report(), "a report is of the new source alone").toMatchObject({ received: 3, expected: 4, extendedHighest: 9003 });
});

it("one in twenty lost: exactly", () => {
	const statistics = new ReceptionStatistics(8000);
	for (let i = 0; i < 10_000; i++) if (i % 20 !== 19) statistics.onPacket((60_000 + i) & 0xffff, i * 160, i * 20);
	// the last one that is missing has nothing behind it to tell of it
	expect(statistics.totals()).toEqual({ received: 9500, lost: 499, reordered: 0, duplicates: 0, jitterMs: 0 });
});

it("digits, whose packets all have the time of the first, are no jitter (RFC 4733 §2.2)", () => {
	const statistics = new ReceptionStatistics(8000);
	for (let i = 0; i < 50; i++) statistics.onPacket(i, i < 20 ? i * 160 : 3200, i * 20, i < 20);
	expect(statistics.totals()).toEqual({ received: 50, lost: 0, reordered: 0, duplicates: 0, jitterMs: 0 });
});
