/** Calls that come and go for an hour: `npm run bench:soak`. */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { cpuMs, openSockets, Program } from "../processes.ts";
import { startRooms, startSystem, type System } from "../systems.ts";
import { type Held, heldOf, megabytes, verdict } from "./growth.ts";
import { Traffic } from "./traffic.ts";

const HELP = `npm run bench:soak: calls that come and go; does anything grow?

  --minutes 60   how long
  --calls 50     at a time, in pairs: G.711, G.722, Opus, SRTP; each lasts 5 to 45 s, one more of eleven is given up at once
  --workers 1    threads for audio
  --seed 1       another seed, another order
  --help

Each minute one line. After the 10th minute (of shorter runs: after a third), and at the end, all calls are hung up, and what is held without any is compared: exit status 1
when it has grown. The rooms are in a process of their own, or on the server that LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name.
`;

const MINUTE_MS = 60_000;
/** Whatever the calls have left is gone by then: transactions, last words, connections that are kept. */
const SETTLE_MS = 20_000;
const HEAD =
	"| minute | live calls | calls so far | refused | failed | deaf | resident | heap | external | handles | sockets | late frames | % of a core |";

interface Options {
	minutes: number;
	calls: number;
	workers: number;
	seed: number;
}

function readOptions(): Options | undefined {
	const { values } = parseArgs({
		options: {
			minutes: { type: "string", default: "60" },
			calls: { type: "string", default: "50" },
			workers: { type: "string", default: "1" },
			seed: { type: "string", default: "1" },
			help: { type: "boolean", short: "h", default: false },
		},
	});
	if (values.help) return undefined;
	const number = (name: "minutes" | "calls" | "workers" | "seed", least: number, most: number): number => {
		const given = Number(values[name]);
		if (!(given >= least && given <= most)) throw new Error(`--${name} ${values[name]}: must be a number from ${least} to ${most}`);
		return given;
	};
	return {
		...{ minutes: number("minutes", 0.05, 10_000), calls: number("calls", 2, 400) },
		...{ workers: number("workers", 0, 64), seed: number("seed", 0, 2 ** 31) },
	};
}

const say = (line: string): void => void process.stderr.write(`soak: ${line}\n`);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** True: nothing has grown, and nobody was deaf. */
async function soak(system: System, { minutes, calls, seed }: Options): Promise<boolean> {
	const traffic = await Traffic.prepare(system, calls, seed);
	const totalMs = minutes * MINUTE_MS;
	const everyMs = Math.min(MINUTE_MS, totalMs / 6);
	const baselineMs = Math.min(10 * MINUTE_MS, totalMs / 3);
	const settleMs = Math.min(SETTLE_MS, totalMs / 6);
	print(HEAD);
	print(HEAD.replace(/[^|]+/g, " --- "));
	await traffic.begin();
	let elapsedMs = 0;
	let before: Held | undefined;
	while (elapsedMs < totalMs) {
		const cpu = cpuMs(system.program.pid);
		const from = performance.now();
		const stepMs = Math.min(
			everyMs,
			totalMs - elapsedMs,
			before === undefined && elapsedMs < baselineMs ? baselineMs - elapsedMs : Infinity,
		);
		await delay(stepMs);
		elapsedMs += stepMs;
		print(await row(system, traffic, elapsedMs, ((cpuMs(system.program.pid) ?? Number.NaN) - (cpu ?? 0)) / (performance.now() - from)));
		if (before === undefined && elapsedMs >= baselineMs) {
			before = await heldWithoutCalls(system, traffic, settleMs);
			await traffic.begin();
		}
	}
	const after = await heldWithoutCalls(system, traffic, settleMs);
	const { counts, why } = traffic;
	if (why !== undefined) say(`the latest call that failed: ${why}`);
	const line = verdict(before ?? after, after);
	print(
		`\n${line} ${counts.answered} calls answered, ${counts.givenUp} given up, ${counts.refused} refused (503), ${counts.failed} failed, ${counts.deaf} deaf.`,
	);
	return line.startsWith("**No growth") && counts.failed === 0 && counts.deaf === 0;
}

async function row(system: System, { counts }: Traffic, elapsedMs: number, cpuShare: number): Promise<string> {
	const { live } = counts;
	const answer = await system.probe("now");
	const held = heldOf(answer, openSockets(system.program.pid));
	const late = answer.threads.reduce((sum, { lateFrames }) => sum + lateFrames, 0);
	const cells = [
		...[
			(elapsedMs / MINUTE_MS).toFixed(elapsedMs % MINUTE_MS === 0 ? 0 : 2),
			live,
			counts.answered,
			counts.refused,
			counts.failed,
			counts.deaf,
		],
		...[megabytes(held.rss), megabytes(held.heap), megabytes(held.external), held.handles, held.sockets ?? "n/a", late],
		(cpuShare * 100).toFixed(0),
	];
	return `| ${cells.join(" | ")} |`;
}

async function heldWithoutCalls(system: System, traffic: Traffic, settleMs: number): Promise<Held> {
	await traffic.pause();
	await delay(settleMs);
	// Finalisers of the first collection free what the second one then does not find.
	await system.probe("collected");
	const answer = await system.probe("collected");
	const byKind = answer.threads.map(
		({ threadId, heapUsed, heapTotal, external, handles }) =>
			`${threadId}: heap ${megabytes(heapUsed)} of ${megabytes(heapTotal)}, external ${megabytes(external)}, ${JSON.stringify(handles)}`,
	);
	say(`without calls, by thread: ${byKind.join("; ")}`);
	return heldOf(answer, openSockets(system.program.pid));
}

async function main(): Promise<boolean> {
	const options = readOptions();
	if (options === undefined) return process.stdout.write(HELP);
	process.once("exit", () => Program.killAll());
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
		process.once(signal, () => void Program.stopAll().finally(() => process.exit(130)));
	try {
		const system = await startSystem(await startRooms(process.env), { workers: options.workers });
		say(`process ${system.program.pid}, ${options.calls} calls for ${options.minutes} minutes`);
		const isFlat = await soak(system, options);
		await system.stop();
		return isFlat;
	} finally {
		await Program.stopAll();
	}
}

try {
	process.exit((await main()) ? 0 : 1);
} catch (error) {
	process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`);
	process.exit(1);
}
