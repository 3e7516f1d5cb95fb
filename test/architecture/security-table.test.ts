import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const ROWS = [...readFileSync(join(ROOT, "docs/security.md"), "utf8").matchAll(/^\| ([^|]+) \| [^|]+ \| `([^`]+)` "(.+)" \|$/gm)].map(
	([, threat = "", file = "", title = ""]) => ({ threat, file, title }),
);

it("docs/security.md has its table", () => expect(ROWS.length).toBeGreaterThan(20));

it.each(ROWS)("$threat: the test that docs/security.md names is there", ({ file, title }) => {
	expect(existsSync(join(ROOT, file)), file).toBe(true);
	expect(readFileSync(join(ROOT, file), "utf8")).toContain(title);
});
