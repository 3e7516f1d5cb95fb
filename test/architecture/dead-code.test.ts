import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyFixture, runTool, type Workspace } from "./workspace.ts";

interface Issue {
	file: string;
	[kind: string]: string | { name: string }[];
}

describe("knip.json on a tree with dead code and wrong package.json files", () => {
	let workspace: Workspace;
	let issues: Issue[];
	let code: number | null;
	beforeAll(async () => {
		workspace = copyFixture("dead", ["knip.json"], ["undeclared", "needless", "never-used"]);
		const outcome = await runTool("knip/bin/knip.js", ["--no-config-hints", "--reporter", "json"], workspace.directory);
		if (!outcome.stdout.startsWith("{")) throw new Error(`knip said:\n${outcome.stdout}${outcome.stderr}`);
		issues = (JSON.parse(outcome.stdout) as { issues: Issue[] }).issues;
		code = outcome.code;
	});
	afterAll(() => workspace.remove());

	/** `file: name` of all issues of a kind */
	const found = (kind: string): string[] =>
		issues.flatMap((issue) => (Array.isArray(issue[kind]) ? issue[kind].map(({ name }) => `${issue.file}: ${name}`) : [])).sort();

	test("a file that nobody imports", () => {
		expect(found("files")).toEqual(["packages/store/src/dead-file.ts: packages/store/src/dead-file.ts"]);
	});
	test("exports that nobody imports; what src/index.ts offers, what a test uses and a type used by an export beside it are alive", () => {
		expect(found("exports")).toEqual(["packages/store/src/table.ts: deadExport"]);
		expect(found("types")).toEqual(["packages/store/src/table.ts: DeadType"]);
	});
	test("imports that the package does not declare, workspaces included (hoisting hides them from Node)", () => {
		expect(found("unlisted").filter((name) => !name.endsWith(": vitest"))).toEqual([
			"functions/src/api/handler.ts: undeclared",
			"packages/store/src/table.ts: @trunkline/domain",
		]);
	});
	test("declared packages that nobody imports", () => {
		expect(found("dependencies")).toEqual(["packages/store/package.json: needless"]);
		expect(found("devDependencies")).toEqual(["package.json: never-used"]);
	});
	test("each of it fails the check", () => {
		expect(code).toBe(1);
	});
});
