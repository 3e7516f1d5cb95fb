import { EmulatorError } from "@trunkline/emulators";
import { yieldToMedia } from "@trunkline/media-node";
import { createLogger, type Logger } from "@trunkline/observability";
import { banner } from "./banner.ts";
import { readConfig, SettingError } from "./config.ts";
import { FaultBudget } from "./faults.ts";
import { livekitProblem } from "./livekit-check.ts";
import { type Local, startLocal } from "./start.ts";

const HELP = `npm start: Trunkline on this machine, with nothing but Node

Settings (environment):
  HOST                address to listen on (127.0.0.1; 0.0.0.0 = phones on the network can call; :: = the same, IPv6)
  ADVERTISED_ADDRESS  address that SIP and SDP give to others (HOST, or this machine's first address)
  PORT                HTTP: API and rooms (7880)
  SIP_PORT            SIP over UDP and TCP (5060)
  SIP_TLS_CERT_FILE, SIP_TLS_KEY_FILE
                      SIP over TLS too, on SIP_TLS_PORT (5061); more of TLS and IPv6: docs/sip.md
  RTP_PORT_RANGE      audio (10000-20000)
  DATA_DIR            trunks, rules and calls (.trunkline)
  LIVEKIT_URL, LIVEKIT_API_KEY, LIVEKIT_API_SECRET
                      calls join this LiveKit server; without them an embedded one is started
  SIP_UNKNOWN_SOURCES what strangers get: answer (404), drop (silence), auto = silence once every inbound trunk names its addresses (auto)
  STRICT_DISPATCH     false = rules without trunks take calls that matched no trunk, as LiveKit does (true)
  MAX_CALLS           calls at a time (500, or what the RTP range holds)
  MEDIA_WORKERS       threads for calls' audio; 0 = in the main one (1)
  TRUNKLINE_ADMIN_SECRET
                      projects beside the default one can be made with /v1/projects and this secret
  RECORDINGS_DIR      where recordings of calls are kept (recordings in DATA_DIR)
  TRACES_DIR          where calls' SIP messages are kept (traces in DATA_DIR), TRACES_RETENTION days (7); TRACE_NUMBERS=masked hides numbers
  HOLD_MUSIC          WAV file that held callers hear (a tune)
  PROMPTS_DIR         what callers who enter PINs are told: <language>/<prompt>.wav in the place of ours
  NOISE_SUPPRESSOR_MODULE
                      ES module that takes the place of the built-in noise suppression
  LOG_LEVEL           silent, error, warn, info, debug (warn)

Example:
  PORT=8080 SIP_PORT=5080 npm start
`;

/** Longer than every step of closing together; the user asked for the prompt back. */
const EXIT_WITHIN_MS = 4_800;
const SAME_KEY_PRESS_MS = 700;

async function main(): Promise<void> {
	if (process.argv.slice(2).some((argument) => argument === "--help" || argument === "-h")) {
		process.stdout.write(HELP);
		return;
	}
	// A closed terminal or pipe must not keep calls from being hung up.
	for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
	const config = readConfig(process.env, process.env["INIT_CWD"] ?? process.cwd());
	const log = createLogger({ name: "trunkline", level: config.logLevel, destination: process.stderr });
	const [local, problem] = await Promise.all([startLocal(config, log), livekitProblem(config)]);
	if (config.mediaWorkers > 0) yieldToMedia();
	const stop = stopper(local);
	surviveFaults(log, stop);
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop(0));
	process.stdout.write(banner(config, local, problem));
}

/** Hangs up, closes and exits; false when that is under way already. A second Ctrl-C means now. */
function stopper(local: Local): (exitCode: number) => boolean {
	let began: number | undefined;
	return (exitCode) => {
		if (began !== undefined) return false;
		began = performance.now();
		process.stdout.write("\n  Hanging up and stopping …\n");
		setTimeout(() => process.exit(exitCode), EXIT_WITHIN_MS).unref();
		process.on("SIGINT", () => {
			// One key press may reach us twice, from the terminal and from npm.
			if (performance.now() - (began ?? 0) > SAME_KEY_PRESS_MS) process.exit(130);
		});
		void local.close().finally(() => process.exit(exitCode));
		return true;
	};
}

/** An exception that nobody caught belongs to one call or request: it is told, and the others are served on. */
function surviveFaults(log: Logger, stop: (exitCode: number) => boolean): void {
	const budget = new FaultBudget();
	// A rejection that nobody caught comes here as well.
	process.on("uncaughtException", (error, origin) => {
		log.error({ err: error, origin }, "unexpected fault; serving goes on");
		if (!budget.allows(performance.now()) && stop(1))
			process.stderr.write("trunkline: too many unexpected faults, stopping; they are in the lines above\n");
	});
}

try {
	await main();
} catch (error) {
	process.stderr.write(`trunkline: ${sentence(error)}\n`);
	process.exit(1);
}

/** One line for what a user can mend; the stack only for what is our own fault. */
function sentence(error: unknown): string {
	if (error instanceof SettingError || error instanceof EmulatorError) return error.message;
	if (!(error instanceof Error)) return String(error);
	const mendable = error.cause instanceof Error || "code" in error;
	return mendable ? error.message : (error.stack ?? error.message);
}
