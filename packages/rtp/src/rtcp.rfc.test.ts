import { expect, it } from "vitest";
import { ntpFromUnixMs, parseRtcp, type ReportBlock, writeBye, writeReceiverReport, writeSenderReport } from "./rtcp.ts";

const block: ReportBlock = {
	ssrc: 0x22222222,
	fractionLost: 12,
	cumulativeLost: -3,
	extendedHighest: 0x00010005,
	jitterTicks: 77,
	lastSr: 0xaabbccdd,
	delaySinceLastSr: 65536,
};

it("sender report and SDES go there and back (RFC 3550 §6.4.1, §6.5)", () => {
	const sender = { ntpSeconds: 1, ntpFraction: 2, rtpTimestamp: 3, packetCount: 4, octetCount: 5 };
	const bytes = writeSenderReport(0x11111111, sender, [block], "a@b");
	expect(bytes.length % 4).toBe(0);
	expect([...bytes.subarray(0, 4)]).toEqual([0x81, 200, 0, 12]);
	expect([...bytes.subarray(52)]).toEqual([0x81, 202, 0, 3, 0x11, 0x11, 0x11, 0x11, 1, 3, 0x61, 0x40, 0x62, 0, 0, 0]);
	expect(parseRtcp(bytes)).toEqual([
		{ type: "sr", ssrc: 0x11111111, sender, reports: [block] },
		{ type: "other", packetType: 202 },
	]);
});

it("receiver report and BYE", () => {
	expect(parseRtcp(writeReceiverReport(5, [block, block]))).toEqual([{ type: "rr", ssrc: 5, reports: [block, block] }]);
	expect([...writeBye(0x01020304)]).toEqual([0x80, 201, 0, 1, 1, 2, 3, 4, 0x81, 203, 0, 1, 1, 2, 3, 4]);
	expect(parseRtcp(writeBye(7))).toEqual([
		{ type: "rr", ssrc: 7, reports: [] },
		{ type: "bye", ssrcs: [7] },
	]);
});

it("refuses lengths that point beyond the end", () => {
	expect(parseRtcp(Uint8Array.of(0x81, 201, 0, 1, 0, 0, 0, 1))).toBeUndefined();
	expect(parseRtcp(Uint8Array.of(0x80, 201, 0, 2, 0, 0, 0, 1))).toBeUndefined();
	expect(parseRtcp(new Uint8Array(0))).toBeUndefined();
});

it("NTP time of the Unix epoch and of half a second later", () => {
	expect(ntpFromUnixMs(0)).toEqual({ ntpSeconds: 2208988800, ntpFraction: 0 });
	expect(ntpFromUnixMs(500)).toEqual({ ntpSeconds: 2208988800, ntpFraction: 0x80000000 });
});
