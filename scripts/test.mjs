// npm test: the static checks, then every test. npm test -- <vitest arguments>: those tests only.
// The last line is always `N passed, N failed, N skipped`, alone; a static check counts as one test.
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, runSteps, staticChecks } from "./checks.mjs";

/** Far beyond what all tests need: a test run that hangs must end, and say so. */
const LIMIT_MS = 45 * 60_000;
const vitestArguments = process.argv.slice(2);
const summaryFile = join(tmpdir(), `trunkline-tests-${process.pid}.json`);

const checks = vitestArguments.length === 0 ? await runSteps(staticChecks) : [];
const exit = await runVitest();
const summary = readSummary();
report();

function runVitest() {
	const run = [
		join(root, "node_modules/vitest/vitest.mjs"),
		"run",
		"--reporter",
		"default",
		"--reporter",
		join(root, "scripts/summary-reporter.mjs"),
	];
	const child = spawn(process.execPath, [...run, ...vitestArguments], {
		cwd: root,
		stdio: ["ignore", "inherit", "inherit"],
		env: { ...process.env, NODE_ENV: "test", TRUNKLINE_TEST_SUMMARY: summaryFile },
	});
	// Ctrl-C reaches vitest by itself; it ends its tests and then we say what was done.
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
	return new Promise((resolve) => {
		let hung = false;
		const limit = setTimeout(() => {
			hung = true;
			child.kill("SIGTERM");
			setTimeout(() => child.kill("SIGKILL"), 10_000);
		}, LIMIT_MS);
		child.on("error", (error) => resolve({ error }));
		child.on("exit", (code, signal) => {
			clearTimeout(limit);
			resolve({ code, signal, hung });
		});
	});
}

function readSummary() {
	try {
		return JSON.parse(readFileSync(summaryFile, "utf8"));
	} catch {
		return undefined;
	} finally {
		rmSync(summaryFile, { force: true });
	}
}

function report() {
	const say = (line) => process.stdout.write(`${line}\n`);
	const { passed = 0, failed = 0, skipped = [], errors = 0 } = summary ?? {};
	const checksFailed = checks.filter(({ ok }) => !ok);
	let failures = failed + errors + checksFailed.length;

	if (checksFailed.length > 0) say(`\nstatic checks failed (output above): ${checksFailed.map(({ name }) => name).join(", ")}`);
	if (skipped.length > 0) {
		say("\nskipped:");
		for (const { name, reason, tests } of skipped)
			say(`  ${name} (${tests} ${tests === 1 ? "test" : "tests"}): ${reason ?? "NO REASON GIVEN"}`);
	}
	// A skip says what is missing (docs/ci.md). A run with arguments skips what the person did not ask for.
	const unexplained = vitestArguments.length === 0 ? skipped.filter(({ reason }) => reason === undefined).length : 0;
	if (unexplained > 0) {
		say(`${unexplained} skipped without a reason: counted as failed`);
		failures += unexplained;
	}
	if (exit.hung) say(`\nthe tests were stopped after ${LIMIT_MS / 60_000} minutes`);
	if (exit.error) say(`\nvitest could not be started: ${exit.error.message}`);
	if (exit.signal) say(`\nvitest was ended by ${exit.signal}`);
	// An exit code that no counted failure explains (a crash, nothing to run) must not look like success.
	if (exit.code !== 0 && failures === 0) failures = 1;
	const skippedTests = skipped.reduce((sum, { tests }) => sum + tests, 0);
	say(`\n${passed + checks.length - checksFailed.length} passed, ${failures} failed, ${skippedTests} skipped`);
	process.exit(failures === 0 ? 0 : 1);
}
