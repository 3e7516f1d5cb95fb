import { parseArgs } from "node:util";

export const HELP = `npm run bench: what a call costs and how late it sounds, on this machine

  npm run bench -- [options]

  --calls 2,10,20   calls at a time, in pairs (even numbers)
  --seconds 8       how long each number of calls is measured
  --dials 20        outbound calls whose set-up is timed (0 = none)
  --opus            also calls with an Opus participant (@livekit/rtc-node) as the far side
  --no-whole        without the rows of "npm start" as it is, embedded rooms in the same process
  --profile DIR     CPU profile of the measured process (node --cpu-prof) into this folder
  --help

Progress goes to stderr, a Markdown table to stdout. The rooms are on our own room server in a process of its own, or on the server that
LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name. Everything else stays on 127.0.0.1.

Example:
  npm run bench -- --calls 10,40 --seconds 10
`;

export interface BenchOptions {
	help: boolean;
	calls: number[];
	seconds: number;
	dials: number;
	opus: boolean;
	whole: boolean;
	profile?: string;
}

/** Reads the command line. Throws an error whose message is for a person. */
export function readOptions(args: readonly string[]): BenchOptions {
	const { values } = parseArgs({
		args: [...args],
		allowNegative: true,
		options: {
			help: { type: "boolean", short: "h", default: false },
			calls: { type: "string", default: "2,10,20" },
			seconds: { type: "string", default: "8" },
			dials: { type: "string", default: "20" },
			opus: { type: "boolean", default: false },
			whole: { type: "boolean", default: true },
			profile: { type: "string" },
		},
	});
	const calls = values.calls.split(",").map((text) => numberIn("--calls", text, 2, 400));
	if (calls.some((count) => count % 2 !== 0)) throw new Error(`--calls ${values.calls}: calls come in pairs, so even numbers`);
	return {
		help: values.help,
		calls,
		seconds: numberIn("--seconds", values.seconds, 2, 600),
		dials: numberIn("--dials", values.dials, 0, 1_000),
		opus: values.opus,
		whole: values.whole,
		...(values.profile === undefined ? {} : { profile: values.profile }),
	};
}

function numberIn(option: string, text: string, least: number, most: number): number {
	const value = Number(text);
	if (!/^\d+$/.test(text.trim()) || value < least || value > most)
		throw new Error(`${option} ${text}: must be a number from ${least} to ${most}`);
	return value;
}
