/** npm run bench:noise [-- calls seconds]: what suppression of one direction costs, per 20 ms of a telephone call and of a core. */
import { readFileSync } from "node:fs";
import { DtlnNetwork } from "./dtln/network.ts";
import { DtlnSuppressor } from "./dtln/suppressor.ts";
import { DTLN_WEIGHTS } from "./dtln/weights.ts";
import { SwitchedSuppression } from "./switched.ts";

const [calls = 10, seconds = 30] = process.argv.slice(2).map(Number);
if (!(calls > 0 && seconds > 0)) {
	process.stdout.write(
		"npm run bench:noise [-- calls seconds]   (10 calls in turn, 30 s; what suppression costs per 20 ms of a call and of a core)\n",
	);
	process.exit(process.argv.includes("--help") ? 0 : 1);
}
const FRAME = 160;
/** so that what a garbage collection takes away does not matter */
const MANY = 1_000;

const began = performance.now();
const network = new DtlnNetwork(readFileSync(DTLN_WEIGHTS));
const loadedMs = performance.now() - began;
const before = memory();
const many = begun(MANY);
const perCall = (memory() - before) / many.length;
const streams = many.slice(0, calls);

report("noise", (index) => Math.sin(index * index) * 3_000);
report("digital silence", () => 0);
process.stdout.write(
	`weights: ${loadedMs.toFixed(0)} ms to load, once per thread; ${(perCall / 1024).toFixed(0)} KiB per call and direction\n`,
);

function report(name: string, sample: (index: number) => number): void {
	const times: number[] = [];
	const frame = new Int16Array(FRAME);
	const cpu = process.cpuUsage();
	for (let turn = 0; turn < seconds * 50; turn++) {
		for (const stream of streams) {
			for (let index = 0; index < FRAME; index++) frame[index] = sample(turn * FRAME + index);
			const at = performance.now();
			stream.process(frame, 8_000);
			times.push(performance.now() - at);
		}
	}
	const { user, system } = process.cpuUsage(cpu);
	times.sort((a, b) => a - b);
	const quantile = (part: number): string => (times[Math.floor(part * (times.length - 1))] ?? 0).toFixed(3);
	const core = (user + system) / 1e4 / (seconds * calls);
	process.stdout.write(
		`${name}: ${calls} calls in turn, per 20 ms: p50 ${quantile(0.5)} ms, p99 ${quantile(0.99)} ms, p99.9 ${quantile(0.999)} ms; ${core.toFixed(2)} % of a core per call\n`,
	);
}

function begun(count: number): SwitchedSuppression[] {
	return Array.from({ length: count }, () => {
		const stream = new SwitchedSuppression(() => new DtlnSuppressor(network));
		stream.set(1);
		stream.process(new Int16Array(FRAME), 8_000);
		return stream;
	});
}

function memory(): number {
	const { heapUsed, arrayBuffers } = process.memoryUsage();
	return heapUsed + arrayBuffers;
}
