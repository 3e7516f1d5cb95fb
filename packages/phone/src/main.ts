import { dial } from "./cli/dial.ts";
import { listen } from "./cli/listen.ts";
import { readCommandLine } from "./cli/options.ts";
import { complain } from "./cli/terminal.ts";
import { PhoneError } from "./errors.ts";

process.exit(await run());

async function run(): Promise<number> {
	const { uri, options, help } = readCommandLine(process.argv.slice(2));
	try {
		if (options.listen !== undefined) {
			if (uri !== undefined) throw new PhoneError("either call somebody or --listen, not both");
			return await listen(options.listen, options);
		}
		return uri === undefined ? help() : await dial(uri, options);
	} catch (error) {
		complain(error instanceof PhoneError ? error.message : `unexpected: ${(error as Error).stack}`);
		return 1;
	}
}
