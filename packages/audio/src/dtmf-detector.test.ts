import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it, test } from "vitest";
import { DtmfDetector } from "./dtmf-detector.ts";
import { decodeG711, encodeG711 } from "./g711.ts";
import { dtmfFrequencies } from "./tone.ts";
import { parseWav, toMono } from "./wav.ts";

const KEYS = "123A456B789C*0#D";

interface Press {
	key?: string;
	toneMs?: number;
	pauseMs?: number;
	/** of the row's and the column's tone, dBov */
	levels?: [number, number];
	/** factor of both, or of each frequency */
	off?: [number, number];
	/** samples of silence before, so that digits lie across blocks in every way */
	shift?: number;
	/** noise, dBov */
	noise?: number;
}

/** Small and seeded: the same noise in every run. */
function noiseFrom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return (state / 2 ** 31 - 1) * Math.sqrt(3);
	};
}

function pressed({ key = "5", toneMs = 40, pauseMs = 40, levels = [-13, -13], off = [1, 1], shift = 0, noise }: Press): Int16Array {
	const [row, column] = dtmfFrequencies(key) ?? [0, 0];
	const toneSamples = toneMs * 8;
	const pcm = new Int16Array(shift + toneSamples + pauseMs * 8);
	const random = noiseFrom(shift + 1);
	const amplitude = (dbov: number): number => 32_767 * Math.SQRT2 * 10 ** (dbov / 20);
	for (let i = 0; i < pcm.length; i++) {
		const t = (2 * Math.PI * (i - shift)) / 8_000;
		const sounds = i >= shift && i < shift + toneSamples;
		const tones = amplitude(levels[0]) * Math.sin(t * row * off[0]) + amplitude(levels[1]) * Math.sin(t * column * off[1] + 1);
		const hiss = noise === undefined ? 0 : 32_767 * 10 ** (noise / 20) * random();
		pcm[i] = Math.max(-32_768, Math.min(32_767, Math.round((sounds ? tones : 0) + hiss)));
	}
	return pcm;
}

/** As the telephone line has it. */
function throughG711(pcm: Int16Array): Int16Array {
	const encoded = new Uint8Array(pcm.length);
	encodeG711("PCMA", pcm, encoded);
	const out = new Int16Array(pcm.length);
	decodeG711("PCMA", encoded, out);
	return out;
}

function heard(presses: readonly Press[]): string {
	const detector = new DtmfDetector();
	return presses.map((press) => detector.process(throughG711(pressed(press)))).join("");
}

const SHIFTS = Array.from({ length: 26 }, (_, i) => i * 4);

describe("digits that must be heard (ITU-T Q.24)", () => {
	it("all sixteen, 40 ms on and 40 ms off, wherever they lie", () => {
		for (const shift of SHIFTS)
			expect(heard([...KEYS].map((key, i) => ({ key, shift: i === 0 ? shift : 0 }))), `shift ${shift}`).toBe(KEYS);
	});
	it("the same digit twice is two, a long one is one", () => {
		expect(heard([{ key: "7" }, { key: "7" }])).toBe("77");
		expect(heard([{ key: "7", toneMs: 5_000 }])).toBe("7");
	});
	it("a gap of 10 ms in it does not make two of it", () => {
		for (const shift of SHIFTS) expect(heard([{ shift, toneMs: 60, pauseMs: 10 }, { toneMs: 60 }]), `shift ${shift}`).toBe("5");
	});
	test.each([
		["1.5 % too high", { off: [1.015, 1.015] }],
		["1.5 % too low", { off: [0.985, 0.985] }],
		["one high, one low", { off: [1.015, 0.985] }],
		["column 4 dB stronger", { levels: [-17, -13] }],
		["row 8 dB stronger", { levels: [-13, -21] }],
		["as quiet as Q.24 has them", { levels: [-29, -29] }],
		["loud", { levels: [-7, -7] }],
		["with noise 15 dB below", { noise: -25 }],
	] satisfies [string, Press][])("%s", (_name, press) => {
		for (const shift of SHIFTS) for (const key of KEYS) expect(heard([{ ...press, key, shift }]), `${key}, shift ${shift}`).toBe(key);
	});
});

describe("what is no digit", () => {
	test.each([
		["20 ms or less", { toneMs: 15 }],
		["3.5 % too high", { off: [1.035, 1.035] }],
		["3.5 % too low", { off: [0.965, 0.965] }],
		["only the row off by 3.5 %", { off: [1.035, 1] }],
		["only the column off by 3.5 %", { off: [1, 0.965] }],
		["column 9 dB stronger", { levels: [-22, -13] }],
		["row 13 dB stronger", { levels: [-13, -26] }],
		["one tone alone", { levels: [-13, -90] }],
		["too quiet", { levels: [-45, -45] }],
		["buried in noise", { noise: -7 }],
	] satisfies [string, Press][])("%s", (_name, press) => {
		for (const shift of SHIFTS) for (const key of KEYS) expect(heard([{ ...press, key, shift }]), `${key}, shift ${shift}`).toBe("");
	});

	it("speech (talk-off): none in the prompts of four languages, at any pitch", () => {
		const directory = fileURLToPath(new URL("../../../media-node/assets/prompts", import.meta.url));
		const files = readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".wav"));
		expect(files.length).toBeGreaterThanOrEqual(16);
		for (const file of files) {
			const read = parseWav(readFileSync(`${directory}/${file}`));
			if (!read.ok) throw new Error(`${file}: ${read.reason}`);
			const pcm = toMono(read.wav);
			// played faster and slower: other pitches
			for (const speed of [0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.4]) {
				const played = Int16Array.from({ length: Math.floor(pcm.length / speed) }, (_, i) => pcm[Math.floor(i * speed)] ?? 0);
				expect(new DtmfDetector().process(played), `${file} at ${speed}`).toBe("");
			}
		}
	});
});
