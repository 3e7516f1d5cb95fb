import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { CliError, EXIT } from "./errors.ts";

export interface PasswordOptions {
	password?: string;
	/** - is standard input */
	passwordFile?: string;
}

/** The password that a command was given; undefined when none was. Throws CliError for two of them, and for a file that cannot be read or has not one line. */
export async function passwordOf({ password, passwordFile }: PasswordOptions): Promise<string | undefined> {
	if (passwordFile === undefined) return password;
	if (password !== undefined) throw new CliError("--password and --password-file are the same thing: give one of them", EXIT.usage);
	const said = (await contentOf(passwordFile)).replace(/\r?\n$/, "");
	if (said === "" || /[\r\n]/.test(said)) throw new CliError("the password's file must have one line, and nothing else", EXIT.usage);
	return said;
}

async function contentOf(file: string): Promise<string> {
	if (file === "-") return text(process.stdin);
	try {
		return await readFile(file, "utf8");
	} catch (error) {
		throw new CliError(`${file} cannot be read`, EXIT.usage, { cause: error });
	}
}
