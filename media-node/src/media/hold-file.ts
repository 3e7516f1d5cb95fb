import { readFile } from "node:fs/promises";
import { parseWav, Resampler, toMono } from "@trunkline/audio";

const RATE = 8_000;

/** The samples (8 kHz) of a WAV file that held callers are to hear. Throws an Error with the reason when it is none, or of an odd rate. */
export function holdMusicOf(file: Uint8Array): Int16Array {
	const parsed = parseWav(file);
	if (!parsed.ok) throw new Error(parsed.reason);
	const { wav } = parsed;
	return wav.sampleRate === RATE ? toMono(wav) : new Resampler(wav.sampleRate, RATE).process(toMono(wav));
}

/** The same of a file; rejects with the system's error when there is none. */
export const readHoldMusic = async (path: string): Promise<Int16Array> => holdMusicOf(await readFile(path));
