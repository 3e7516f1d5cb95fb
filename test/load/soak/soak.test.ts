import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

test("calls come and go for some seconds, and what is held is compared", async () => {
	const soak = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", "main.ts", "--minutes", "0.2", "--calls", "4"], {
		cwd: import.meta.dirname,
		env: { ...process.env, LIVEKIT_URL: "" },
		stdio: ["ignore", "pipe", "pipe"],
	});
	let told = "";
	for (const stream of [soak.stdout, soak.stderr]) stream.setEncoding("utf8").on("data", (text: string) => void (told += text));
	await once(soak, "exit");
	const rows = told.split("\n").filter((line) => /^\| \d/.test(line));
	expect(rows.length, told).toBeGreaterThanOrEqual(6);
	for (const row of rows) expect(row.split("|").length).toBe(15);
	const [, answered, failed, deaf] =
		/(\d+) calls answered, \d+ given up, \d+ refused \(503\), (\d+) failed, (\d+) deaf/.exec(told)?.map(Number) ?? [];
	expect(answered, told).toBeGreaterThanOrEqual(4);
	expect([failed, deaf], told).toEqual([0, 0]);
	// whether so short a time is enough to tell is not the matter here: both moments were looked at
	expect(told).toMatch(/^\*\*(No growth|Grown)/m);
	expect(told.match(/without calls, by thread/g)?.length).toBe(2);
});
