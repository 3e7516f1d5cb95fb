// npm run bench:lambda: how large the functions are, and how long a bare Node takes to load one. Lambda's own CPU at 1 GB is about as fast as one core here.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildFunctions } from "../../scripts/build-functions.mjs";
import { functionEnvironment } from "./environment.ts";

const RUNS = 7;
const MOST_GZIPPED_BYTES = 400_000;
const LONGEST_INIT_MS = 200;

const folder = mkdtempSync(join(tmpdir(), "trunkline-functions-"));
try {
	process.stdout.write(
		"| function | size, kB | gzipped, kB | init, ms (best, median of 7) | CPU time of it, ms (best) |\n|---|---|---|---|---|\n",
	);
	let tooMuch = false;
	for (const { name, file, bytes, gzippedBytes } of await buildFunctions(folder)) {
		const inits: Init[] = [];
		for (let run = 0; run < RUNS; run++) inits.push(await init(file));
		const times = inits.map(({ initMs }) => initMs).sort((a, b) => a - b);
		const [best = Number.NaN, median = Number.NaN] = [times[0], times[RUNS >> 1]];
		const cpuMs = Math.min(...inits.map((one) => one.cpuMs));
		tooMuch ||= gzippedBytes > MOST_GZIPPED_BYTES || !(best <= LONGEST_INIT_MS);
		const sizes = [bytes, gzippedBytes].map((size) => (size / 1000).toFixed(0));
		process.stdout.write(`| ${name} | ${sizes.join(" | ")} | ${best.toFixed(0)}, ${median.toFixed(0)} | ${cpuMs.toFixed(0)} |\n`);
	}
	process.stdout.write(`aim: ${MOST_GZIPPED_BYTES / 1000} kB gzipped and ${LONGEST_INIT_MS} ms${tooMuch ? ": MISSED" : ""}\n`);
	process.exitCode = tooMuch ? 1 : 0;
} finally {
	rmSync(folder, { recursive: true, force: true });
}

interface Init {
	initMs: number;
	cpuMs: number;
}

async function init(file: string): Promise<Init> {
	const runtime = spawn(process.execPath, [join(import.meta.dirname, "runtime.mjs"), file], {
		cwd: folder,
		env: functionEnvironment(),
		stdio: ["ignore", "pipe", "inherit"],
	});
	let output = "";
	for await (const text of runtime.stdout) output += String(text);
	const line = output.split("\n").find((one) => one.includes('"initMs"'));
	if (line === undefined) throw new Error(`${file} has not started`);
	return JSON.parse(line) as Init;
}
