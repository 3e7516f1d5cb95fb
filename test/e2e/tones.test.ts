import { tone } from "@trunkline/audio";
import { expect, it } from "vitest";
import { expectTones, meanLevel } from "./tones.ts";

const RATE = 8_000;

/** 2 s of a tone whose second half stands against its first. */
function turned(hz: number): Int16Array {
	const pcm = tone(RATE, hz, 2_000, -20);
	for (let i = RATE; i < pcm.length; i++) pcm[i] = -(pcm[i] ?? 0);
	return pcm;
}

it("a tone that turns in the middle keeps its level", () => {
	expect(meanLevel(turned(440), RATE, 440)).toBeCloseTo(-20, 1);
	expectTones(turned(440), RATE, [440], [600, 1_000]);
});

it("a wrong tone, one that is too quiet, one that is heard half of the time and one too many fail", () => {
	const pcm = tone(RATE, 440, 2_000, -20);
	expect(() => expectTones(pcm, RATE, [600], [])).toThrow("600 Hz");
	expect(() => expectTones(pcm, RATE, [], [440])).toThrow("440 Hz");
	expect(() => expectTones(tone(RATE, 440, 2_000, -24), RATE, [440], [])).toThrow("440 Hz");
	expect(() => expectTones(pcm.slice().fill(0, 0, RATE), RATE, [440], [])).toThrow("440 Hz");
	expect(() => expectTones(tone(RATE, 440, 400, -20), RATE, [440], [])).toThrow("something was heard");
	const echo = tone(RATE, 440, 2_000, -44);
	expect(() => expectTones(echo, RATE, [], [440])).toThrow("440 Hz");
});
