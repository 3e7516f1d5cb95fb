import { describe, expect, it } from "vitest";
import { ReceptionStatistics } from "./reception.ts";

describe("reception statistics", () => {
	it("say nothing before the first packet", () => {
		expect(new ReceptionStatistics().report(0)).toBeUndefined();
	});

	it("count loss since the start and since the last report, over the wrap of the sequence number", () => {
		const statistics = new ReceptionStatistics();
		let at = 0;
		const receive = (sequence: number) => statistics.receive(sequence, at * 8, 8000, (at += 20));
		for (const sequence of [65_532, 65_533, 65_535, 0]) receive(sequence);
		// expected 65532 … 65536: 5, received 4
		expect(statistics.report(at)).toMatchObject({ fractionLost: Math.floor(256 / 5), packetsLost: 1, highestSequence: 65_536 });
		for (const sequence of [1, 2, 3, 4]) receive(sequence);
		expect(statistics.report(at)).toMatchObject({ fractionLost: 0, packetsLost: 1, highestSequence: 65_540 });
	});

	it("do not take a late packet for a wrap", () => {
		const statistics = new ReceptionStatistics();
		for (const sequence of [10, 12, 11]) statistics.receive(sequence, 0, 8000, 0);
		expect(statistics.report(0)).toMatchObject({ packetsLost: 0, highestSequence: 12 });
	});

	// RFC 3550 A.1: two packets in a row behind a large jump are a source that started anew
	it("count on from where a source goes on after a jump", () => {
		const statistics = new ReceptionStatistics();
		let at = 0;
		for (const sequence of [10, 11, 12, 40_000, 40_001, 40_002, 40_004]) statistics.receive(sequence, at * 8, 8000, (at += 20));
		expect(statistics.report(at)).toMatchObject({ highestSequence: 40_004, packetsLost: 1 });
	});

	it("measure jitter as RFC 3550 A.8 does", () => {
		const even = new ReceptionStatistics();
		for (let i = 0; i < 50; i++) even.receive(i, i * 160, 8000, i * 20);
		expect(even.report(0)?.jitter).toBe(0);
		const uneven = new ReceptionStatistics();
		// every other packet 5 ms late: differences of 40 ticks, towards which the estimate converges
		for (let i = 0; i < 500; i++) uneven.receive(i, i * 160, 8000, i * 20 + (i % 2) * 5);
		expect(uneven.report(0)?.jitter).toBe(40);
	});

	it("answer a sender report with its middle 32 bits and the time since", () => {
		const statistics = new ReceptionStatistics();
		statistics.receive(1, 0, 8000, 0);
		statistics.senderReport({ ntpSeconds: 0x1122_3344, ntpFraction: 0x5566_7788 }, 1000);
		expect(statistics.report(1500)).toMatchObject({ lsr: 0x3344_5566, dlsr: 32_768 });
	});
});
