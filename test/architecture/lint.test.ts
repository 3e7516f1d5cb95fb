import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { brokenRule, copyFixture, root, runTool, type Workspace } from "./workspace.ts";

interface Report {
	diagnostics: { code: string; filename: string; message: string }[];
	number_of_files: number;
}

const OXLINT = "oxlint/bin/oxlint";
// no-cycle is dependency-cruiser's no-circular a second time; max-lines is tested below with a file too long to keep.
const ELSEWHERE = ["import/no-cycle", "max-lines"];
const rules = Object.entries((JSON.parse(readFileSync(join(root, ".oxlintrc.json"), "utf8")) as { rules: object }).rules)
	.filter(([name, level]) => level !== "off" && !ELSEWHERE.includes(name))
	.map(([name]) => name.replace(/^[a-z]+\//, ""));

describe("lint rules on files that break each of them once", () => {
	let workspace: Workspace;
	let report: Report;
	beforeAll(async () => {
		workspace = copyFixture("lint", [".oxlintrc.json", "tsconfig.base.json"]);
		const { stdout, stderr } = await runTool(OXLINT, ["--type-aware", "-f", "json", "packages", "media-node"], workspace.directory);
		if (!stdout.trimStart().startsWith("{")) throw new Error(`oxlint said:\n${stdout}${stderr}`);
		report = JSON.parse(stdout) as Report;
	});
	afterAll(() => workspace.remove());

	/** `eslint(no-console)` → `no-console` */
	const ruleOf = (code: string): string => /\(([^)]+)\)$/.exec(code)?.[1] ?? code;

	test.each([...rules, "no-restricted-globals", "no-restricted-properties"])("%s fires", (name) => {
		const culprits = report.diagnostics.filter(({ code }) => ruleOf(code) === name).map(({ filename }) => filename);
		expect(culprits.map(brokenRule)).toContain(name);
	});

	test("nothing but the broken files is reported, each for its own rule only", () => {
		const falseAlarms = report.diagnostics.filter(({ code, filename }) => brokenRule(filename) !== ruleOf(code));
		expect(falseAlarms.map(({ code, filename, message }) => `${code} ${filename}: ${message}`)).toEqual([]);
	});

	test.each([
		"Date",
		"setTimeout",
		"setInterval",
		"setImmediate",
		"queueMicrotask",
		"performance",
		"process",
		"Buffer",
		"crypto",
		"globalThis",
	])("a pure package cannot name %s", (name) => {
		const named = report.diagnostics.filter(
			({ code, filename }) => ruleOf(code) === "no-restricted-globals" && filename.startsWith("packages/sip/"),
		);
		expect(named.filter(({ message }) => message.includes(`'${name}'`))).toHaveLength(1);
	});

	test("the call reducer has no clock either", () => {
		expect(report.diagnostics.map(({ code, filename }) => `${ruleOf(code)} ${filename}`)).toContain(
			"no-restricted-globals media-node/src/call/break-no-restricted-globals.ts",
		);
	});

	test("all files of the fixture were linted", () => {
		const files = readdirSync(join(root, "test/architecture/fixture/lint"), { recursive: true, encoding: "utf8" }).filter((file) =>
			file.endsWith(".ts"),
		);
		expect(report.number_of_files).toBeGreaterThanOrEqual(files.length);
	});
});

test("a file of 401 lines of code is too long, one of 400 is not", async () => {
	const workspace = copyFixture("lint", [".oxlintrc.json", "tsconfig.base.json"]);
	try {
		const lines = (count: number): string =>
			`${Array.from({ length: count }, (_, line) => `export const line${line} = ${line}; // and a comment`).join("\n\n")}\n`;
		writeFileSync(join(workspace.directory, "packages/store/src/long.ts"), lines(401));
		writeFileSync(join(workspace.directory, "packages/store/src/short.ts"), lines(400));
		const { stdout } = await runTool(
			OXLINT,
			["-f", "json", "packages/store/src/long.ts", "packages/store/src/short.ts"],
			workspace.directory,
		);
		const tooLong = (JSON.parse(stdout) as Report).diagnostics.filter(({ code }) => code === "eslint(max-lines)");
		expect(tooLong.map(({ filename }) => filename)).toEqual(["packages/store/src/long.ts"]);
	} finally {
		workspace.remove();
	}
});
