import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { captureLogs } from "@trunkline/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { KeptRecordings } from "./kept-recordings.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "kept-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function bucket() {
	const objects = new Map<string, string>();
	const state = { down: false };
	const store = {
		async putRecording(key: string, content: AsyncIterable<Uint8Array>): Promise<void> {
			if (state.down) throw new Error("no bucket");
			const pieces: Uint8Array[] = [];
			for await (const piece of content) pieces.push(piece);
			objects.set(key, Buffer.concat(pieces).toString());
		},
	};
	return { objects, state, store };
}

it("without a store files stay where their keys say, for nobody else to read", async () => {
	const kept = new KeptRecordings({ directory, log: captureLogs() });
	const file = await kept.begin("p_1/support/SCL_1.wav");
	expect(file).toBe(join(directory, "p_1/support/SCL_1.wav"));
	expect(statSync(join(directory, "p_1")).mode & 0o777).toBe(0o700);
	writeFileSync(file, "audio");
	await kept.keep("p_1/support/SCL_1.wav", file);
	expect(existsSync(file)).toBe(true);
	await expect(kept.keep("p_1/SCL_2.wav", join(directory, "p_1/SCL_2.wav"))).rejects.toThrow("ENOENT");
});

it("with a store they go there, and what a node could not bring goes at the next start", async () => {
	const { objects, state, store } = bucket();
	const log = captureLogs();
	const kept = new KeptRecordings({ directory, store, log });
	const first = await kept.begin("p_1/SCL_1.wav");
	writeFileSync(first, "one");
	await kept.keep("p_1/SCL_1.wav", first);
	expect(existsSync(first)).toBe(false);
	const second = await kept.begin("p_1/SCL_2.wav");
	writeFileSync(second, "two");
	state.down = true;
	await expect(kept.keep("p_1/SCL_2.wav", second)).rejects.toThrow("no bucket");
	await new KeptRecordings({ directory, store, log }).keepLeftovers();
	expect(existsSync(second)).toBe(true);
	state.down = false;
	await new KeptRecordings({ directory, store, log }).keepLeftovers();
	expect(existsSync(second)).toBe(false);
	expect(Object.fromEntries(objects)).toEqual({ "p_1/SCL_1.wav": "one", "p_1/SCL_2.wav": "two" });
});

it("no key leads out of the directory", async () => {
	const kept = new KeptRecordings({ directory, log: captureLogs() });
	for (const key of ["../x.wav", "a/../../x.wav", "/etc/x.wav", "a/b", "a//x.wav"]) await expect(kept.begin(key)).rejects.toThrow("no key");
});
