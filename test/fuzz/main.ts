import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { DRIVERS, type Driver } from "./drivers.ts";

const HELP = `npm run fuzz: arbitrary inputs to the parsers of the shipped code, for a night

  npm run fuzz -- [--inputs 10000000] [--seed N] [--only NAME] [--minutes 600]

It ends at the first input that makes a parser throw, take longer than a second or keep memory, and prints the seed to see it again.
`;

const ROUND = 2_000;
const SLOW_MS = 1_000;
/** beyond what is kept after the first rounds */
const MEMORY_MB = 50;
const SAY_EVERY_MS = 10_000;

interface Tally {
	inputs: number;
	slowestMs: number;
	slowest: string;
}

function main(): number {
	const { values } = parseArgs({
		options: {
			inputs: { type: "string", default: "10000000" },
			seed: { type: "string", default: String(Math.trunc(Math.random() * 2 ** 31)) },
			only: { type: "string" },
			minutes: { type: "string", default: "600" },
			help: { type: "boolean", default: false },
		},
	});
	if (values.help) {
		process.stdout.write(HELP);
		return 0;
	}
	const wanted = Number(values.inputs);
	const until = performance.now() + Number(values.minutes) * 60_000;
	const drivers = DRIVERS.filter(({ name }) => values.only === undefined || name === values.only);
	if (drivers.length === 0) {
		process.stderr.write(`fuzz: there is no driver ${values.only}; there are: ${DRIVERS.map(({ name }) => name).join(", ")}\n`);
		return 2;
	}
	process.stdout.write(`fuzz: ${wanted} inputs, ${drivers.length} drivers, seed ${values.seed}\n`);
	const tally: Tally = { inputs: 0, slowestMs: 0, slowest: "" };
	let baseMb: number | undefined;
	let sayAt = performance.now() + SAY_EVERY_MS;
	for (let round = 0; tally.inputs < wanted && performance.now() < until; round++) {
		for (const driver of drivers) {
			const problem = runRound(driver, Number(values.seed) + round, tally);
			if (problem !== undefined) {
				process.stderr.write(`fuzz: ${driver.name}: ${problem}\n`);
				return 1;
			}
		}
		const mb = keptMb();
		// The first rounds also pay for what the compiler and fast-check keep.
		if (round === 3) baseMb = mb;
		if (baseMb !== undefined && mb > baseMb + MEMORY_MB) {
			process.stderr.write(`fuzz: memory grew from ${baseMb.toFixed(0)} to ${mb.toFixed(0)} MB; seed ${values.seed}, round ${round}\n`);
			return 1;
		}
		if (performance.now() > sayAt) {
			say(tally, wanted, mb);
			sayAt = performance.now() + SAY_EVERY_MS;
		}
	}
	say(tally, wanted, keptMb());
	process.stdout.write("fuzz: nothing found\n");
	return 0;
}

/** What is not garbage. */
function keptMb(): number {
	collectGarbage();
	return process.memoryUsage().heapUsed / 2 ** 20;
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function say({ inputs, slowestMs, slowest }: Tally, wanted: number, mb: number): void {
	process.stdout.write(`fuzz: ${inputs} of ${wanted}, slowest ${slowestMs.toFixed(1)} ms (${slowest}), ${mb.toFixed(0)} MB\n`);
}

function timed(driver: Driver, input: unknown): number {
	const from = performance.now();
	driver.run(input as never);
	return performance.now() - from;
}

function runRound(driver: Driver, seed: number, tally: Tally): string | undefined {
	const details = fc.check(
		fc.property(driver.inputs, (input) => {
			const took = timed(driver, input);
			tally.inputs += 1;
			if (took > tally.slowestMs) Object.assign(tally, { slowestMs: took, slowest: driver.name });
			// Another process may have had the machine: only what is slow again is slow.
			if (took > SLOW_MS && timed(driver, input) > SLOW_MS) throw new Error(`took ${took.toFixed(0)} ms`);
		}),
		{ numRuns: ROUND, seed },
	);
	if (!details.failed) return undefined;
	const { errorInstance } = details;
	const error = errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance);
	return `${fc.defaultReportMessage(details)}\n${error}`;
}

process.exitCode = main();
