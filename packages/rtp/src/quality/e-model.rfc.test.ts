import { expect, it } from "vitest";
import { CODEC_IMPAIRMENTS, meanOpinionScore, transmissionRating } from "./e-model.ts";

const { PCMU, opus } = CODEC_IMPAIRMENTS;
const mos = (delayMs: number, lossPercent: number, burstRatio = 1): number =>
	meanOpinionScore(transmissionRating(PCMU, { delayMs, lossPercent, burstRatio }));

// ITU-T G.107 §7.7: all defaults give R = 93.2, and Annex B makes 4.41 of it
it("a perfect line is rated 93.2, 4.41", () => {
	expect(transmissionRating(PCMU, { delayMs: 0, lossPercent: 0 })).toBeCloseTo(93.2, 1);
	expect(mos(0, 0)).toBeCloseTo(4.41, 2);
});

// ITU-T G.107 Table B.1 and G.109 Table 1: the lower limits of "very satisfied" … "nearly all users dissatisfied"
it.each([
	[90, 4.34],
	[80, 4.03],
	[70, 3.6],
	[60, 3.1],
	[50, 2.58],
	[0, 1],
	[-20, 1],
	[3, 1],
	[100, 4.5],
	[120, 4.5],
])("R = %d is a MOS of %d", (rating, expected) => {
	expect(Math.abs(meanOpinionScore(rating) - expected)).toBeLessThan(0.0065);
});

// ITU-T G.114 §II: up to 150 ms nearly everybody is content (R ≥ 89), at 250 ms some are not (below 80), at 400 ms many (about 62)
it.each([
	[100, 90.7],
	[150, 89.5],
	[200, 85.8],
	[250, 79.2],
	[300, 72.7],
	[400, 62.2],
])("%d ms one way: R = %d", (delayMs, rating) => {
	expect(transmissionRating(PCMU, { delayMs, lossPercent: 0 })).toBeCloseTo(rating, 1);
});

// Ie,eff = Ie + (95 − Ie) · Ppl / (Ppl / BurstR + Bpl), G.107 §7.5, worked out by hand
it("loss: G.711 with concealment, and bursts that are worse", () => {
	const perfect = transmissionRating(PCMU, { delayMs: 0, lossPercent: 0 });
	expect(perfect - transmissionRating(PCMU, { delayMs: 0, lossPercent: 5 })).toBeCloseTo((95 * 5) / 30.1, 9);
	expect(perfect - transmissionRating(PCMU, { delayMs: 0, lossPercent: 5, burstRatio: 2 })).toBeCloseTo((95 * 5) / 27.6, 9);
	expect(perfect - transmissionRating(opus, { delayMs: 0, lossPercent: 2 })).toBeCloseTo(5 + (90 * 2) / 21, 9);
	expect(mos(0, 1)).toBeCloseTo(4.33, 2);
	expect(mos(0, 5)).toBeCloseTo(3.92, 2);
	expect(mos(0, 10)).toBeCloseTo(3.41, 2);
	expect(mos(0, 100)).toBeLessThan(1.2);
});
