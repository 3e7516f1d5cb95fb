export interface CapturedLog {
	level: "debug" | "info" | "warn" | "error";
	message: string;
	fields: Record<string, unknown>;
}

type Write = (fields: Record<string, unknown>, message: string) => void;

/** A logger that keeps what it is told. `text()` is everything as one string: what must never be logged is looked for in it. */
export interface LogCapture extends Record<CapturedLog["level"], Write> {
	readonly logs: CapturedLog[];
	text(): string;
}

export function captureLogs(): LogCapture {
	const logs: CapturedLog[] = [];
	const at =
		(level: CapturedLog["level"]): Write =>
		(fields, message) =>
			void logs.push({ level, message, fields });
	return {
		logs,
		debug: at("debug"),
		info: at("info"),
		warn: at("warn"),
		error: at("error"),
		text: () => logs.map((log) => `${log.level} ${log.message} ${JSON.stringify(log.fields, plainErrors)}`).join("\n"),
	};
}

function plainErrors(_key: string, value: unknown): unknown {
	return value instanceof Error
		? { name: value.name, message: value.message, cause: value.cause, ...Object.fromEntries(Object.entries(value)) }
		: value;
}
