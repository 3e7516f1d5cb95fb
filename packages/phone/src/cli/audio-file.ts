import { readFile, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseWav, Resampler, toMono, writeWav } from "@trunkline/audio";
import { PhoneError } from "../errors.ts";

const RATE = 8000;

/** Samples at 8 kHz of a WAV file. PhoneError in one line when it cannot be read or played. */
export async function readAudio(name: string): Promise<Int16Array> {
	const bytes = await readFile(path(name)).catch((error: NodeJS.ErrnoException) => {
		throw new PhoneError(`cannot read ${name}: ${fileProblem(error)}`);
	});
	const parsed = parseWav(bytes);
	if (!parsed.ok) throw new PhoneError(`cannot play ${name}: ${parsed.reason}`);
	const mono = toMono(parsed.wav);
	try {
		return parsed.wav.sampleRate === RATE ? mono : new Resampler(parsed.wav.sampleRate, RATE).process(mono);
	} catch {
		throw new PhoneError(`cannot play ${name}: ${parsed.wav.sampleRate} Hz cannot be turned into 8000 Hz`);
	}
}

/** Writes 8 kHz samples as a WAV file. */
export async function writeAudio(name: string, pcm: Int16Array): Promise<void> {
	await writeFile(path(name), writeWav(pcm, RATE)).catch((error: NodeJS.ErrnoException) => {
		throw new PhoneError(`cannot write ${name}: ${fileProblem(error)}`);
	});
}

/** "heard.wav", then "heard-2.wav", ... */
export function numbered(name: string, count: number): string {
	return count === 1 ? name : name.replace(/(\.[^./\\]*)?$/, `-${count}$1`);
}

/** Relative to where the person typed the command: npm runs scripts in the repository's root. */
function path(name: string): string {
	return resolve(process.env["INIT_CWD"] ?? process.cwd(), name);
}

function fileProblem(error: NodeJS.ErrnoException): string {
	if (error.code === "ENOENT") return "no such file or folder";
	if (error.code === "EACCES") return "no permission";
	return error.code === "EISDIR" ? "it is a folder" : error.message;
}
