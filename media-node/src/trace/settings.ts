import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import * as z from "zod";

const MAX_DAYS = 3650;

/** Settings of traces, for the schema of whoever reads the environment. */
export const TRACE_FIELDS = {
	TRACES_RETENTION: z
		.string()
		.regex(/^[1-9]\d{0,3}$/, `must be a number of days, 1 to ${MAX_DAYS}`)
		.default("7")
		.transform(Number)
		.pipe(z.number().max(MAX_DAYS, `must be a number of days, 1 to ${MAX_DAYS}`)),
	TRACE_NUMBERS: z.enum(["full", "masked"], { error: "must be full or masked" }).default("full"),
	TRACES_DIR: z.string().min(1).refine(mayBeFolder, "must be a folder that can be written to, or a path where one can be made").optional(),
};

/** Better known at the start than after each call. Nothing is made here. */
function mayBeFolder(path: string): boolean {
	let there = resolve(path);
	while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
	try {
		if (!statSync(there).isDirectory()) return false;
		accessSync(there, constants.W_OK);
		return true;
	} catch {
		return false;
	}
}

/** Settings of traces in a bucket, of a deployment. */
export const TRACE_BUCKET_FIELDS = {
	TRACES_BUCKET: z
		.string()
		.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be the name of an S3 bucket")
		.optional(),
};

const DAY_MS = 86_400_000;

export interface TraceSettings {
	retentionMs: number;
	numbersMasked: boolean;
}

export function traceSettings(given: { TRACES_RETENTION: number; TRACE_NUMBERS: "full" | "masked" }): TraceSettings {
	return { retentionMs: given.TRACES_RETENTION * DAY_MS, numbersMasked: given.TRACE_NUMBERS === "masked" };
}

/** Where the traces of a deployment's node go: into a bucket, or a directory. */
export type TracesConfig = TraceSettings & ({ bucket: string } | { directory: string });

export function tracesOf(given: z.infer<z.ZodObject<typeof TRACE_FIELDS & typeof TRACE_BUCKET_FIELDS>>): { traces?: TracesConfig } {
	const { TRACES_BUCKET: bucket, TRACES_DIR: directory } = given;
	if (bucket !== undefined) return { traces: { ...traceSettings(given), bucket } };
	return directory === undefined ? {} : { traces: { ...traceSettings(given), directory } };
}
