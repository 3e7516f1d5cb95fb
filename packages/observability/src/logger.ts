import { type DestinationStream, type Level, type Logger, pino, stdTimeFunctions } from "pino";
import { correlation } from "./correlation.ts";

export type { Logger } from "pino";
export type LogLevel = Level | "silent";

export const LOG_LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

export interface LoggerOptions {
	/** what the lines are from, such as "api" or "media-node" */
	name: string;
	level: LogLevel;
	/** where lines go, one JSON object each; standard output when unset */
	destination?: DestinationStream;
}

/** Fields that hold secrets; whatever object a line is given, their values are not written. */
const SECRETS = ["password", "authPassword", "auth_password", "secret", "token", "authorization", "pin"];

/**
 * A logger that writes JSON lines. Message texts are static: what varies goes into fields, and telephone numbers, SIP URIs, room names and
 * identities go through `pii()` first, as nothing in a message text can be taken out afterwards.
 */
export function createLogger({ name, level, destination }: LoggerOptions): Logger {
	const options = {
		name,
		level,
		timestamp: stdTimeFunctions.isoTime,
		formatters: { level: (label: string) => ({ level: label }) },
		mixin: () => ({ ...correlation() }),
		redact: { paths: SECRETS.flatMap((field) => [field, `*.${field}`]), censor: "[secret]" },
	};
	return destination === undefined ? pino(options) : pino(options, destination);
}

/** What code that logs needs: pino's logger is one, and so is what tests capture with. */
export interface Log {
	debug(fields: Record<string, unknown>, message: string): void;
	info(fields: Record<string, unknown>, message: string): void;
	warn(fields: Record<string, unknown>, message: string): void;
	error(fields: Record<string, unknown>, message: string): void;
}

/** A log whose lines have these fields too, as they are when a line is written; what the line itself says comes before them. */
export function boundLog<L extends "debug" | "info" | "warn" | "error">(
	log: Pick<Log, L>,
	levels: readonly L[],
	fields: () => Record<string, unknown>,
): Pick<Log, L> {
	const bound = levels.map((level) => [
		level,
		(own: Record<string, unknown>, message: string) => log[level]({ ...fields(), ...own }, message),
	]);
	return Object.fromEntries(bound) as Pick<Log, L>;
}
