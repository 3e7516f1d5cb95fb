import { mkdir, readdir, readFile, rename, stat, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { GetObjectCommand, PutObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import type { CallTrace } from "@trunkline/contracts";
import type { TraceStore } from "@trunkline/domain";

const compressed = promisify(gzip);
const uncompressed = promisify(gunzip);

/** Both are ours; what led out of the folder would be a fault. */
function keyOf(projectId: string, callId: string): string {
	if (!/^[\w.-]{1,128}$/.test(projectId) || /^\.+$/.test(projectId) || !/^SCL_[0-9A-Za-z]{1,60}$/.test(callId))
		throw new Error("a trace has no key without a project and a call");
	return `${projectId}/${callId}.json`;
}

const unexpired = (trace: CallTrace, now: number): CallTrace | undefined => (trace.expiresAtSeconds * 1000 > now ? trace : undefined);

export interface S3TraceStoreOptions {
	client: S3Client;
	/** in the region that the calls are to stay in; the client's */
	bucket: string;
	/** put before every key; "" = nothing */
	prefix?: string;
	/** ms since the epoch */
	now?: () => number;
}

/** Traces in S3, encrypted as the bucket says (SSE-S3 where it says nothing). A lifecycle rule of the bucket deletes them; what is over is not shown meanwhile. */
export class S3TraceStore implements TraceStore {
	readonly #options: S3TraceStoreOptions;

	constructor(options: S3TraceStoreOptions) {
		this.#options = options;
	}

	async putTrace(trace: CallTrace): Promise<void> {
		const Body = await compressed(JSON.stringify(trace));
		const kind = { ContentType: "application/json", ContentEncoding: "gzip" } as const;
		await this.#options.client.send(new PutObjectCommand({ ...this.#target(trace.projectId, trace.callId), ...kind, Body }));
	}

	async getTrace(projectId: string, callId: string): Promise<CallTrace | undefined> {
		const { client, now = Date.now } = this.#options;
		try {
			const { Body } = await client.send(new GetObjectCommand(this.#target(projectId, callId)));
			const bytes = await Body?.transformToByteArray();
			if (bytes === undefined) return undefined;
			return unexpired(JSON.parse((await uncompressed(bytes)).toString("utf8")) as CallTrace, now());
		} catch (error) {
			// Without the right to list the bucket S3 says AccessDenied of what is not there; that right is given, so that the two are told apart.
			if (error instanceof Error && error.name === "NoSuchKey") return undefined;
			throw error;
		}
	}

	#target(projectId: string, callId: string): { Bucket: string; Key: string } {
		const { bucket, prefix = "" } = this.#options;
		return { Bucket: bucket, Key: `${prefix}${keyOf(projectId, callId)}.gz` };
	}
}

/** How often a directory is looked through for what is over. */
const SWEEP_EVERY_MS = 3_600_000;

/** Traces as files of one machine, deleted when their time is over. */
export class DirectoryTraceStore implements TraceStore {
	readonly #directory: string;
	readonly #retentionMs: number;
	readonly #now: () => number;
	#sweptAt = 0;

	constructor(options: { directory: string; retentionMs: number; now?: () => number }) {
		this.#directory = options.directory;
		this.#retentionMs = options.retentionMs;
		this.#now = options.now ?? Date.now;
	}

	async putTrace(trace: CallTrace): Promise<void> {
		const file = this.#fileOf(trace.projectId, trace.callId);
		await mkdir(dirname(file), { recursive: true, mode: 0o700 });
		// Whoever reads it meanwhile has the one before, whole.
		await writeFile(`${file}.new`, JSON.stringify(trace), { mode: 0o600 });
		await rename(`${file}.new`, file);
		await this.#sweep();
	}

	async getTrace(projectId: string, callId: string): Promise<CallTrace | undefined> {
		try {
			return unexpired(JSON.parse(await readFile(this.#fileOf(projectId, callId), "utf8")) as CallTrace, this.#now());
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
			throw error;
		}
	}

	async #sweep(): Promise<void> {
		const now = this.#now();
		if (now - this.#sweptAt < SWEEP_EVERY_MS) return;
		this.#sweptAt = now;
		for (const entry of await readdir(this.#directory, { recursive: true, withFileTypes: true })) {
			if (!entry.isFile()) continue;
			const file = join(entry.parentPath, entry.name);
			const { mtimeMs } = await stat(file);
			if (now - mtimeMs > this.#retentionMs) await unlink(file).catch(() => {});
		}
	}

	#fileOf(projectId: string, callId: string): string {
		return join(this.#directory, ...keyOf(projectId, callId).split("/"));
	}
}
