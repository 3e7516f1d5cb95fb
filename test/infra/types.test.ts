import { spawn } from "node:child_process";
import { globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, inject, it } from "vitest";
import { ROOT } from "./graph.ts";

const missing = inject("sstMissing");

/** What the compiler says of sst.config.ts and infra/, with SST's own types and Pulumi's. */
function check(project: string): Promise<string> {
	const child = spawn(process.execPath, [join(ROOT, "node_modules/typescript7/bin/tsc"), "-p", project], {
		cwd: ROOT,
		stdio: ["ignore", "pipe", "pipe"],
	});
	let said = "";
	for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (said += text));
	return new Promise((resolve) => child.on("close", () => resolve(said.trim())));
}

describe.skipIf(missing !== "")(`types (${missing || "of SST and Pulumi"})`, () => {
	it("no file of infra/ takes a name that SST puts before it", () => {
		const files = globSync("infra/**/*.ts", { cwd: ROOT });
		const taken = files.filter((file) =>
			/\b(function|const|let|class|import|,|\{)\s+(aws|sst)\b(?!\.)/.test(
				readFileSync(join(ROOT, file), "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, ""),
			),
		);
		expect(files.length).toBeGreaterThan(20);
		expect(taken).toEqual([]);
	});

	it("the configuration is typed as SST has it", async () => {
		expect(await check("infra/tsconfig.json")).toBe("");
	});

	it("a mistake is one", async () => {
		const wrong = join(ROOT, ".sst/wrong.ts");
		const project = join(ROOT, ".sst/tsconfig.wrong.json");
		writeFileSync(
			wrong,
			'/// <reference path="./platform/config.d.ts" />\nnew sst.aws.Queue("Q", { visibility: "1 second" });\nnew aws.sqs.Queue("R", { delaySeconds: "x" });\n',
		);
		writeFileSync(project, JSON.stringify({ extends: "../infra/tsconfig.json", include: ["./wrong.ts"] }));
		try {
			const said = await check(project);
			expect(said).toMatch(/wrong\.ts\(2,\d+\).*'visibility' does not exist/);
			expect(said).toMatch(/wrong\.ts\(3,\d+\).*'string' is not assignable/);
		} finally {
			for (const file of [wrong, project]) rmSync(file);
		}
	});
});
