import { measureTone } from "@trunkline/audio";
import { expect } from "vitest";

/** Each of `wanted` is heard at its level (± 3 dB), and of `unwanted` nothing worth mentioning. */
export function expectTones(pcm: Int16Array, rate: number, wanted: readonly number[], unwanted: readonly number[], levelDb = -20): void {
	expect(pcm.length, "something was heard").toBeGreaterThan(rate / 2);
	for (const hz of wanted) {
		const { levelDb: level } = measureTone(pcm, rate, hz);
		expect(level, `${hz} Hz`).toBeGreaterThan(levelDb - 3);
		expect(level, `${hz} Hz`).toBeLessThan(levelDb + 3);
	}
	for (const hz of unwanted) expect(measureTone(pcm, rate, hz).levelDb, `${hz} Hz`).toBeLessThan(levelDb - 25);
}

/** Real audio needs real time: until encoders and jitter buffers have settled, and while something is recorded. */
export const settle = (ms = 700): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
