import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SettingError } from "./config.ts";
import { checkPaths, holdMusicOf } from "./paths.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "trunkline-paths-"));
	writeFileSync(join(folder, "file"), "");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("what is there can be used, what is not named is not looked at, and the folder of recordings is made", async () => {
	await expect(checkPaths({})).resolves.toBeUndefined();
	const recordingsDir = join(folder, "a", "recordings");
	await checkPaths({ promptsDir: folder, noiseSuppressorModule: join(folder, "file"), recordingsDir });
	expect(statSync(recordingsDir).isDirectory()).toBe(true);
});

test.each([
	["PROMPTS_DIR", "promptsDir", "none", "ENOENT: no such file or directory"],
	["PROMPTS_DIR", "promptsDir", "file", "must be a folder"],
	["NOISE_SUPPRESSOR_MODULE", "noiseSuppressorModule", "none", "ENOENT: no such file or directory"],
	["RECORDINGS_DIR", "recordingsDir", "file/recordings", "ENOTDIR: not a directory"],
	["TRACES_DIR", "tracesDir", "file", "EEXIST: file already exists"],
	["TRACES_DIR", "tracesDir", "file/traces", "ENOTDIR: not a directory"],
])("%s that is no use: %s = %s", async (name, field, path, reason) => {
	const wrong = checkPaths({ [field]: join(folder, path) });
	await expect(wrong).rejects.toThrow(SettingError);
	await expect(wrong).rejects.toThrow(`${name}=${join(folder, path)}: ${reason}`);
});

test("HOLD_MUSIC that is not there", async () => {
	await expect(holdMusicOf({})).resolves.toBeUndefined();
	await expect(holdMusicOf({ holdMusic: join(folder, "none.wav") })).rejects.toThrow(/^HOLD_MUSIC=.*none\.wav: ENOENT/);
});
