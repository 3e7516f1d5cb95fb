/** How a call sounds over a bad network: `npm run bench:quality`. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Against, type OtherSystem } from "./against.ts";
import { CONDITIONS, type Condition } from "./impairment.ts";
import { type Heard, opusOf, roomToTelephone, telephoneToRoom } from "./paths.ts";
import { speechClips } from "./speech.ts";

const HELP = `npm run bench:quality: what is heard of a call when the network loses and delays packets, and clocks differ

  --clips 6         clips of 8 s for each condition
  --seed 1          another seed, another network
  --speech DIR      WAV files of 8 kHz (default: Debian's asterisk-core-sounds-en-wav where it is, otherwise a made-up voice)
  --python python3  with the package "pesq" in it; without it that column stays empty
  --against sip:HOST:PORT  also through a system that runs (LiveKit's SIP service, or this one), room → telephone, in real time: another table. Its LiveKit
                    server is what LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name; trunks and rules are made there and taken away again
  --help

The node's own code, in simulated time. A Markdown table goes to stdout.
`;

const { values } = parseArgs({
	options: {
		clips: { type: "string", default: "6" },
		seed: { type: "string", default: "1" },
		speech: { type: "string" },
		against: { type: "string" },
		python: { type: "string", default: process.env["PYTHON"] ?? "python3" },
		help: { type: "boolean", short: "h", default: false },
	},
});

interface Path {
	name: string;
	conditions: readonly Condition[];
	hear(speech: Int16Array, condition: Condition, seed: number): Heard;
}

/** Nothing waits on that path, so that jitter and clocks are not to be heard there. */
const LOSSES = CONDITIONS.filter(({ jitterMs, driftPpm }) => jitterMs === 0 && driftPpm === 0);
const PATHS: readonly Path[] = [
	{
		name: "room → telephone, Opus with copies (in-band FEC)",
		conditions: CONDITIONS,
		hear: (speech, condition, seed) => roomToTelephone(opusOf(speech, true), condition, seed),
	},
	{
		name: "room → telephone, Opus without copies",
		conditions: CONDITIONS,
		hear: (speech, condition, seed) => roomToTelephone(opusOf(speech, false), condition, seed),
	},
	{ name: "telephone → room, µ-law to Opus", conditions: LOSSES, hear: telephoneToRoom },
];

interface Row {
	path: string;
	condition: string;
	heard: Heard[];
}

async function main(): Promise<void> {
	if (values.help) return void process.stdout.write(HELP);
	const other = values.against === undefined ? undefined : otherSystem(values.against);
	const count = Number(values.clips);
	const { clips, of } = speechClips(count, values.speech);
	const rows = PATHS.flatMap(({ name, conditions, hear }) =>
		conditions.map((condition): Row => {
			process.stderr.write(`bench: ${name}, ${condition.name}\n`);
			return {
				path: name,
				condition: condition.name,
				heard: clips.map((clip, i) => hear(clip, condition, Number(values.seed) * 1_000 + i)),
			};
		}),
	);
	const scores = pesq(rows, clips);
	process.stdout.write(`${count} clips of 8 s, ${of}.\n\n| path | network | delay of the buffer, mean / p95 ms | concealed, % | PESQ |\n`);
	process.stdout.write("| --- | --- | --- | --- | --- |\n");
	for (const [i, { path, condition, heard }] of rows.entries()) {
		const delays = heard.flatMap((one) => one.delays).toSorted((a, b) => a - b);
		const delay =
			delays.length === 0 ? "none" : `${mean(delays).toFixed(0)} / ${(delays[Math.floor(delays.length * 0.95)] ?? 0).toFixed(0)}`;
		const concealed = (100 * mean(heard.map((one) => one.concealed))).toFixed(1);
		process.stdout.write(`| ${path} | ${condition} | ${delay} | ${concealed} | ${scores?.[i]?.toFixed(2) ?? "n/a"} |\n`);
	}
	if (other !== undefined) await against(other, clips);
}

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;

/** The mean of each row's clips; undefined where there is no PESQ to be had. */
function pesq(rows: readonly Row[], clips: readonly Int16Array[]): number[] | undefined {
	const folder = mkdtempSync(join(tmpdir(), "quality-"));
	try {
		const file = (name: string, pcm: Int16Array): string => {
			writeFileSync(join(folder, name), new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength));
			return join(folder, name);
		};
		const references = clips.map((clip, i) => file(`reference-${i}`, clip));
		const pairs = rows.flatMap(({ heard }, row) => heard.map(({ pcm }, i) => `${references[i]}\t${file(`${row}-${i}`, pcm)}`));
		const script = join(import.meta.dirname, "score.py");
		const { status, stdout, stderr } = spawnSync(values.python, [script], { input: `${pairs.join("\n")}\n`, encoding: "utf8" });
		const scores = (stdout ?? "").split("\n").filter(Boolean).map(Number);
		if (status !== 0 || scores.length !== pairs.length) {
			process.stderr.write(`${stderr ?? ""}bench: ${values.python} has no package "pesq" (pip install pesq): no PESQ this time\n`);
			return undefined;
		}
		return rows.map((_, row) => mean(scores.slice(row * clips.length, (row + 1) * clips.length)));
	} finally {
		rmSync(folder, { recursive: true });
	}
}

/** The same clips and networks, all clips of a network at a time. */
async function against(system: OtherSystem, clips: readonly Int16Array[]): Promise<void> {
	const other = new Against(system);
	const rows: Row[] = [];
	try {
		await other.prepare(clips.length);
		for (const condition of CONDITIONS) {
			process.stderr.write(`bench: through ${system.sip}, ${condition.name}\n`);
			const heard = await Promise.all(
				clips.map((clip, i) => other.roomToTelephone(i, clip, opusOf(clip, true), condition, Number(values.seed) * 1_000 + i)),
			);
			rows.push({ path: `through ${system.sip}`, condition: condition.name, heard });
		}
	} finally {
		await other.remove();
	}
	const scores = pesq(rows, clips);
	process.stdout.write("\n| path | network | participant → telephone, ms | PESQ |\n| --- | --- | --- | --- |\n");
	for (const [i, { path, condition, heard }] of rows.entries()) {
		const lag = mean(heard.flatMap(({ delays }) => delays)).toFixed(0);
		process.stdout.write(`| ${path} | ${condition} | ${lag} | ${scores?.[i]?.toFixed(2) ?? "n/a"} |\n`);
	}
}

function otherSystem(sip: string): OtherSystem {
	const { LIVEKIT_URL: url, LIVEKIT_API_KEY: apiKey, LIVEKIT_API_SECRET: apiSecret } = process.env;
	if (!url || !apiKey || !apiSecret) throw new Error("--against needs LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET");
	return { sip: sip.replace(/^sip:/, ""), url, apiKey, apiSecret };
}

try {
	await main();
	process.exit(0);
} catch (error) {
	process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
	process.exit(1);
}
