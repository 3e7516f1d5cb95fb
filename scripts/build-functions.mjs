// Builds the Lambda functions as SST does on deployment, into dist/functions/<name>/bundle.mjs or the folder that is named.
import { cpSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { CONSOLE_FILES, esbuildOptions, FUNCTIONS } from "../infra/bundle.ts";
import { root } from "./checks.mjs";

/** Gives for each function { name, file, bytes, gzippedBytes }. */
export async function buildFunctions(folder = join(root, "dist/functions")) {
	return Promise.all(
		Object.entries(FUNCTIONS).map(async ([name, entry]) => {
			const file = join(folder, name, "bundle.mjs");
			await build({ ...esbuildOptions(entry, file), absWorkingDir: root });
			if (name === "api") for (const { from, to } of CONSOLE_FILES) cpSync(join(root, from), join(folder, name, to), { recursive: true });
			const code = readFileSync(file);
			return { name, file, bytes: code.length, gzippedBytes: gzipSync(code).length };
		}),
	);
}

if (process.argv[1] === import.meta.filename) {
	const [folder] = process.argv.slice(2);
	for (const { name, file, bytes, gzippedBytes } of await buildFunctions(folder === undefined ? undefined : resolve(folder)))
		process.stdout.write(`${name.padEnd(12)} ${kilobytes(bytes)} kB, ${kilobytes(gzippedBytes)} kB gzipped  ${file}\n`);
}

function kilobytes(bytes) {
	return (bytes / 1000).toFixed(0).padStart(5);
}
