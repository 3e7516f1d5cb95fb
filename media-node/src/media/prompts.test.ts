import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dominantTone, rmsDbov, tone, writeWav } from "@trunkline/audio";
import { afterAll, describe, expect, it } from "vitest";
import type { EndlessAudio } from "./hold-music.ts";
import { PromptPlayer } from "./prompt-player.ts";
import { Once, Prompts } from "./prompts.ts";

const directory = mkdtempSync(join(tmpdir(), "prompts-"));
afterAll(() => rmSync(directory, { recursive: true }));

describe("prompts", () => {
	it("all that a call says are there in four languages, spoken and short", async () => {
		const prompts = new Prompts();
		for (const language of ["en", "de", "es", "fr"])
			for (const name of ["enter-pin", "wrong-pin", "joining", "goodbye"] as const) {
				const pcm = await prompts.load(name, language);
				expect(pcm.length / 8_000, `${language} ${name}`).toBeGreaterThan(1);
				expect(pcm.length / 8_000, `${language} ${name}`).toBeLessThan(6);
				expect(rmsDbov(pcm)).toBeGreaterThan(-35);
			}
	});

	it("a region's language is the language; one that nobody has is English", async () => {
		const prompts = new Prompts();
		expect(await prompts.load("joining", "de-AT")).toEqual(await prompts.load("joining", "de"));
		expect(await prompts.load("joining", "xx")).toEqual(await prompts.load("joining", "en"));
		expect(await prompts.load("joining", "de")).not.toEqual(await prompts.load("joining", "en"));
	});

	it("the deployment's own stand for ours, at any rate; what is no WAV file does not", async () => {
		mkdirSync(join(directory, "en"));
		writeFileSync(join(directory, "en/joining.wav"), writeWav(tone(16_000, 700, 400), 16_000));
		writeFileSync(join(directory, "en/goodbye.wav"), "not audio");
		const prompts = new Prompts(directory);
		const own = await prompts.load("joining", "en");
		expect(own.length).toBe(3_200);
		expect(dominantTone(own, 8_000)?.hz).toBeCloseTo(700, -1);
		expect(await prompts.load("goodbye", "en")).toEqual(await new Prompts().load("goodbye", "en"));
	});
});

describe("playing them", () => {
	function player() {
		const playing: EndlessAudio[] = [];
		const prompts = new PromptPlayer(new Prompts(), (audio) => {
			playing.push(audio);
			return () => void playing.splice(playing.indexOf(audio), 1);
		});
		const drain = (): void => {
			for (let i = 0; i < 1_000; i++) playing.at(-1)?.fill(new Int16Array(160));
		};
		return { playing, prompts, drain };
	}
	const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
	const settled = async (condition: () => boolean): Promise<void> => {
		for (let i = 0; i < 10_000 && !condition(); i++) await turn();
		expect(condition()).toBe(true);
	};

	it("one after the other; over when the last one is", async () => {
		const { playing, prompts, drain } = player();
		let over = false;
		const played = prompts.play(["wrong-pin", "enter-pin"], "en").then(() => (over = true));
		await settled(() => playing.length === 1);
		const [first] = playing;
		drain();
		await settled(() => playing.length === 1 && playing[0] !== first);
		expect(over).toBe(false);
		drain();
		await played;
		expect(playing).toEqual([]);
	});

	it("stopped, or with others in their place: over at once, and nothing is left", async () => {
		const { playing, prompts } = player();
		const first = prompts.play(["enter-pin"], "en");
		await settled(() => playing.length === 1);
		const second = prompts.play(["goodbye"], "en");
		await first;
		await settled(() => playing.length === 1);
		prompts.stop();
		await second;
		expect(playing).toEqual([]);
		prompts.close();
		await prompts.play(["goodbye"], "en");
		expect(playing).toEqual([]);
	});

	it("gives each sample once, and silence after the last", () => {
		let over = 0;
		const once = new Once(Int16Array.of(1, 2, 3), () => (over += 1));
		expect([...once.fill(new Int16Array(2))]).toEqual([1, 2]);
		expect([...once.fill(new Int16Array(2))]).toEqual([3, 0]);
		expect(over).toBe(0);
		expect([...once.fill(new Int16Array(2))]).toEqual([0, 0]);
		expect(over).toBe(1);
	});
});
