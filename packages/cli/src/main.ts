import { run } from "./program.ts";

// A reader that goes away (| head) ends the command, not with a stack.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => process.exit(1));

process.exitCode = await run(process.argv.slice(2), {
	out: (text) => void process.stdout.write(text),
	err: (text) => void process.stderr.write(text),
	isTerminal: process.stderr.isTTY,
	columns: process.stderr.columns,
});
