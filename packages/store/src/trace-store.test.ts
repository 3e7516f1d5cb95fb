import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { CallTrace } from "@trunkline/contracts";
import type { TraceStore } from "@trunkline/domain";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createS3Client } from "./recording-store.ts";
import { DirectoryTraceStore, S3TraceStore } from "./trace-store.ts";

const DAY_MS = 86_400_000;
let now = 1_700_000_000_000;
const trace = (over: Partial<CallTrace> = {}): CallTrace => ({
	version: 1,
	callId: "SCL_1",
	projectId: "p_1",
	region: "r",
	messages: [
		{
			at: 1.5,
			direction: "sent",
			transport: "UDP",
			local: { host: "::1", port: 5060 },
			remote: { host: "::2", port: 5060 },
			text: "\u0000\u00ff",
			bytes: 2,
		},
	],
	dropped: 0,
	numbersMasked: false,
	expiresAtSeconds: now / 1000 + 60,
	...over,
});

let directory: string;
let server: Server;
let objects: Map<string, { body: Buffer; headers: Record<string, unknown> }>;
let endpoint: string;
beforeEach(async () => {
	now = 1_700_000_000_000;
	directory = mkdtempSync(join(tmpdir(), "trunkline-traces-"));
	objects = new Map();
	server = createServer((request, response) => {
		const chunks: Buffer[] = [];
		request.on("data", (chunk: Buffer) => chunks.push(chunk));
		request.on("end", () => {
			const { pathname } = new URL(request.url ?? "/", "http://s3");
			if (request.method === "PUT") {
				const encoded = Buffer.concat(chunks);
				// The SDK may send checksums behind chunks: the object is between the first line and the last ones.
				const chunked = /^([0-9a-f]+)(?:;[^\r]*)?\r\n/.exec(encoded.toString("latin1"));
				const from = chunked?.[0].length ?? 0;
				const body = chunked === null ? encoded : encoded.subarray(from, from + Number.parseInt(chunked[1] ?? "0", 16));
				objects.set(pathname, { body, headers: request.headers });
				return response.end();
			}
			const found = objects.get(pathname);
			response.setHeader("content-type", "application/xml");
			if (pathname.includes("forbidden")) return response.writeHead(403).end("<Error><Code>AccessDenied</Code></Error>");
			if (found === undefined) return response.writeHead(404).end("<Error><Code>NoSuchKey</Code><Message>none</Message></Error>");
			return response.end(found.body);
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
	rmSync(directory, { recursive: true, force: true });
	await new Promise((resolve) => server.close(resolve));
});

const stores: [string, () => TraceStore][] = [
	["a directory", () => new DirectoryTraceStore({ directory, retentionMs: DAY_MS, now: () => now })],
	[
		"S3",
		() => new S3TraceStore({ client: createS3Client({ region: "eu-west-1", endpoint }), bucket: "traces", prefix: "a/", now: () => now }),
	],
];

describe.each(stores)("traces in %s", (_, make) => {
	it("gives back what was put last, byte for byte, and nothing else", async () => {
		const store = make();
		expect(await store.getTrace("p_1", "SCL_1")).toBeUndefined();
		await store.putTrace(trace({ messages: [] }));
		await store.putTrace(trace());
		expect(await store.getTrace("p_1", "SCL_1")).toEqual(trace());
		expect(await store.getTrace("p_2", "SCL_1")).toBeUndefined();
	});

	it("shows nothing whose time is over", async () => {
		const store = make();
		await store.putTrace(trace());
		now += 61_000;
		expect(await store.getTrace("p_1", "SCL_1")).toBeUndefined();
	});

	it("has no key that leads elsewhere", async () => {
		for (const [project, call] of [
			["..", "SCL_1"],
			["a/b", "SCL_1"],
			["p_1", "SCL_1/../2"],
			["p_1", "other"],
		] as const)
			await expect(make().getTrace(project, call)).rejects.toThrow(/no key/);
	});
});

it("files are the owner's alone, whole or not there, and go when their time is over", async () => {
	const store = new DirectoryTraceStore({ directory, retentionMs: DAY_MS, now: () => now });
	await store.putTrace(trace());
	const file = join(directory, "p_1", "SCL_1.json");
	expect(statSync(file).mode & 0o777).toBe(0o600);
	expect(readdirSync(join(directory, "p_1"))).toEqual(["SCL_1.json"]);
	utimesSync(file, now / 1000, now / 1000);
	now += DAY_MS + 3_600_001;
	await store.putTrace(trace({ callId: "SCL_2" }));
	expect(existsSync(file)).toBe(false);
	expect(existsSync(join(directory, "p_1", "SCL_2.json"))).toBe(true);
});

it("objects are compressed, encrypted as the bucket says, and an error of S3 is no absence", async () => {
	const store = new S3TraceStore({ client: createS3Client({ region: "eu-west-1", endpoint }), bucket: "traces", now: () => now });
	await store.putTrace(trace());
	const object = objects.get("/traces/p_1/SCL_1.json.gz");
	expect(object?.headers["content-encoding"]).toMatch(/gzip/);
	expect(object?.headers["x-amz-server-side-encryption"], "the key of the bucket must not be overruled").toBeUndefined();
	expect(JSON.parse(gunzipSync(object?.body ?? Buffer.alloc(0)).toString())).toEqual(trace());
	await expect(store.getTrace("forbidden", "SCL_1")).rejects.toThrow(/AccessDenied|403|Unknown/);
});
