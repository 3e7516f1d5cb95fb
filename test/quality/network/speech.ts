import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseWav, toMono } from "@trunkline/audio";
import { seeded } from "./impairment.ts";

const RATE = 8_000;
/** Debian's asterisk-core-sounds-en-wav */
const SOUNDS = "/usr/share/asterisk/sounds/en_US_f_Allison";
const CLIP_MS = 8_000;
const PAUSE = new Int16Array(RATE * 0.4);

/** Clips of 8 s at 8 kHz: recorded prompts where they are installed, otherwise made-up voices. */
export function speechClips(count: number, folder = SOUNDS): { clips: Int16Array[]; of: string } {
	const recorded = recordedClips(count, folder);
	if (recorded.length === count) return { clips: recorded, of: "recorded speech" };
	return { clips: Array.from({ length: count }, (_, i) => voiceLike(CLIP_MS, i + 1)), of: "a made-up voice" };
}

function recordedClips(count: number, folder: string): Int16Array[] {
	const clips: Int16Array[] = [];
	let samples: number[] = [];
	for (const file of list(folder)) {
		if (clips.length === count) break;
		const read = parseWav(readFileSync(join(folder, file)));
		if (!read.ok || read.wav.sampleRate !== RATE) continue;
		const pcm = toMono(read.wav);
		// longer ones have whole sentences
		if (pcm.length < RATE) continue;
		samples = samples.concat([...pcm], [...PAUSE]);
		if (samples.length < (RATE * CLIP_MS) / 1_000) continue;
		clips.push(Int16Array.from(samples.slice(0, (RATE * CLIP_MS) / 1_000)));
		samples = [];
	}
	return clips;
}

function list(folder: string): string[] {
	try {
		return readdirSync(folder)
			.filter((file) => file.endsWith(".wav"))
			.toSorted();
	} catch {
		return [];
	}
}

/** Syllables of a voice whose pitch moves, between consonants of noise and pauses. */
function voiceLike(ms: number, seed: number): Int16Array {
	const random = seeded(seed);
	const pcm = new Int16Array((RATE * ms) / 1_000);
	let phase = 0;
	for (let at = 0; at < pcm.length; ) {
		const length = Math.floor(RATE * (0.12 + 0.15 * random()));
		const kind = random();
		const pitch = 100 + 90 * random();
		const formants = [300 + 500 * random(), 900 + 1_500 * random()];
		for (let i = 0; i < length && at + i < pcm.length; i++) {
			const envelope = Math.sin((Math.PI * i) / length);
			if (kind < 0.7) {
				phase += (2 * Math.PI * pitch * (1 + 0.1 * Math.sin((2 * Math.PI * i) / length))) / RATE;
				let sample = 0;
				for (let harmonic = 1; harmonic * pitch < 3_400; harmonic++) {
					const hz = harmonic * pitch;
					const gain = formants.reduce((sum, formant) => sum + 1 / (1 + ((hz - formant) / 120) ** 2), 0.02);
					sample += gain * Math.sin(harmonic * phase);
				}
				pcm[at + i] = Math.round(3_000 * envelope * sample);
			} else if (kind < 0.9) pcm[at + i] = Math.round(1_500 * envelope * (random() - 0.5));
		}
		at += length;
	}
	return pcm;
}
