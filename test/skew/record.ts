// npm run record:skew -- <version>: what this version stores, sends and answers, into test/skew/fixtures/<version>. docs/skew.md says when.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startCloud } from "./cloud.ts";
import { record, RECORDED_AT } from "./scenario.ts";

const [version = ""] = process.argv.slice(2);
if (!/^v\d+$/.test(version)) {
	process.stderr.write("npm run record:skew -- v2 (the next folder of test/skew/fixtures)\n");
	process.exit(1);
}
const folder = join(import.meta.dirname, "fixtures", version);
const cloud = await startCloud(() => RECORDED_AT);
try {
	const recording = await record(cloud);
	mkdirSync(folder, { recursive: true });
	for (const [name, value] of Object.entries(recording))
		writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(value, undefined, "\t")}\n`);
	process.stdout.write(`${folder}\n`);
} finally {
	await cloud.close();
}
