// The static checks, each of them one tool run over the whole tree. `npm run check` and `npm test` both run them.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const present = (...folders) => folders.filter((folder) => existsSync(join(root, folder)));
const tool = (path) => join("node_modules", path);

/** A step is a name for the person who reads the terminal and what Node runs, from the root of the repository. */
export const staticChecks = [
	{ name: "format", run: [tool("@biomejs/biome/bin/biome"), "format", "."] },
	{ name: "types", run: [tool("typescript7/bin/tsc"), "-p", "tsconfig.json"] },
	{ name: "types of pure packages", run: [tool("typescript7/bin/tsc"), "-p", "tsconfig.pure.json"] },
	{ name: "lint", run: [tool("oxlint/bin/oxlint"), "--type-aware", "--deny-warnings"] },
	{
		name: "layers",
		run: [
			tool("dependency-cruiser/bin/dependency-cruiser.mjs"),
			...["--config", ".dependency-cruiser.cjs"],
			...present("packages", "functions", "media-node", "infra", "test", "scripts"),
		],
	},
	{ name: "dead code", run: [tool("knip/bin/knip.js"), "--no-config-hints", "--no-progress"] },
	{ name: "documents", run: ["scripts/check-documents.mjs"] },
];

/** Runs one step; its output is kept and shown only when it fails. Returns { name, ok, seconds, output }. */
export function runStep({ name, run }) {
	const started = performance.now();
	return new Promise((resolve) => {
		const child = spawn(process.execPath, run, { cwd: root, stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, NODE_ENV: "test" } });
		let output = "";
		for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
		const end = (ok) => resolve({ name, ok, seconds: (performance.now() - started) / 1000, output });
		child.on("error", (error) => {
			output += error.message;
			end(false);
		});
		child.on("close", (code, signal) => {
			if (signal) output += `ended by ${signal}\n`;
			end(code === 0);
		});
	});
}

/** Runs steps two at a time and prints one line for each as it ends, the output of a failed one in full. Returns the results. */
export async function runSteps(steps) {
	const waiting = [...steps];
	const results = [];
	const worker = async () => {
		for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
			const result = await runStep(step);
			results.push(result);
			process.stdout.write(`${result.ok ? "ok  " : "FAIL"} ${result.name.padEnd(24)} ${result.seconds.toFixed(1).padStart(5)} s\n`);
			if (!result.ok) process.stdout.write(`${result.output.trimEnd()}\n\n`);
		}
	};
	await Promise.all([worker(), worker()]);
	return results;
}
