// npm run check [-- --fix]: what a commit must pass, in under two minutes on two cores. --fix formats and takes the linter's safe repairs.
import { runStep, runSteps, staticChecks } from "./checks.mjs";

const started = performance.now();
const options = process.argv.slice(2);
const unknown = options.filter((option) => option !== "--fix");
if (options.includes("--help")) {
	process.stdout.write(
		"npm run check: what a commit must pass (docs/ci.md); with -- --fix it formats, and takes the linter's safe repairs, first\n",
	);
	process.exit(0);
}
if (unknown.length > 0) {
	process.stderr.write(`usage: npm run check [-- --fix]   (unknown: ${unknown.join(" ")})\n`);
	process.exit(2);
}

if (options.includes("--fix")) {
	for (const run of [
		["node_modules/oxlint/bin/oxlint", "--type-aware", "--fix"],
		["node_modules/@biomejs/biome/bin/biome", "format", "--write", "."],
	]) {
		await runStep({ name: "fix", run });
	}
}

// The packages are pure or have one edge: their tests take seconds. What opens rooms and calls is left to `npm test`.
const unit = { name: "unit tests", run: ["node_modules/vitest/vitest.mjs", "run", "--project", "unit", "--reporter", "dot"] };
const results = await runSteps([...staticChecks, unit]);
const failed = results.filter(({ ok }) => !ok).map(({ name }) => name);
const seconds = ((performance.now() - started) / 1000).toFixed(0);
process.stdout.write(
	failed.length === 0 ? `all ${results.length} checks passed in ${seconds} s\n` : `failed: ${failed.join(", ")} (${seconds} s)\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
