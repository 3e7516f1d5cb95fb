/** Sends what mix.py has written through G.711 and then through each candidate, as a call would: 20 ms at a time. Usage: see README.md */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { decodeG711, encodeG711 } from "@trunkline/audio";
import { SuppressedStream } from "@trunkline/noise-suppression";
import { type Candidate, candidates } from "./candidates.ts";

const RATE = 8_000;
const FRAME = 160;

interface Result {
	name: string;
	corePercent: number;
	p50Ms: number;
	p99Ms: number;
	delayMs: number;
}

const { values, positionals } = parseArgs({ allowPositionals: true, options: { packages: { type: "string" }, only: { type: "string" } } });
const [folder] = positionals;
if (folder === undefined) throw new Error("which folder?");

const results: Result[] = [];
for (const candidate of await candidates(values.packages)) {
	if (values.only !== undefined && candidate.name !== "none" && candidate.name !== values.only) continue;
	results.push(run(candidate, folder));
	process.stdout.write(`${JSON.stringify(results.at(-1))}\n`);
}
writeFileSync(join(folder, "results.json"), JSON.stringify(results, undefined, "\t"));

function run(candidate: Candidate, set: string): Result {
	const times: number[] = [];
	let [cpuMicroseconds, seconds, delayMs] = [0, 0, 0];
	for (const file of readdirSync(set).filter((name) => name.endsWith(".in"))) {
		const heard = telephone(readFileSync(join(set, file)));
		const suppressor = candidate.create();
		const { mix = 1 } = candidate;
		const stream = suppressor && new SuppressedStream({ suppressor, sampleRate: RATE, mix });
		delayMs = stream?.delayMs ?? 0;
		const output = new Int16Array(heard.length);
		const before = process.cpuUsage();
		for (let at = 0; at + FRAME <= heard.length; at += FRAME) {
			const began = performance.now();
			const [from, to] = [heard.subarray(at, at + FRAME), output.subarray(at, at + FRAME)];
			if (stream === undefined) to.set(from);
			else stream.process(from, to);
			times.push(performance.now() - began);
		}
		const { user, system } = process.cpuUsage(before);
		cpuMicroseconds += user + system;
		seconds += heard.length / RATE;
		const aligned = output.slice(Math.round((delayMs * RATE) / 1000));
		writeFileSync(join(set, file.replace(/\.in$/, `.${candidate.name}.out`)), new Uint8Array(aligned.buffer));
	}
	times.sort((a, b) => a - b);
	const quantile = (part: number): number => times[Math.floor(part * (times.length - 1))] ?? 0;
	return { name: candidate.name, corePercent: cpuMicroseconds / 1e4 / seconds, p50Ms: quantile(0.5), p99Ms: quantile(0.99), delayMs };
}

/** There and back through µ-law. */
function telephone(bytes: Uint8Array): Int16Array {
	const pcm = new Int16Array(bytes.slice().buffer);
	const law = new Uint8Array(pcm.length);
	encodeG711("PCMU", pcm, law);
	decodeG711("PCMU", law, pcm);
	return pcm;
}
