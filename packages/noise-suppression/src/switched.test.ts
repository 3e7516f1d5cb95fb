import { measureTone, tone } from "@trunkline/audio";
import { expect, test } from "vitest";
import type { NoiseSuppressor } from "./suppressor.ts";
import { SwitchedSuppression } from "./switched.ts";

const RATE = 8_000;
const FRAME = 160;

/** Half as loud, 8 ms later. */
class Halver implements NoiseSuppressor {
	readonly sampleRate = RATE;
	readonly frameSamples = 64;
	readonly delaySamples = 0;

	process(input: Float32Array, output: Float32Array): void {
		for (let index = 0; index < input.length; index++) output[index] = (input[index] ?? 0) / 2;
	}
}

/** Sends a tone through, 20 ms at a time; `at` is called before each frame with its number. Gives what came and which frames were changed. */
function through(switched: SwitchedSuppression, frames: number, at: (frame: number) => void = () => {}) {
	const input = tone(RATE, 400, frames * 20, -12);
	const heard = Int16Array.from(input);
	const changed: number[] = [];
	for (let frame = 0; frame < frames; frame++) {
		at(frame);
		if (switched.process(heard.subarray(frame * FRAME, (frame + 1) * FRAME), RATE)) changed.push(frame);
	}
	return { input, heard, changed };
}

const steepest = (samples: Int16Array): number =>
	samples.reduce((most, sample, index) => Math.max(most, Math.abs(sample - (samples[index - 1] ?? sample))), 0);

test("off, it is not in the path", () => {
	const switched = new SwitchedSuppression(() => {
		throw new Error("nobody wants one");
	});
	const { input, heard, changed } = through(switched, 10);
	expect(changed).toEqual([]);
	expect(heard).toEqual(input);
	expect(switched.active).toBe(false);
});

test("on from the 10th frame to the 30th: what is before and after is as it came, and nothing clicks", () => {
	const switched = new SwitchedSuppression(() => new Halver());
	const { input, heard, changed } = through(switched, 50, (frame) => {
		if (frame === 10) switched.set(1);
		if (frame === 30) switched.set(undefined);
	});
	// One frame to fill its delay, one to fade out.
	expect(changed).toEqual(Array.from({ length: 20 }, (_, index) => 11 + index));
	expect(heard.subarray(0, 11 * FRAME)).toEqual(input.subarray(0, 11 * FRAME));
	expect(heard.subarray(31 * FRAME)).toEqual(input.subarray(31 * FRAME));
	expect(switched.active).toBe(false);
	const middle = measureTone(heard.subarray(15 * FRAME, 25 * FRAME), RATE, 400).levelDb;
	expect(middle).toBeCloseTo(measureTone(input, RATE, 400).levelDb - 6.02, 1);
	expect(steepest(heard)).toBeLessThan(1.3 * steepest(input));
});

test("switched off before it was heard, it goes at once", () => {
	const switched = new SwitchedSuppression(() => new Halver());
	const { input, heard, changed } = through(switched, 4, (frame) => switched.set(frame === 0 ? 1 : undefined));
	expect(changed).toEqual([]);
	expect(heard).toEqual(input);
});

test("another rate begins anew, with the delay of that rate", () => {
	let made = 0;
	const switched = new SwitchedSuppression(() => {
		made += 1;
		return new Halver();
	});
	switched.set(1);
	const frames = (rate: number): boolean[] => Array.from({ length: 4 }, () => switched.process(new Int16Array(rate / 50), rate));
	expect(frames(RATE)).toEqual([false, true, true, true]);
	expect(frames(16_000)).toEqual([false, true, true, true]);
	expect(made).toBe(2);
});

test("what a suppressor throws leaves the samples as they came", () => {
	const broken: NoiseSuppressor = Object.assign(new Halver(), {
		process: () => {
			throw new Error("broken");
		},
	});
	const switched = new SwitchedSuppression(() => broken);
	switched.set(1);
	const samples = tone(RATE, 400, 20, -12);
	const before = Int16Array.from(samples);
	expect(() => switched.process(samples, RATE)).toThrow("broken");
	expect(samples).toEqual(before);
});
