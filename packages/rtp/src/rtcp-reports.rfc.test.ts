import { expect, it } from "vitest";
import { parseRtcp, writeReceiverReport } from "./rtcp.ts";
import { RtcpReports } from "./rtcp-reports.ts";
import { ReceptionStatistics } from "./sequence.ts";

const UNIX = 1_700_000_000_000;
const sent = (packets: number): { packets: number; octets: number; timestamp: number } => ({
	packets,
	octets: packets * 160,
	timestamp: packets * 160,
});

/** Two ends over a line that takes `oneWayMs`, all in simulated time. */
function line(): { a: RtcpReports; b: RtcpReports } {
	return { a: new RtcpReports(0xaaaa, "a@x"), b: new RtcpReports(0xbbbb, "b@x") };
}

it("the first report is due after half the interval, later ones after all of it (§6.2)", () => {
	const { a } = line();
	expect(a.dueAt).toBe(Number.POSITIVE_INFINITY);
	a.begin(1000, 0.5);
	expect(a.dueAt).toBeCloseTo(1000 + 2500 / (Math.E - 1.5), 6);
	a.report(a.dueAt, UNIX, 0.5, sent(1), undefined, -1);
	expect(a.dueAt).toBeCloseTo(1000 + 7500 / (Math.E - 1.5), 6);
});

it("the round trip is exact, however long the peer waits with its report, and though its clock is another (§6.4.1)", () => {
	const { a, b } = line();
	const atB = new ReceptionStatistics(8000);
	for (let i = 0; i < 100; i++) if (i % 20 !== 7) atB.onPacket(i, i * 160, i * 20);
	expect(b.receive(a.report(10_000, UNIX, 0.5, sent(100), undefined, -1), 0xaaaa, 500_030)).toBe(true);
	// B answers 3 s later; 45 ms back
	const answer = b.report(503_030, UNIX - 86_400_000, 0.5, sent(50), atB.report(), 0xaaaa);
	expect(a.receive(answer, 0xbbbb, 13_000 + 30 + 45)).toBe(true);
	expect(a.farEnd?.roundTripMs).toBeCloseTo(75, 1);
	// 5 of 100: exactly
	expect(a.farEnd).toMatchObject({ lost: 5, fractionLost: Math.floor((256 * 5) / 100), extendedHighest: 99 });
	expect(parseRtcp(answer)).toMatchObject([
		{ type: "sr", sender: { packetCount: 50, octetCount: 8000 } },
		{ type: "other", packetType: 202 },
	]);
});

it("a clock that is set back between report and answer does not disturb it", () => {
	const { a, b } = line();
	const atB = new ReceptionStatistics(8000);
	atB.onPacket(1, 160, 0);
	b.receive(a.report(0, UNIX, 0.5, sent(1), undefined, -1), 0xaaaa, 20);
	a.report(2000, UNIX - 3_600_000, 0.5, sent(1), undefined, -1);
	a.receive(b.report(4020, UNIX, 0.5, undefined, atB.report(), 0xaaaa), 0xbbbb, 4040);
	expect(a.farEnd?.roundTripMs).toBeCloseTo(40, 1);
});

it("a report of a sender report that was never sent gives no round trip", () => {
	const { a } = line();
	a.report(0, UNIX, 0.5, sent(1), undefined, -1);
	const block = {
		ssrc: 0xaaaa,
		fractionLost: 0,
		cumulativeLost: 3,
		extendedHighest: 9,
		jitterTicks: 8,
		lastSr: 0x12345678,
		delaySinceLastSr: 0,
	};
	expect(a.receive(writeReceiverReport(0xbbbb, [block], "b@x"), 0xbbbb, 100)).toBe(true);
	expect(a.farEnd).toEqual({ lost: 3, fractionLost: 0, jitterTicks: 8, extendedHighest: 9, roundTripMs: undefined, at: 100 });
});

it.each([
	["no RTCP", Uint8Array.of(1, 2, 3)],
	["a BYE alone", Uint8Array.of(0x81, 203, 0, 1, 0, 0, 0xbb, 0xbb)],
	["somebody else's report of somebody else", writeReceiverReport(0xcccc, [], "c@x")],
])("%s says nothing of the session", (_what, bytes) => {
	const { a } = line();
	expect(a.receive(bytes, 0xbbbb, 0)).toBe(false);
	expect(a.farEnd).toBeUndefined();
});

it("whoever has sent nothing writes a receiver report; BYE is a compound too (§6.1, §6.6)", () => {
	const { a } = line();
	expect(parseRtcp(a.report(0, UNIX, 0.5, undefined, undefined, -1))).toEqual([
		{ type: "rr", ssrc: 0xaaaa, reports: [] },
		{ type: "other", packetType: 202 },
	]);
	expect(parseRtcp(a.bye())).toEqual([
		{ type: "rr", ssrc: 0xaaaa, reports: [] },
		{ type: "other", packetType: 202 },
		{ type: "bye", ssrcs: [0xaaaa] },
	]);
});
