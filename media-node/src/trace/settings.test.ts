import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { TRACE_BUCKET_FIELDS, TRACE_FIELDS, tracesOf } from "./settings.ts";

/** a folder that is not there yet */
const NEW = join(tmpdir(), "of-trunkline", "traces");
const schema = z.object({ ...TRACE_FIELDS, ...TRACE_BUCKET_FIELDS });
const read = (env: Record<string, string>) => tracesOf(schema.parse(env));

describe("settings of traces", () => {
	it.each([
		[{}, {}],
		[{ TRACES_DIR: NEW }, { traces: { directory: NEW, retentionMs: 7 * 86_400_000, numbersMasked: false } }],
		[
			{ TRACES_BUCKET: "calls-eu", TRACES_DIR: NEW, TRACES_RETENTION: "30", TRACE_NUMBERS: "masked" },
			{ traces: { bucket: "calls-eu", retentionMs: 30 * 86_400_000, numbersMasked: true } },
		],
	])("%j", (env, expected) => {
		expect(read(env)).toEqual(expected);
	});

	it.each([
		{ TRACES_RETENTION: "0" },
		{ TRACES_RETENTION: "a week" },
		{ TRACES_RETENTION: "3651" },
		{ TRACE_NUMBERS: "yes" },
		{ TRACES_BUCKET: "No Bucket" },
	])("%j cannot be used", (env) => {
		expect(schema.safeParse(env).success).toBe(false);
	});
});
