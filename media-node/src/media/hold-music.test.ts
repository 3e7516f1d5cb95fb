import { dominantTone, rmsDbov, writeWav } from "@trunkline/audio";
import { expect, it } from "vitest";
import { holdMusicOf } from "./hold-file.ts";
import { holdMusic } from "./hold-music.ts";

const FRAME = 160;

/** the next `ms` */
function next(audio: ReturnType<typeof holdMusic>, ms: number): Int16Array {
	const pcm = new Int16Array(ms * 8);
	for (let at = 0; at < pcm.length; at += FRAME) audio.fill(pcm.subarray(at, at + FRAME));
	return pcm;
}

it("the tune begins with a broken chord of C, at the level of quiet speech", () => {
	const tune = holdMusic("tune");
	const notes = [0, 1, 2].map(() => dominantTone(next(tune, 400).subarray(200, 2_600), 8_000)?.hz ?? 0);
	for (const [i, hz] of [523.25, 659.26, 783.99].entries()) expect(Math.abs((notes[i] ?? 0) - hz), `note ${i}`).toBeLessThan(8);
	const level = rmsDbov(next(tune, 4_000));
	expect(level).toBeGreaterThan(-32);
	expect(level).toBeLessThan(-18);
});

it("a file goes round and round", () => {
	const file = Int16Array.from({ length: 100 }, (_, i) => i);
	const heard = next(holdMusic("tune", file), 40);
	expect([heard[0], heard[99], heard[100], heard[250]]).toEqual([0, 99, 0, 50]);
	expect(
		next(holdMusic("tune", new Int16Array(0)), 400).some((sample) => sample !== 0),
		"an empty file is none",
	).toBe(true);
});

it("silence is silence", () => {
	expect(new Set(next(holdMusic("silence"), 40))).toEqual(new Set([0]));
});

it("a WAV file of another rate is turned into 8 kHz; what is none says so", () => {
	const pcm = holdMusicOf(
		writeWav(
			Int16Array.from({ length: 48_000 }, (_, i) => 8_000 * Math.sin((2 * Math.PI * 440 * i) / 48_000)),
			48_000,
		),
	);
	expect(Math.abs(pcm.length - 8_000)).toBeLessThan(20);
	expect(Math.abs((dominantTone(pcm.subarray(400, 4_400), 8_000)?.hz ?? 0) - 440)).toBeLessThan(5);
	expect(() => holdMusicOf(Uint8Array.of(1, 2, 3))).toThrow(Error);
});
