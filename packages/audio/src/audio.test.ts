import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ComfortNoise } from "./comfort-noise.ts";
import { LossConcealment } from "./conceal.ts";
import { encodeG711 } from "./g711.ts";
import { audioLevelG711, audioLevelPcm, rmsDbov } from "./level.ts";
import { dominantTone, measureTone } from "./measure.ts";
import { mix, mixMinus, softLimit } from "./mix.ts";
import { Resampler } from "./resample.ts";
import { dtmfFrequencies, tone, ToneGenerator } from "./tone.ts";

describe("measureTone, dominantTone", () => {
	it.each([
		[440, -20],
		[1004, -3.0103],
		[3333, -40],
	])("finds %d Hz at %d dBov", (hz, level) => {
		const found = dominantTone(tone(8000, hz, 500, level), 8000);
		expect(found?.hz).toBeCloseTo(hz, 0);
		expect(found?.levelDb).toBeCloseTo(level, 1);
		expect(found?.share).toBeGreaterThan(0.98);
	});

	it("does not hear another frequency", () => {
		const pcm = tone(8000, 440, 500, -20);
		expect(measureTone(pcm, 8000, 660).levelDb).toBeLessThan(-80);
		expect(measureTone(new Int16Array(800), 8000, 440)).toEqual({
			levelDb: Number.NEGATIVE_INFINITY,
			totalDb: Number.NEGATIVE_INFINITY,
			share: 0,
		});
		expect(dominantTone(new Int16Array(800), 8000)).toBeUndefined();
	});

	it("tells the parts of a mixture apart", () => {
		const out = new Int16Array(4000);
		mix([tone(8000, 440, 500, -20), tone(8000, 1000, 500, -26)], out);
		expect(measureTone(out, 8000, 440).levelDb).toBeCloseTo(-20, 1);
		expect(measureTone(out, 8000, 1000).levelDb).toBeCloseTo(-26, 1);
		expect(dominantTone(out, 8000, 700)?.hz).toBeCloseTo(1000, 0);
	});
});

describe("audio level (RFC 6464)", () => {
	it.each([-10, -20, -40])("a tone of %d dBov, linear and in both laws", (level) => {
		const pcm = tone(8000, 1000, 100, level);
		expect(audioLevelPcm(pcm)).toBe(-level);
		for (const codec of ["PCMU", "PCMA"] as const) {
			const bytes = new Uint8Array(pcm.length);
			encodeG711(codec, pcm, bytes);
			expect(audioLevelG711(codec, bytes)).toBe(-level);
		}
	});

	it("silence is 127, a full square wave 0", () => {
		expect(audioLevelPcm(new Int16Array(160))).toBe(127);
		expect(audioLevelG711("PCMU", new Uint8Array(160).fill(0xff))).toBe(127);
		expect(audioLevelPcm(Int16Array.from({ length: 160 }, (_, i) => (i % 2 === 0 ? 32767 : -32768)))).toBe(0);
		expect(audioLevelPcm(new Int16Array(0))).toBe(127);
	});
});

describe("Resampler", () => {
	const pairs = [
		[48000, 8000],
		[8000, 48000],
		[16000, 8000],
		[8000, 16000],
		[48000, 16000],
		[16000, 48000],
		[44100, 8000],
	] as const;

	it.each(pairs)("%d to %d Hz keeps a 1 kHz tone's frequency and level", (from, to) => {
		const out = new Resampler(from, to).process(tone(from, 1000, 600, -12));
		const steady = out.subarray(to / 10);
		const found = dominantTone(steady, to);
		expect(found?.hz).toBeCloseTo(1000, 0);
		expect(found?.levelDb).toBeCloseTo(-12, 1);
		expect(found?.share).toBeGreaterThan(0.999);
	});

	it("passes a telephone's band (300 to 3400 Hz) within 0.5 dB", () => {
		for (const hz of [300, 2000, 3000, 3400]) {
			const out = new Resampler(48000, 8000).process(tone(48000, hz, 500, -12)).subarray(800);
			expect(Math.abs(measureTone(out, 8000, hz).levelDb + 12)).toBeLessThan(0.5);
		}
	});

	it.each([4600, 5000, 7000, 9500, 15000, 23000])("%d Hz, which 8 kHz cannot hold, is at least 60 dB down", (hz) => {
		const out = new Resampler(48000, 8000).process(tone(48000, hz, 500, -6)).subarray(800);
		expect(rmsDbov(out)).toBeLessThan(-66);
	});

	it("images above 4 kHz are at least 60 dB down on the way up", () => {
		const out = new Resampler(8000, 48000).process(tone(8000, 3000, 500, -6)).subarray(4800);
		for (const image of [5000, 11000, 13000, 19000]) expect(measureTone(out, 48000, image).levelDb).toBeLessThan(-66);
	});

	it("a stream in pieces of any size gives the same samples as in one piece, and the exact length", () => {
		fc.assert(
			fc.property(fc.constantFrom(...pairs), fc.array(fc.nat(700), { minLength: 1, maxLength: 12 }), ([from, to], sizes) => {
				const total = sizes.reduce((sum, size) => sum + size, 0);
				const input = new ComfortNoise(42, -12).fill(new Int16Array(total));
				const whole = new Resampler(from, to).process(input);
				expect(whole.length).toBe(Math.ceil((total * to) / from));
				const resampler = new Resampler(from, to);
				const pieces: number[] = [];
				let at = 0;
				for (const size of sizes) {
					pieces.push(...resampler.process(input.subarray(at, at + size)));
					at += size;
				}
				expect(pieces).toEqual([...whole]);
			}),
			{ numRuns: 60 },
		);
	});

	it("delays by what it says, below 2 ms between 48 and 8 kHz", () => {
		const resampler = new Resampler(48000, 8000);
		expect(resampler.delayMs).toBeLessThan(2);
		const click = new Int16Array(4800);
		click[480] = 32767;
		const out = resampler.process(click);
		const peak = out.indexOf(out.reduce((a, b) => Math.max(a, b)));
		expect(Math.abs(peak / 8 - 10 - resampler.delayMs)).toBeLessThan(0.13);
	});

	it("equal rates change nothing; odd ratios are refused", () => {
		expect([...new Resampler(8000, 8000).process(Int16Array.of(1, -2, 32767, -32768))]).toEqual([1, -2, 32767, -32768]);
		expect(() => new Resampler(8000, 44101)).toThrow(RangeError);
		expect(() => new Resampler(0, 8000)).toThrow(RangeError);
	});
});

describe("mixing", () => {
	it("nobody hears themselves", () => {
		const hz = [440, 700, 1200];
		const sources = hz.map((frequency) => tone(8000, frequency, 200, -20));
		const outputs = hz.map(() => new Int16Array(1600));
		mixMinus(sources, outputs, new Int32Array(1600));
		for (const [k, out] of outputs.entries())
			for (const [j, frequency] of hz.entries()) {
				const level = measureTone(out, 8000, frequency).levelDb;
				expect(j === k ? level < -75 : Math.abs(level + 20) < 0.05, `output ${k} holds ${frequency} Hz at ${level} dBov`).toBe(true);
			}
	});

	it("a silent member hears the others; a lone talker goes through unchanged", () => {
		const talker = tone(8000, 440, 20, -3.1);
		const outputs = [new Int16Array(160), new Int16Array(160)];
		mixMinus([talker, undefined], outputs, new Int32Array(160));
		expect([...(outputs[0] ?? [])].every((sample) => sample === 0)).toBe(true);
		const out = new Int16Array(160);
		mix([talker], out);
		expect(out).toEqual(talker);
	});

	it("the limiter is monotonic, odd, exact below the knee and never beyond full scale", () => {
		fc.assert(
			fc.property(fc.integer({ min: -2_000_000, max: 2_000_000 }), (sum) => {
				const limited = softLimit(sum);
				expect(Math.abs(limited)).toBeLessThanOrEqual(32767);
				expect(softLimit(-sum) + limited).toBe(0);
				expect(softLimit(sum + 1)).toBeGreaterThanOrEqual(limited);
				expect(Math.abs(sum) > 24576 || limited === sum).toBe(true);
			}),
		);
	});
});

describe("tones", () => {
	it("goes on where it stopped", () => {
		const generator = new ToneGenerator(8000, [440], -20);
		const pieces = Array.from({ length: 10 }, () => [...generator.fill(new Int16Array(160))]).flat();
		expect(pieces).toEqual([...tone(8000, 440, 200, -20)]);
	});

	it("DTMF pairs of Q.23", () => {
		expect(["1", "5", "0", "#", "*", "d"].map(dtmfFrequencies)).toEqual([
			[697, 1209],
			[770, 1336],
			[941, 1336],
			[941, 1477],
			[941, 1209],
			[941, 1633],
		]);
		expect(dtmfFrequencies("x")).toBeUndefined();
		expect(dtmfFrequencies("")).toBeUndefined();
	});
});

describe("LossConcealment", () => {
	it("carries a tone over one lost frame, fades to nothing, and comes back without a step", () => {
		const pcm = tone(8000, 200, 200, -10);
		const concealment = new LossConcealment(8000);
		for (let i = 0; i < 5; i++) concealment.received(pcm.slice(i * 160, (i + 1) * 160));
		const lost = [0, 1, 2, 3].map(() => concealment.conceal(new Int16Array(160)).slice());
		expect(rmsDbov(lost[0] ?? new Int16Array(0))).toBeGreaterThan(-12);
		expect(dominantTone(lost[0] ?? new Int16Array(0), 8000, 100, 400)?.hz).toBeGreaterThan(180);
		expect(rmsDbov(lost[2] ?? new Int16Array(0))).toBeLessThan(-16);
		expect(rmsDbov(lost[3] ?? new Int16Array(0))).toBe(Number.NEGATIVE_INFINITY);
		// 200 Hz at this level moves by at most 2300 per sample; the seam must not be worse
		const before = pcm[799] ?? 0;
		expect(Math.abs((lost[0]?.[0] ?? 0) - before)).toBeLessThan(2400);
		const back = pcm.slice(800, 960);
		const untouched = back.slice();
		concealment.received(back);
		expect(Math.abs(back[0] ?? 99)).toBeLessThan(300);
		expect([...back.subarray(40)]).toEqual([...untouched.subarray(40)]);
	});

	it("before anything was heard it is silent", () => {
		expect([...new LossConcealment(48000).conceal(new Int16Array(960))].every((sample) => sample === 0)).toBe(true);
	});
});

it("comfort noise has the level asked for, and another one for another seed", () => {
	const noise = new ComfortNoise(7, -50).fill(new Int16Array(8000));
	expect(rmsDbov(noise)).toBeCloseTo(-50, 0);
	expect([...new ComfortNoise(7, -50).fill(new Int16Array(50))]).toEqual([...noise.subarray(0, 50)]);
	expect([...new ComfortNoise(8, -50).fill(new Int16Array(50))]).not.toEqual([...noise.subarray(0, 50)]);
});
