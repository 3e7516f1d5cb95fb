import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { parseAndAnswerCalls, parseAndAnswerOptions, type Throughput } from "./sip/parse-and-answer.ts";
import { type SetUps, setUps } from "./sip/set-ups.ts";

const HELP = `npm run bench:sip: how many SIP messages and calls one core takes, on this machine

  npm run bench:sip -- [options]

  --calls 100000       calls that are fed to an endpoint without sockets (1000000: the memory is flat over a million, some minutes)
  --options 200000     OPTIONS requests fed likewise
  --rate 200           call set-ups a second over UDP on 127.0.0.1, answered by a process of its own
  --seconds 20         how long
  --help

Progress goes to stderr, a Markdown table to stdout. A message counts when it was parsed and handled, and again when one was written.
`;

interface Options {
	calls: number;
	options: number;
	rate: number;
	seconds: number;
}

function readOptions(): Options | undefined {
	const { values } = parseArgs({
		options: {
			calls: { type: "string", default: "100000" },
			options: { type: "string", default: "200000" },
			rate: { type: "string", default: "200" },
			seconds: { type: "string", default: "20" },
			help: { type: "boolean", short: "h", default: false },
		},
	});
	if (values.help) return undefined;
	const count = (name: "calls" | "options" | "rate" | "seconds", most: number): number => {
		const given = Number(values[name]);
		if (!Number.isInteger(given) || given < 1 || given > most)
			throw new Error(`--${name} ${values[name]}: must be a number from 1 to ${most}`);
		return given;
	};
	return {
		calls: count("calls", 10_000_000),
		options: count("options", 100_000_000),
		rate: count("rate", 2_000),
		seconds: count("seconds", 3_600),
	};
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const perSecond = (count: number, { seconds }: Throughput): string => Math.round(count / seconds).toLocaleString("en");

async function main({ calls, options, rate, seconds }: Options): Promise<void> {
	say("warming up");
	parseAndAnswerCalls(5_000, () => {});
	parseAndAnswerOptions(20_000);
	say(`${options} OPTIONS`);
	const pings = parseAndAnswerOptions(options);
	say(`${calls} calls without sockets`);
	const whole = parseAndAnswerCalls(calls, (done) => say(`  ${done}`));
	say(`${rate} set-ups a second for ${seconds} s`);
	const live = await setUps(rate, seconds);
	process.stdout.write(report(pings, whole, calls, live));
}

function report(pings: Throughput, whole: Throughput, calls: number, live: SetUps): string {
	const heap = `${whole.heapMb.middle.toFixed(1)} / ${whole.heapMb.end.toFixed(1)} MB`;
	const row = (name: string, one: Throughput): string =>
		`| ${name} | ${perSecond(one.received, one)} | ${perSecond(one.received + one.sent, one)} | ${one.received.toLocaleString("en")} in, ${one.sent.toLocaleString("en")} out |`;
	return [
		`Node ${process.versions.node}, ${cpus()[0]?.model.trim() ?? "unknown"}, ${cpus().length} cores; ${new Date().toISOString().slice(0, 10)}`,
		"",
		"| one endpoint, no sockets | parsed and answered per second | with those written | messages |",
		"|---|---|---|---|",
		row("OPTIONS → 200", pings),
		row("whole calls: INVITE → 100, 180, 200; ACK; BYE → 200", whole),
		"",
		`Heap in the middle and at the end of ${calls.toLocaleString("en")} calls at 200 a second of simulated time: ${heap}; left over afterwards: ${whole.leftOver}.`,
		"",
		"| set-ups per second over UDP | offered | answered | failed | INVITE → 200, p50 / p95 / max ms | answering process, % of a core | its memory, begin / end |",
		"|---|---|---|---|---|---|---|",
		`| ${live.perSecond} | ${live.offered} | ${live.answered} | ${live.failed} | ${times(live)} | ${live.cpuPercent.toFixed(0)} | ${live.rssMb.begin.toFixed(0)} / ${live.rssMb.end.toFixed(0)} MB |`,
		"",
	].join("\n");
}

function times({ setUp }: SetUps): string {
	return setUp === undefined ? "n/a" : [setUp.p50, setUp.p95, setUp.max].map((ms) => ms.toFixed(1)).join(" / ");
}

try {
	const options = readOptions();
	if (options === undefined) process.stdout.write(HELP);
	else await main(options);
} catch (error) {
	say(error instanceof Error ? error.message : String(error));
	process.exitCode = 1;
}
