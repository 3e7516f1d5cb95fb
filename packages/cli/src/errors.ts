/** What a user can mend: one line, and the exit code. */
export class CliError extends Error {
	override readonly name = "CliError";
	readonly exitCode: number;
	constructor(message: string, exitCode: number = EXIT.failed, options?: ErrorOptions) {
		super(message, options);
		this.exitCode = exitCode;
	}
}

/** What scripts can switch on. */
export const EXIT = {
	done: 0,
	/** the command did not do what was asked: a call failed, doctor found something */
	failed: 1,
	/** the command line is not one that there is */
	usage: 2,
	/** the server cannot be reached, or does not know the key */
	server: 3,
} as const;
