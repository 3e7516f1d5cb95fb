import { describe, expect, it, test } from "vitest";
import { CALL_PROGRESS_COUNTRIES, callProgress, callProgressCountry, CallProgressGenerator, cadenceSounds } from "./call-progress.ts";
import { dominantTone, measureTone } from "./measure.ts";

const KINDS = ["dial", "ringback", "busy", "congestion"] as const;

/** What one hears: ms at which sound begins and ends, to 10 ms. */
function edges(pcm: Int16Array): number[] {
	const loud = (at: number): boolean => pcm.subarray(at, at + 80).some((sample) => Math.abs(sample) > 300);
	const found: number[] = [];
	for (let at = 80; at < pcm.length; at += 80) if (loud(at) !== loud(at - 80)) found.push(at / 8);
	return found;
}

describe("every country of the table", () => {
	test.each(CALL_PROGRESS_COUNTRIES.flatMap((country) => KINDS.map((kind) => [country, kind] as const)))(
		"%s %s: frequencies and cadence",
		(country, kind) => {
			const { hz, cadence, swellHz } = callProgress(kind, country);
			const period = cadence.reduce((sum, ms) => sum + ms, 0);
			const pcm = new CallProgressGenerator(kind, 8_000, country).fill(new Int16Array(8 * Math.max(2_000, period)));
			const first = pcm.subarray(80, Math.min(4_000, 8 * (cadence[0] ?? 2_000)) - 80);
			for (const frequency of hz) {
				// what swells has two thirds of its power in two more tones beside it
				const level = measureTone(first, 8_000, frequency).levelDb;
				expect(level).toBeGreaterThan(swellHz === undefined ? -21.5 : -28);
				expect(level).toBeLessThan(-18.5);
			}
			if (hz.length === 1 && swellHz === undefined) expect(Math.abs((dominantTone(first, 8_000)?.hz ?? 0) - (hz[0] ?? 0))).toBeLessThan(3);
			if (swellHz !== undefined) return;
			const expected: number[] = [];
			let at = 0;
			for (const ms of cadence.slice(0, -1)) expected.push((at += ms));
			const heard = edges(pcm.subarray(0, 8 * period));
			expect(heard.length).toBe(expected.length);
			for (const [index, edge] of expected.entries()) expect(Math.abs((heard[index] ?? 0) - edge)).toBeLessThanOrEqual(15);
		},
	);
});

it("known ones: the United States, the United Kingdom, Germany, India; unknown ones are ETSI's", () => {
	expect(callProgress("ringback", "US")).toEqual({ hz: [440, 480], cadence: [2_000, 4_000] });
	expect(callProgress("ringback", "gb")).toEqual({ hz: [400, 450], cadence: [400, 200, 400, 2_000] });
	expect(callProgress("busy", "DE")).toEqual({ hz: [425], cadence: [480, 480] });
	expect(callProgress("ringback", "IN")).toEqual({ hz: [400], swellHz: 25, cadence: [400, 200, 400, 2_000] });
	expect(callProgress("ringback", "XX")).toEqual({ hz: [425], cadence: [1_000, 4_000] });
	expect(callProgress("busy")).toEqual({ hz: [425], cadence: [500, 500] });
	expect(cadenceSounds(callProgress("dial"), 123_456)).toBe(true);
});

it("a swell: 400 Hz that comes and goes 25 times a second", () => {
	const pcm = new CallProgressGenerator("dial", 8_000, "IN").fill(new Int16Array(8_000)).subarray(800);
	const side = measureTone(pcm, 8_000, 425).levelDb;
	expect(side).toBeCloseTo(measureTone(pcm, 8_000, 375).levelDb, 0);
	expect(measureTone(pcm, 8_000, 400).levelDb - side).toBeCloseTo(6, 0);
});

test.each([
	["+14155552671", "US"],
	["+442079460018", "GB"],
	["+35316654321", undefined],
	["+351211234567", "PT"],
	["+886212345678", "TW"],
	["4915112345678", undefined],
	["+49", undefined],
	["anna", undefined],
])("%s: %s", (number, country) => {
	expect(callProgressCountry(number)).toBe(country);
});
