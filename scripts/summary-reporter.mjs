// A vitest reporter that writes what scripts/test.mjs needs: counts, and each skipped suite with the reason it gives.
import { writeFileSync } from "node:fs";

/** `describe.skipIf(!sipp)("a call from sipp (needs sipp)", …)`, or `context.skip("needs sipp")` inside a test. */
const REASON = /\b(needs|only on|only with)\b[^()[\]]*/;

export default class SummaryReporter {
	onTestRunEnd(testModules, unhandledErrors) {
		const file = process.env.TRUNKLINE_TEST_SUMMARY;
		if (file === undefined) return;
		const summary = { passed: 0, failed: 0, errors: unhandledErrors.length, skipped: [] };
		for (const testModule of testModules) {
			// A file that cannot be imported, or a hook that fails outside a test.
			summary.errors += testModule.errors().length;
			for (const suite of testModule.children.allSuites()) summary.errors += suite.errors().length;
			for (const test of testModule.children.allTests()) {
				const { state, note } = test.result();
				if (state === "passed") summary.passed += 1;
				else if (state === "failed") summary.failed += 1;
				else add(summary.skipped, skippedAs(testModule, test, note));
			}
		}
		writeFileSync(file, JSON.stringify(summary));
	}
}

/** The outermost suite that names a reason stands for all its tests; else the test speaks for itself. */
function skippedAs(testModule, test, note) {
	const titles = [];
	for (let node = test; node.type !== "module"; node = node.parent) titles.unshift(node.name);
	const at = titles.findIndex((title) => REASON.test(title));
	const name = [testModule.relativeModuleId ?? testModule.moduleId, ...titles.slice(0, at === -1 ? titles.length : at + 1)].join(" > ");
	return { name, reason: note ?? (at === -1 ? undefined : REASON.exec(titles[at])[0].trim()) };
}

function add(skipped, { name, reason }) {
	const known = skipped.find((entry) => entry.name === name && entry.reason === reason);
	if (known) known.tests += 1;
	else skipped.push({ name, reason, tests: 1 });
}
