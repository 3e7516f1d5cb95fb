import { parseArgs } from "node:util";
import type { CryptoSuite } from "@trunkline/sdp";
import { SRTP_SUITES } from "@trunkline/srtp";

export const HELP = `npm run bench: what a call costs and how late it sounds, on this machine

  npm run bench -- [options]

  --calls 2,10,20   calls at a time, in pairs (even numbers)
  --seconds 8       how long each number of calls is measured
  --dials 20        outbound calls whose set-up is timed (0 = none)
  --joins N         also N set-ups at 50 a second, two in each room: the first ones, again, and beside 10 calls that run (default 0)
  --crowd N         also N callers into one room, 70 ms apart (default 0)
  --opus            also calls with Opus participants: each number of them, and one whose far side is @livekit/rtc-node
  --srtp            each number of calls in the clear, twice encrypted, in the clear: what encryption costs
  --suite NAME      of --srtp (AES_CM_128_HMAC_SHA1_80)
  --no-whole        without the rows of "npm start" as it is, embedded rooms in the same process
  --workers 1       threads for audio (0 = in the main one)
  --against sip:127.0.0.1:PORT
                    then the same through a system that runs on this machine, such as LiveKit's SIP service beside the LIVEKIT_URL server, and how
                    many times ours is better; trunks and rules are made there and taken away again
  --against-pid N   its process, for CPU time and memory
  --profile-heap    what is allocated for each packet, by function (V8's sampling profiler; it costs time, so look at nothing else then)
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
	joins: number;
	crowd: number;
	opus: boolean;
	/** undefined = without */
	srtp?: CryptoSuite;
	profileHeap: boolean;
	whole: boolean;
	workers: number;
	profile?: string;
	/** a system that runs: its SIP port on 127.0.0.1, and its process where that is known */
	against?: { sipPort: number; pid: number | undefined };
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
			joins: { type: "string", default: "0" },
			crowd: { type: "string", default: "0" },
			opus: { type: "boolean", default: false },
			srtp: { type: "boolean", default: false },
			suite: { type: "string", default: "AES_CM_128_HMAC_SHA1_80" },
			"profile-heap": { type: "boolean", default: false },
			whole: { type: "boolean", default: true },
			workers: { type: "string", default: "1" },
			profile: { type: "string" },
			against: { type: "string" },
			"against-pid": { type: "string" },
		},
	});
	const calls = values.calls.split(",").map((text) => numberIn("--calls", text, 2, 400));
	if (calls.some((count) => count % 2 !== 0)) throw new Error(`--calls ${values.calls}: calls come in pairs, so even numbers`);
	return {
		help: values.help,
		calls,
		seconds: numberIn("--seconds", values.seconds, 2, 600),
		dials: numberIn("--dials", values.dials, 0, 1_000),
		joins: numberIn("--joins", values.joins, 0, 2_000),
		crowd: numberIn("--crowd", values.crowd, 0, 200),
		opus: values.opus,
		whole: values.whole,
		profileHeap: values["profile-heap"],
		...(values.srtp ? { srtp: suiteOf(values.suite) } : {}),
		workers: numberIn("--workers", values.workers, 0, 64),
		...(values.profile === undefined ? {} : { profile: values.profile }),
		...againstOf(values.against, values["against-pid"]),
	};
}

function againstOf(against: string | undefined, pid: string | undefined): Pick<BenchOptions, "against"> {
	if (against === undefined) {
		if (pid !== undefined) throw new Error("--against-pid: needs --against, which says where that process answers");
		return {};
	}
	const port = /^(?:sip:)?127\.0\.0\.1:(\d{1,5})$/.exec(against)?.[1];
	if (port === undefined) throw new Error(`--against ${against}: must be sip:127.0.0.1:PORT, a system on this machine`);
	return {
		against: {
			sipPort: numberIn("--against", port, 1, 65_535),
			pid: pid === undefined ? undefined : numberIn("--against-pid", pid, 1, 2 ** 22),
		},
	};
}

function suiteOf(name: string): CryptoSuite {
	const suites = Object.keys(SRTP_SUITES) as CryptoSuite[];
	const suite = suites.find((each) => each === name);
	if (suite === undefined) throw new Error(`--suite ${name}: must be one of ${suites.join(", ")}`);
	return suite;
}

function numberIn(option: string, text: string, least: number, most: number): number {
	const value = Number(text);
	if (!/^\d+$/.test(text.trim()) || value < least || value > most)
		throw new Error(`${option} ${text}: must be a number from ${least} to ${most}`);
	return value;
}
