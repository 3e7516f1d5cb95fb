import { measureTone } from "@trunkline/audio";
import { expect } from "vitest";

/** Long enough to tell tones 20 Hz apart. */
const WINDOW_MS = 200;

/** Each of `wanted` is heard at its level (± 3 dB), and of `unwanted` nothing worth mentioning. */
export function expectTones(pcm: Int16Array, rate: number, wanted: readonly number[], unwanted: readonly number[], levelDb = -20): void {
	expect(pcm.length, "something was heard").toBeGreaterThan(rate / 2);
	for (const hz of wanted) {
		const level = meanLevel(pcm, rate, hz);
		expect(level, `${hz} Hz`).toBeGreaterThan(levelDb - 3);
		expect(level, `${hz} Hz`).toBeLessThan(levelDb + 3);
	}
	for (const hz of unwanted) expect(meanLevel(pcm, rate, hz), `${hz} Hz`).toBeLessThan(levelDb - 25);
}

/**
 * Mean power over short windows, dBov. One long window would add up phases: a frame that a jitter buffer leaves out or makes up on a busy machine
 * turns the tone by some angle, and the two halves could cancel each other, although both were heard at their level.
 */
export function meanLevel(pcm: Int16Array, rate: number, hz: number): number {
	const length = Math.round((rate * WINDOW_MS) / 1000);
	let power = 0;
	let windows = 0;
	for (let start = 0; start + length <= pcm.length; start += length) {
		power += 10 ** (measureTone(pcm.subarray(start, start + length), rate, hz).levelDb / 10);
		windows += 1;
	}
	return windows === 0 ? Number.NEGATIVE_INFINITY : 10 * Math.log10(power / windows);
}

/** Real audio needs real time: until encoders and jitter buffers have settled, and while something is recorded. */
export const settle = (ms = 700): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
