import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brokenRule, copyFixture, root, runTool, typescriptFiles, type Workspace } from "./workspace.ts";

interface Cruise {
	modules: { source: string }[];
	summary: { violations: { from: string; to: string; rule: { name: string } }[] };
}

const configuration = createRequire(import.meta.url)("../../.dependency-cruiser.cjs") as { forbidden: { name: string }[] };
const FOLDERS = ["packages", "functions", "media-node", "test"];

async function cruise(directory: string): Promise<Cruise> {
	const folders = FOLDERS.filter((folder) => typescriptFiles(directory, [folder]).length > 0);
	const { stdout, stderr } = await runTool(
		"dependency-cruiser/bin/dependency-cruiser.mjs",
		["--config", ".dependency-cruiser.cjs", "--output-type", "json", ...folders],
		directory,
	);
	if (!stdout.startsWith("{")) throw new Error(`dependency-cruiser said:\n${stdout}${stderr}`);
	return JSON.parse(stdout) as Cruise;
}

describe("layer rules on a tree that breaks each of them once", () => {
	let workspace: Workspace;
	let result: Cruise;
	beforeAll(async () => {
		workspace = copyFixture("layers", [".dependency-cruiser.cjs"], ["zod", "werift", "@aws-sdk/client-sqs", "undeclared", "dev-only"]);
		result = await cruise(workspace.directory);
	});
	afterAll(() => workspace.remove());

	test.each(configuration.forbidden.map(({ name }) => name))("%s fires", (name) => {
		const culprits = result.summary.violations.filter(({ rule }) => rule.name === name).map(({ from }) => from);
		expect(culprits.map(brokenRule)).toContain(name);
	});

	test("nothing but the broken files is reported, each for its own rule only", () => {
		const falseAlarms = result.summary.violations.filter(({ from, rule }) => brokenRule(from) !== rule.name);
		expect(falseAlarms.map(({ from, to, rule }) => `${rule.name}: ${from} → ${to}`)).toEqual([]);
	});

	test("every file of it is cruised", () => {
		const cruised = new Set(result.modules.map(({ source }) => source));
		expect(typescriptFiles(workspace.directory, FOLDERS).filter((file) => !cruised.has(file))).toEqual([]);
	});
});

// With a TypeScript that has no JavaScript API (7) dependency-cruiser skips every .ts file, reports 0 modules and exits with 0.
describe("layer rules on this tree", () => {
	test("every TypeScript file is cruised (whether one breaks a rule is told by npm run check)", async () => {
		const result = await cruise(root);
		const cruised = new Set(result.modules.map(({ source }) => source));
		expect(typescriptFiles(root, FOLDERS).filter((file) => !cruised.has(file))).toEqual([]);
		expect(cruised.size).toBeGreaterThan(25);
	});
});
