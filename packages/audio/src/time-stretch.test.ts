import { describe, expect, it } from "vitest";
import { dominantTone } from "./measure.ts";
import { lengthen, shorten } from "./time-stretch.ts";
import { tone } from "./tone.ts";

const RATE = 8_000;

/** Steepest bend of a curve: what a click is. */
function bend(pcm: Int16Array, length: number): number {
	let most = 0;
	for (let i = 2; i < length; i++) most = Math.max(most, Math.abs((pcm[i] ?? 0) - 2 * (pcm[i - 1] ?? 0) + (pcm[i - 2] ?? 0)));
	return most;
}

describe.each([8_000, 16_000])("at %i Hz", (rate) => {
	const length = (rate * 40) / 1_000;
	it.each([90, 150, 333, 440, 1_000])("a tone of %i Hz loses and gains whole periods, without a seam", (hz) => {
		for (const stretch of [shorten, lengthen]) {
			const pcm = tone(rate, hz, 60, -12);
			const before = bend(pcm, length);
			const change = stretch(pcm, length, rate, rate, 0.9);
			const after = stretch === shorten ? length - change : length + change;
			expect(change).toBeGreaterThanOrEqual(rate / 400);
			// whole periods, as far as samples allow
			const periods = (change * hz) / rate;
			expect(Math.abs(periods - Math.round(periods))).toBeLessThan(0.06);
			expect(bend(pcm, after)).toBeLessThan(before * 1.2 + 20);
			const heard = dominantTone(pcm.subarray(0, after), rate);
			expect(heard?.hz).toBeGreaterThan(hz * 0.97);
			expect(heard?.hz).toBeLessThan(hz * 1.03);
		}
	});
});

it("no more than is allowed goes, and nothing where the shortest period is more than that", () => {
	expect(shorten(tone(RATE, 440, 40, -12), 320, RATE, 30, 0.5)).toBeLessThanOrEqual(30);
	expect(shorten(tone(RATE, 440, 40, -12), 320, RATE, 19, 0.5)).toBe(0);
	expect(lengthen(new Int16Array(320), 320, RATE, 320, 0)).toBe(0);
});

it("sound in which nothing repeats itself stays as it is, unless that is asked for; silence is cut anywhere", () => {
	const noise = Int16Array.from({ length: 320 }, (_, i) => ((i * 7_919 * (i + 3)) % 20_011) - 10_005);
	const before = noise.slice();
	expect(shorten(noise, 320, RATE, 320, 0.9)).toBe(0);
	expect(noise).toEqual(before);
	expect(shorten(noise, 320, RATE, 320, 0)).toBeGreaterThan(0);
	expect(shorten(new Int16Array(320), 320, RATE, 320, 0.99)).toBe(120);
});
