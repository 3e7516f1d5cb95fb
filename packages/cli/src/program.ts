import { Command, CommanderError } from "commander";
import { callCommand } from "./commands/call.ts";
import { callsCommands } from "./commands/calls.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { explainCommand } from "./commands/explain.ts";
import { programCommands } from "./commands/programs.ts";
import { regionsCommand } from "./commands/regions.ts";
import { ruleCommands } from "./commands/rule.ts";
import { trunkCommands } from "./commands/trunk.ts";
import { environment, serverUrl } from "./config.ts";
import { contextOf } from "./context.ts";
import { EXIT } from "./errors.ts";
import { COMMAND, examples } from "./options.ts";
import type { Streams } from "./output.ts";
import { asCliError } from "./server.ts";

/** Runs a command line; gives the exit code. */
export async function run(argv: readonly string[], streams: Streams): Promise<number> {
	const program = commands(streams);
	try {
		await program.parseAsync([...argv], { from: "user" });
		return EXIT.done;
	} catch (error) {
		if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
		const failure = asCliError(error, serverUrl(program.opts<{ url?: string }>().url, environment()));
		if (failure.message !== "") streams.err(`trunkline: ${failure.message}\n`);
		return failure.exitCode;
	}
}

function commands(streams: Streams): Command {
	const program = new Command(COMMAND)
		.description("Telephone calls in LiveKit rooms, from the terminal")
		.option("--url <url>", "the server (TRUNKLINE_URL, or http://127.0.0.1:7880)")
		.option("--json", "results as JSON, for scripts")
		.enablePositionalOptions()
		.addHelpText(
			"after",
			`${examples("up", "call +15550123 --room hello", "calls ladder last", "explain last", "doctor")}

Keys are TRUNKLINE_API_KEY and TRUNKLINE_API_SECRET; on this machine those of npm start do without.
Exit codes: 0 done, 1 not done, 2 not a command, 3 no server or wrong key.`,
		);
	const contexts = contextOf(streams);
	programCommands(program);
	trunkCommands(program, contexts);
	ruleCommands(program, contexts);
	callCommand(program, contexts);
	callsCommands(program, contexts);
	explainCommand(program, contexts);
	doctorCommand(program, contexts);
	regionsCommand(program, contexts);
	return everywhere(program, streams);
}

const fullName = (command: Command): string => (command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`);

/** What every command has, and that none of them ends the process by itself. */
function everywhere(command: Command, streams: Streams): Command {
	command.exitOverride().configureOutput({
		writeOut: streams.out,
		writeErr: streams.err,
		outputError: (text, write) => {
			const message = text
				.replace(/^error: /, "")
				.trim()
				.replace(/\s*\n\s*/g, " ");
			write(`trunkline: ${message.replace(/\.$/, "")}; "${fullName(command)} --help" says what there is\n`);
		},
	});
	for (const child of command.commands) {
		if (child.commands.length === 0 && !["up", "phone"].includes(child.name()))
			child.option("--json", "result as JSON, for scripts").option("--url <url>", "the server");
		everywhere(child, streams);
	}
	return command;
}
