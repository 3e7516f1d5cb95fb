import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { copyFixture, runTool, type Workspace } from "./workspace.ts";

/** What the compiler says, as `file TSnnnn message`. */
let findings: string[];
let workspace: Workspace;

// Both compilers: 7 checks the tree, 6 is what the tools load under the name `typescript`.
describe.each(["typescript7/bin/tsc", "typescript/bin/tsc6"])("tsconfig.pure.json with %s", (compiler) => {
	beforeAll(async () => {
		workspace = copyFixture("pure", ["tsconfig.base.json", "tsconfig.pure.json"]);
		const { stdout } = await runTool(compiler, ["-p", "tsconfig.pure.json", "--pretty", "false"], workspace.directory);
		findings = [...stdout.matchAll(/^packages\/sip\/src\/([\w-]+\.ts)\(\d+,\d+\): error (TS\d+): (.*)$/gm)].map(
			([, file, code, text]) => `${file} ${code} ${text}`,
		);
	});
	afterAll(() => workspace.remove());

	const names = [
		["node:dgram", "setTimeout", "setInterval", "setImmediate", "queueMicrotask", "performance", "process", "Buffer", "crypto", "console"],
		["TextEncoder", "TextDecoder", "URL", "AbortController", "fetch", "structuredClone", "require", "window", "document"],
	].flat();
	test.each(names)("a pure package has no %s", (name) => {
		const missing = findings.filter(
			(finding) => /^node-names\.ts TS(2304|2307|2503|2552|2580|2584|2591|2593)\b/.test(finding) && finding.includes(`'${name}'`),
		);
		expect(missing).toHaveLength(1);
	});

	test("it has the language, bytes and arithmetic", () => {
		expect(findings.filter((finding) => finding.startsWith("allowed.ts"))).toEqual([]);
	});

	test("no enum and no parameter property: Node runs the files as they are (erasableSyntaxOnly)", () => {
		expect(findings.filter((finding) => finding.startsWith("enum.ts TS1294"))).toHaveLength(2);
	});

	test("an element may be missing, undefined is not absent, a type is imported as a type", () => {
		const codes = findings.filter((finding) => finding.startsWith("strict.ts")).map((finding) => finding.split(" ")[1]);
		// noUncheckedIndexedAccess, exactOptionalPropertyTypes, verbatimModuleSyntax
		expect(codes.sort()).toEqual(["TS1484", "TS2322", "TS2375"]);
	});
});
