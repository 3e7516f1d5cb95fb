import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runTool } from "./workspace.ts";

let tree: string;

beforeEach(() => {
	tree = mkdtempSync(join(tmpdir(), "documents-"));
	write("docs/rfc.md", "| RFC | title | what for |\n|---|---|---|\n| 3261 | SIP | messages |\n| 3550 | RTP | |\n");
	write("docs/dependencies.md", "| `ws` | sockets | the usual one | MIT |\n| `gone` | a | b | MIT |\n| `bare` | a | | MIT |\n");
});
afterEach(() => rmSync(tree, { recursive: true, force: true }));

function write(file: string, text: string): void {
	mkdirSync(dirname(join(tree, file)), { recursive: true });
	writeFileSync(join(tree, file), text);
}

async function findings(): Promise<{ code: number | null; lines: string[] }> {
	const { code, stdout, stderr } = await runTool("../scripts/check-documents.mjs", [tree], tree);
	expect(stderr).toBe("");
	return { code, lines: stdout.split("\n").filter((line) => line !== "") };
}

describe("scripts/check-documents.mjs", () => {
	test("RFC numbers in sources are in docs/rfc.md, with title and use", async () => {
		// Put together here, so that this file itself does not make the slip.
		const slip = ["RFC", "2361"].join(" ");
		write("packages/sip/src/a.ts", `// RFC 3261 §17.1.1.2\n// ${slip}, a slip\n// RFC 3261, 3311 and 3550\n`);
		const { code, lines } = await findings();
		expect(lines.filter((line) => line.includes("RFC"))).toEqual([
			"docs/rfc.md: RFC 3550 needs a title and what it is used for",
			`packages/sip/src/a.ts:2: ${slip} is not in docs/rfc.md (wrong number, or add its title and use)`,
			"packages/sip/src/a.ts:3: RFC 3311 is not in docs/rfc.md (wrong number, or add its title and use)",
		]);
		expect(code).toBe(1);
	});

	test("dependencies of every package.json have a complete line in docs/dependencies.md, and lines have a dependency", async () => {
		write("package.json", JSON.stringify({ devDependencies: { ws: "1", bare: "1" } }));
		write("packages/a/package.json", JSON.stringify({ dependencies: { ws: "1", extra: "1", "@trunkline/sip": "*" } }));
		const { lines } = await findings();
		expect(lines.filter((line) => /dependenc|line in/.test(line)).sort()).toEqual([
			"docs/dependencies.md: bare needs what it is for, why this one and its licence",
			"docs/dependencies.md: no package.json names gone",
			"packages/a/package.json: extra has no line in docs/dependencies.md",
		]);
	});

	test("no folder and no registry of one machine", async () => {
		// Put together here, so that this file itself names none.
		const slash = "/";
		const bad = [
			`${slash}home/ada/trunkline`,
			`${slash}tmp/x.wav`,
			`${slash}Users/ada/x`,
			`https:${slash}/npm.registry.example${slash}x`,
			`https:${slash}/artifactory.corp.example`,
		];
		const good = ["./tmp/x", "https://example.com/work/with/us", "/rtc/v1", "packages/tmp/x", "`${dir}/tmp/x`"];
		write("docs/a.md", [...bad, ...good].join("\n"));
		write(".npmrc", "registry = somewhere\n");
		const { lines } = await findings();
		expect(lines.filter((line) => line.startsWith("docs/a.md")).map((line) => Number(line.split(":")[1]))).toEqual([1, 2, 3, 4, 5]);
		expect(lines).toContain(".npmrc: names a registry or a credential");
	});

	test("the lock file has hashes and no addresses; workspace links are neither", async () => {
		const packages = {
			"": {},
			"node_modules/@trunkline/sip": { resolved: "packages/sip", link: true },
			"node_modules/a": { version: "1.0.0", integrity: "sha512-x" },
			"node_modules/b": { version: "1.0.0", integrity: "sha512-x", resolved: "https://somewhere.example/b.tgz" },
			"node_modules/c": { version: "1.0.0" },
		};
		write("package-lock.json", JSON.stringify({ packages }));
		const { lines } = await findings();
		expect(lines.filter((line) => line.startsWith("package-lock.json"))).toEqual([
			"package-lock.json: node_modules/b is tied to https://somewhere.example/b.tgz",
			"package-lock.json: node_modules/c has no integrity hash",
		]);
	});

	test("links between documents lead somewhere", async () => {
		write("docs/b.md", "# B\n\n## `ws`, and [more](a.md)!\n\n```sh\n# not a heading\n```\n");
		write(
			"docs/a.md",
			"# Here\n[b](b.md#ws-and-more) [gone](../gone.md) [web](https://example.com) [here](#here) [x](b.md#not-a-heading) [y](#there)\n",
		);
		expect((await findings()).lines.filter((line) => line.includes("link to"))).toEqual([
			"docs/a.md: link to ../gone.md, which is not there",
			"docs/a.md: link to b.md#not-a-heading, and docs/b.md has no such heading",
			"docs/a.md: link to #there, and docs/a.md has no such heading",
		]);
	});

	test("a tree in order passes", async () => {
		write("docs/rfc.md", "| 3261 | SIP | messages |\n");
		write("docs/dependencies.md", "| `ws` | sockets | the usual one | MIT |\n");
		write("package.json", JSON.stringify({ dependencies: { ws: "1" } }));
		expect(await findings()).toEqual({ code: 0, lines: [] });
	});
});
