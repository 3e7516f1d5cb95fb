import { setTimeout as delay } from "node:timers/promises";
import { measureCrowd, measureJoins } from "./joins.ts";
import { type BenchOptions, HELP, readOptions } from "./options.ts";
import { measureOpus } from "./opus.ts";
import { measureOpusCalls } from "./opus-calls.ts";
import { measureOutbound } from "./outbound.ts";
import { ENCRYPTION_ALLOWED, measurePairs, type PairsResult, provisionPairs } from "./pairs.ts";
import { Program } from "./processes.ts";
import { report, type Shape } from "./report.ts";
import { heldOf } from "./soak/growth.ts";
import { foreignSystem, startRooms, startSystem, type System } from "./systems.ts";
import { watch } from "./window.ts";

const IDLE_MS = 2_000;
/** The first calls of a process also pay for the compiler. */
const WARM_UP = { calls: 4, ms: 2_000 };
/** calls that speak while others are set up */
const RUNNING = 10;
/** By then the calls before are over on their side, too: records written, rooms left. */
const SETTLE_MS = 1_000;
/** Nothing is left of the calls that warm up. */
const CLOSED_MS = 3_000;

const say = (line: string): boolean => process.stderr.write(`bench: ${line}\n`);

async function main(): Promise<void> {
	const options = readOptions(process.argv.slice(2));
	if (options.help) {
		process.stdout.write(HELP);
		return;
	}
	// first, so that the folders of the programs are removed after them
	process.once("exit", () => Program.killAll());
	stopWhenAsked();
	try {
		if (options.against !== undefined && !process.env["LIVEKIT_URL"])
			throw new Error("--against: LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET must name the LiveKit server of that system");
		const shapes = [await separate(options)];
		// With a server from outside, the rows without it tell nothing about it.
		if (options.whole && !process.env["LIVEKIT_URL"]) shapes.push(await whole(options));
		if (options.against !== undefined) shapes.push(await foreign(options.against, options));
		process.stdout.write(report(shapes, new Date()));
	} finally {
		await Program.stopAll();
	}
}

/** The system in one process, rooms in another: what compares with LiveKit's SIP service beside a LiveKit server. */
async function separate(options: BenchOptions): Promise<Shape> {
	const rooms = await startRooms(process.env);
	const name = rooms.program === undefined ? "rooms on LIVEKIT_URL" : "rooms in another process";
	const shape = await measure(name, await startSystem(rooms, options), options, options.opus);
	await rooms.program?.stop();
	return shape;
}

/** Another system in the same rooms. */
async function foreign(against: NonNullable<BenchOptions["against"]>, options: BenchOptions): Promise<Shape> {
	const system = foreignSystem(against, await startRooms(process.env));
	const shape = await measure("the other system", system, { ...options, profileHeap: false }, options.opus);
	return { ...shape, foreign: true };
}

async function whole(options: BenchOptions): Promise<Shape> {
	return measure("all of `npm start` in one process", await startSystem(undefined, options), options, false);
}

async function measure(name: string, system: System, options: BenchOptions, opus: boolean): Promise<Shape> {
	try {
		say(`${name}, process ${system.program.pid}: idle`);
		const { cpuPercent: idlePercent } = await watch(system, IDLE_MS);
		const most = Math.max(WARM_UP.calls, options.joins + RUNNING, ...options.calls.map((calls) => (opus ? 2 * calls : calls)));
		const numbers = await provisionPairs(system, Math.ceil(most / 2), options.srtp && { mediaEncryption: ENCRYPTION_ALLOWED });
		say(`${WARM_UP.calls} calls to warm up`);
		await measurePairs(system, numbers, WARM_UP.calls, WARM_UP.ms);
		await delay(CLOSED_MS);
		await system.probe("collected");
		const held = heldOf(await system.probe("collected"), undefined);
		const shape: Shape = { name, idlePercent, held, pairs: [], joins: [], outbound: undefined, opusCalls: [], opus: undefined };
		for (const calls of options.calls) shape.pairs.push(...(await pairs(system, numbers, calls, options)));
		await measureSetUps(system, numbers, options, shape);
		if (options.dials > 0) {
			await delay(SETTLE_MS);
			say(`${options.dials} outbound calls`);
			shape.outbound = await measureOutbound(system, options.dials);
		}
		if (opus) {
			for (const calls of options.calls) {
				await delay(SETTLE_MS);
				say(`${calls} calls with Opus participants for ${options.seconds} s`);
				shape.opusCalls.push(await measureOpusCalls(system, numbers, calls, options.seconds * 1_000));
			}
			await delay(SETTLE_MS);
			say(`a call with an Opus participant for ${options.seconds} s`);
			shape.opus = await measureOpus(system, numbers[0] ?? "", "bench-0", options.seconds * 1_000);
		}
		return shape;
	} finally {
		await system.stop();
	}
}

async function measureSetUps(system: System, numbers: readonly string[], options: BenchOptions, shape: Shape): Promise<void> {
	// The first ones find code that has hardly run, and say what a process that has just started can take.
	for (const [running, when] of options.joins > 0
		? ([
				[0, "the first"],
				[0, "again"],
				[RUNNING, "again"],
			] as const)
		: []) {
		await delay(SETTLE_MS);
		say(`${options.joins} set-ups at 50 a second beside ${running} calls, ${when}`);
		shape.joins.push(await measureJoins(system, numbers, options.joins, running, when));
	}
	if (options.crowd > 0) {
		await delay(SETTLE_MS);
		say(`${options.crowd} callers into one room`);
		shape.joins.push(await measureCrowd(system, numbers[0] ?? "", options.crowd));
	}
}

/** Encrypted ones stand between two in the clear: what the machine does meanwhile is in both. */
async function pairs(system: System, numbers: readonly string[], calls: number, options: BenchOptions): Promise<PairsResult[]> {
	const { seconds, srtp: suite, profileHeap } = options;
	const results: PairsResult[] = [];
	for (const encrypted of suite === undefined ? [false] : [false, true, true, false]) {
		await delay(SETTLE_MS);
		say(`${calls} calls${encrypted ? `, ${suite},` : ""} for ${seconds} s`);
		const srtp = encrypted && suite !== undefined ? { srtp: { suites: [suite] } } : {};
		results.push(await measurePairs(system, numbers, calls, seconds * 1_000, { ...srtp, profileHeap }));
	}
	return results;
}

/** Ctrl-C: what was started is ended first. A second one means now. */
function stopWhenAsked(): void {
	let asked = false;
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
		process.on(signal, () => {
			if (asked) process.exit(130);
			asked = true;
			say("stopping");
			void Program.stopAll().finally(() => process.exit(130));
		});
	}
}

try {
	await main();
	// rtc-node's threads would keep the process
	process.exit(0);
} catch (error) {
	process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
	process.exit(1);
}
