import { expect, it } from "vitest";
import { DirectionQuality, type QualityCounts } from "./direction.ts";

const CLEAN = { codec: "PCMU", jitterMs: 1, roundTripMs: undefined, bufferMs: 20 } as const;
const counts = (over: Partial<QualityCounts> = {}): QualityCounts => ({
	...{ packets: 0, lost: 0, late: 0, duplicates: 0, concealed: 0, expected: 0, unheard: 0 },
	...over,
});

it("an interval has what came since the one before; the summary has all", () => {
	const quality = new DirectionQuality(5000);
	quality.sample(counts({ packets: 250, expected: 250 }), CLEAN);
	const second = quality.sample(counts({ packets: 475, lost: 25, late: 2, duplicates: 1, expected: 500, unheard: 25 }), {
		...CLEAN,
		jitterMs: 3,
		roundTripMs: 100,
		level: 30,
	});
	expect(second).toEqual({
		...{ packets: 225, lost: 25, late: 2, duplicates: 1, concealed: 0, lossPercent: 10, jitterMs: 3, roundTripMs: 100, level: 30 },
		mos: 3.32,
	});
	expect(quality.summary(counts({ packets: 475, lost: 25, late: 2, duplicates: 1 }))).toEqual({
		...{ packets: 475, lost: 25, late: 2, duplicates: 1, concealed: 0 },
		...{ jitterMs: 2, maxJitterMs: 3, roundTripMs: 100, maxRoundTripMs: 100, level: 30, mos: 3.86, minMos: 3.32 },
		scores: { everyMs: 5000, mos: [4.4, 3.32], lossPercent: [0, 10], levelDbov: [null, -30] },
	});
});

it("an interval without audio, on hold, has no score", () => {
	const quality = new DirectionQuality(5000);
	quality.sample(counts({ packets: 250, expected: 250 }), CLEAN);
	expect(quality.sample(counts({ packets: 250, expected: 250 }), CLEAN).mos).toBeUndefined();
	expect(quality.summary(counts()).scores.mos).toEqual([4.4]);
});

it("a day's call has no larger summary than five minutes", () => {
	const quality = new DirectionQuality(5000);
	const intervals = (24 * 3600) / 5;
	for (let i = 1; i <= intervals; i++) {
		// the second half of the day loses a tenth
		const lost = Math.max(0, i - intervals / 2) * 25;
		const level = i <= intervals / 4 ? {} : { level: i <= intervals / 2 ? 20 : 30 };
		quality.sample(counts({ packets: i * 250 - lost, lost, expected: i * 250, unheard: lost }), { ...CLEAN, ...level });
	}
	const { scores } = quality.summary(counts());
	expect(scores.mos.length).toBeGreaterThanOrEqual(30);
	expect(scores.mos.length).toBeLessThanOrEqual(60);
	expect(scores.everyMs * scores.mos.length).toBeGreaterThanOrEqual(24 * 3600 * 1000);
	expect([scores.mos[0], scores.mos.at(-1)]).toEqual([4.4, 3.38]);
	expect([scores.lossPercent[0], scores.lossPercent.at(-1)]).toEqual([0, 10]);
	expect([scores.levelDbov[0], scores.levelDbov.at(-1)]).toEqual([null, -30]);
	expect([scores.lossPercent.length, scores.levelDbov.length]).toEqual([scores.mos.length, scores.mos.length]);
});
