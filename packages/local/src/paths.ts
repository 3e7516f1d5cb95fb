import { constants } from "node:fs";
import { access, mkdir, stat } from "node:fs/promises";
import { readHoldMusic } from "@trunkline/media-node";
import { type LocalConfig, SettingError } from "./config.ts";

/**
 * Files and folders that the settings name. A path that is no use is better known before the first call, which would go on without the recording, the
 * trace, the prompts or the suppression, and say so on its record alone. Throws SettingError.
 */
export async function checkPaths(
	config: Pick<LocalConfig, "promptsDir" | "recordingsDir" | "tracesDir" | "noiseSuppressorModule">,
): Promise<void> {
	const { promptsDir, recordingsDir, tracesDir, noiseSuppressorModule } = config;
	await use("PROMPTS_DIR", promptsDir, async (path) => {
		if (!(await stat(path)).isDirectory()) throw new Error("must be a folder");
	});
	await use("NOISE_SUPPRESSOR_MODULE", noiseSuppressorModule, (path) => access(path, constants.R_OK));
	await use("RECORDINGS_DIR", recordingsDir, writableFolder);
	await use("TRACES_DIR", tracesDir, writableFolder);
}

/** Samples that held callers hear; undefined: our own tune. Throws SettingError. */
export function holdMusicOf({ holdMusic }: Pick<LocalConfig, "holdMusic">): Promise<Int16Array | undefined> {
	return use("HOLD_MUSIC", holdMusic, readHoldMusic);
}

async function writableFolder(path: string): Promise<void> {
	await mkdir(path, { recursive: true, mode: 0o700 });
	await access(path, constants.W_OK);
}

async function use<T>(name: string, path: string | undefined, what: (path: string) => Promise<T>): Promise<T | undefined> {
	if (path === undefined) return undefined;
	try {
		return await what(path);
	} catch (error) {
		throw new SettingError(`${name}=${path}: ${error instanceof Error ? error.message : String(error)}`);
	}
}
