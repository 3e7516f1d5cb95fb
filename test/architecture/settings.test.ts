import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { namesIn } from "../infra/environment-names.ts";

const ROOT = join(import.meta.dirname, "../..");

/** Sections of docs/settings.md, and the program that each is of. */
const SECTIONS = {
	"`npm start`": "local",
	"The command line and the telephone": "cli",
	"Media node": "node",
	Functions: "functions",
} as const;

/** In a source that the program reads, and not for it. */
const NOT_FOR: Record<string, readonly string[]> = { local: ["INIT_CWD", "TRACES_BUCKET"] };

/** The variables in the first column of a section's table. */
function documented(section: string, text: string): string[] {
	const [, body = ""] = text.split(`\n## ${section}\n`);
	const rows = (body.split("\n## ")[0] ?? "").split("\n").filter((line) => line.startsWith("| `"));
	return rows.flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([A-Z][A-Z\d_]+)`/g)].map(([, name = ""]) => name));
}

describe("docs/settings.md", () => {
	const text = readFileSync(join(ROOT, "docs/settings.md"), "utf8");

	it.each(Object.entries(SECTIONS))("%s: the variables that are read, each once", (section, program) => {
		const read = [...namesIn(program)].filter((name) => NOT_FOR[program]?.includes(name) !== true);
		expect(read.length).toBeGreaterThan(4);
		expect(documented(section, text).sort()).toEqual(read.sort());
	});

	it("README names no other of npm start", () => {
		const known = new Set(documented("`npm start`", text));
		const named = readFileSync(join(ROOT, "README.md"), "utf8").matchAll(/^\| (`[A-Z].*?) \|/gm);
		const names = [...named].flatMap(([, cell = ""]) => cell.match(/[A-Z][A-Z\d_]{2,}/g) ?? []);
		expect(names.filter((name) => !known.has(name))).toEqual([]);
		expect(names.length).toBeGreaterThan(4);
	});
});
