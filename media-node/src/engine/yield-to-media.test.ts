import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const PROGRAM = `
	import { readFileSync } from "node:fs";
	import { Worker } from "node:worker_threads";
	import { yieldToMedia } from ${JSON.stringify(fileURLToPath(new URL("yield-to-media.ts", import.meta.url)))};
	const worker = new Worker(
		"const { parentPort } = require('node:worker_threads'); parentPort.on('message', () => parentPort.postMessage(require('node:fs').readlinkSync('/proc/thread-self')));",
		{ eval: true, execArgv: [] },
	);
	const thread = () => new Promise((resolve) => { worker.once("message", resolve); worker.postMessage(""); });
	// field 19 of proc(5)'s stat: the nice value
	const nice = (path) => Number(readFileSync("/proc/" + path + "/stat", "latin1").split(") ")[1].split(" ")[16]);
	const path = await thread();
	const before = [nice("thread-self"), nice(path)];
	yieldToMedia();
	console.log(JSON.stringify({ before, after: [nice("thread-self"), nice(path)] }));
	process.exit(0);
`;

it.runIf(process.platform === "linux")("the main thread lets the media threads go first (only on Linux)", async () => {
	const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", PROGRAM]);
	const { before, after } = JSON.parse(stdout) as { before: [number, number]; after: [number, number] };
	expect(before[0]).toBe(before[1]);
	expect(after).toEqual([Math.min(19, Math.max(5, before[0])), before[1]]);
});
