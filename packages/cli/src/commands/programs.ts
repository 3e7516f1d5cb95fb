import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { examples } from "../options.ts";
import { CliError } from "../errors.ts";

const LOCAL = fileURLToPath(new URL("../../../local/src/main.ts", import.meta.url));
const PHONE = fileURLToPath(new URL("../../../phone/src/main.ts", import.meta.url));

/** What is a program of its own, with its own options and keys. */
export function programCommands(program: Command): void {
	program
		.command("up")
		.description("start everything on this machine, as npm start does; Ctrl-C stops it")
		.addHelpText("after", examples("up"))
		.action(() => run(LOCAL, []));
	program
		.command("phone")
		.description("a telephone for the terminal, as npm run phone; its options go after the command")
		.argument("[options...]", "a SIP URI and options of the telephone")
		.allowUnknownOption()
		.helpOption(false)
		.passThroughOptions()
		.action((options: string[]) => run(PHONE, options));
}

/** Ctrl-C goes to both: the program then ends by itself, and its exit code is ours. */
async function run(main: string, args: readonly string[]): Promise<void> {
	const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args], { stdio: "inherit" });
	const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
	const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
	for (const name of names) process.on(name, pass);
	const code = await new Promise<number>((resolve, reject) => {
		child.once("error", reject);
		child.once("exit", (status) => resolve(status ?? 1));
	});
	for (const name of names) process.off(name, pass);
	if (code !== 0) throw new CliError("", code);
}
