import { CODEC_IMPAIRMENTS, meanOpinionScore, transmissionRating } from "@trunkline/rtp";
import { expect, it } from "vitest";
import { CallQuality, type QualitySource } from "./call-quality.ts";

const source = (over: Partial<QualitySource> = {}): QualitySource => ({
	codec: "PCMU",
	received: { received: 250, lost: 0, reordered: 0, duplicates: 0, jitterMs: 0 },
	concealedUp: 0,
	levelUp: undefined,
	packetsSent: 250,
	farEnd: undefined,
	room: { missing: 0, late: 0, delayMs: 0 },
	levelDown: undefined,
	...over,
});

const mosOf = (lossPercent: number, delayMs = 20): number =>
	Math.round(meanOpinionScore(transmissionRating(CODEC_IMPAIRMENTS.PCMU, { delayMs, lossPercent })) * 100) / 100;

it("what was made up for the room and what the telephone did not get are both not heard on the telephone, and no loss of its own", () => {
	const quality = new CallQuality();
	quality.begin(0);
	const farEnd = { lost: 5, fractionLost: 0, jitterTicks: 0, extendedHighest: 0, roundTripMs: undefined, at: 0 };
	const { uplink, downlink } = quality.sample(source({ farEnd, room: { missing: 10, late: 3, delayMs: 60 } }), 5_000);
	expect(downlink).toMatchObject({ packets: 250, lost: 5, late: 3, concealed: 10, lossPercent: 6, mos: mosOf(6, 80) });
	expect(uplink).toMatchObject({ packets: 250, lost: 0, lossPercent: 0, mos: mosOf(0) });
});

it("a telephone that got packets twice has not lost fewer than none", () => {
	const quality = new CallQuality();
	quality.begin(0);
	const farEnd = { lost: -7, fractionLost: 0, jitterTicks: 0, extendedHighest: 0, roundTripMs: undefined, at: 0 };
	expect(quality.sample(source({ farEnd }), 5_000).downlink).toMatchObject({ lost: 0, lossPercent: 0 });
});
