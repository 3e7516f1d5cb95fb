/** What a user can mend: one line, and the exit code. */
export class CliError extends Error {
	override readonly name = "CliError";
	readonly exitCode: number;
	constructor(message: string, exitCode: number = EXIT.failed, options?: ErrorOptions) {
		super(message, options);
		this.exitCode = exitCode;
	}
}

/** The server answered, and refused. */
export class RefusedError extends CliError {
	readonly status: number;
	constructor(message: string, status: number, options?: ErrorOptions) {
		super(message, EXIT.failed, options);
		this.status = status;
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
	/** Ctrl-C: 128 + SIGINT, as shells have it */
	interrupted: 130,
} as const;
