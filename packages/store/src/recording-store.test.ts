import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createS3Client, S3RecordingStore } from "./recording-store.ts";

interface Seen {
	request: string;
	bytes: number;
	encryption: string | undefined;
	kmsKey: string | undefined;
}

/** As much of S3 as an upload needs. */
let server: Server;
let endpoint: string;
let seen: Seen[];
let objects: Map<string, Buffer>;
let failsAt: string | undefined;

beforeEach(async () => {
	seen = [];
	objects = new Map();
	failsAt = undefined;
	const parts = new Map<string, Buffer>();
	server = createServer((request, response) => {
		void bodyOf(request).then((body) => {
			const url = new URL(request.url ?? "/", "http://s3");
			const part = url.searchParams.get("partNumber");
			const what = `${request.method} ${url.pathname}${part === null ? "" : ` part ${part}`}${url.searchParams.has("uploads") ? " begin" : ""}`;
			seen.push({
				request: what,
				bytes: body.length,
				encryption: request.headers["x-amz-server-side-encryption"] as string | undefined,
				kmsKey: request.headers["x-amz-server-side-encryption-aws-kms-key-id"] as string | undefined,
			});
			response.setHeader("content-type", "application/xml");
			if (failsAt !== undefined && what.endsWith(failsAt))
				return response.writeHead(403).end("<Error><Code>AccessDenied</Code><Message>not yours</Message></Error>");
			response.setHeader("etag", `"${part ?? "whole"}"`);
			if (url.searchParams.has("uploads"))
				return response.end("<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>");
			if (request.method === "PUT" && part !== null) parts.set(part, body);
			else if (request.method === "PUT") objects.set(url.pathname, body);
			else if (request.method === "POST") {
				const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map(
					([, number]) => parts.get(number ?? "") ?? Buffer.alloc(0),
				);
				objects.set(url.pathname, Buffer.concat(named));
				return response.end("<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>");
			}
			return response.end();
		});
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => new Promise((resolve) => server.close(resolve)));

/** The SDK sends checksums in chunked bodies: what counts is what is left without them. */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
	const pieces: Buffer[] = [];
	for await (const piece of request) pieces.push(piece as Buffer);
	return Buffer.concat(pieces);
}

async function* content(bytes: number, pieceBytes = 700): AsyncGenerator<Uint8Array> {
	for (let at = 0; at < bytes; at += pieceBytes)
		yield Uint8Array.from({ length: Math.min(pieceBytes, bytes - at) }, (_, i) => (at + i) % 251);
}

const storeWith = (changes: Partial<ConstructorParameters<typeof S3RecordingStore>[0]> = {}) =>
	new S3RecordingStore({ client: createS3Client({ region: "eu-central-1", endpoint }), bucket: "calls", partBytes: 1_000, ...changes });
const expected = (bytes: number) => Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => i % 251));

it("a small recording is one object, encrypted", async () => {
	await storeWith().putRecording("p_1/SCL_1.wav", content(900));
	expect(seen).toMatchObject([{ request: "PUT /calls/p_1/SCL_1.wav", encryption: "AES256" }]);
	expect(objects.get("/calls/p_1/SCL_1.wav")).toEqual(expected(900));
});

it("a large one comes in parts, in order and whole; with the customer's key", async () => {
	await storeWith({ kmsKeyId: "arn:key", prefix: "eu/" }).putRecording("p_1/SCL_1.wav", content(3_500));
	expect(seen.map(({ request, bytes }) => `${request}${request.includes("part") ? ` ${bytes}` : ""}`)).toEqual([
		"POST /calls/eu/p_1/SCL_1.wav begin",
		"PUT /calls/eu/p_1/SCL_1.wav part 1 1000",
		"PUT /calls/eu/p_1/SCL_1.wav part 2 1000",
		"PUT /calls/eu/p_1/SCL_1.wav part 3 1000",
		"PUT /calls/eu/p_1/SCL_1.wav part 4 500",
		"POST /calls/eu/p_1/SCL_1.wav",
	]);
	expect(seen[0]).toMatchObject({ encryption: "aws:kms", kmsKey: "arn:key" });
	expect(objects.get("/calls/eu/p_1/SCL_1.wav")).toEqual(expected(3_500));
});

it("a part that is refused: nothing is left, and the caller hears of it", async () => {
	failsAt = "part 2";
	await expect(storeWith().putRecording("p_1/SCL_1.wav", content(3_500))).rejects.toMatchObject({ name: "AccessDenied" });
	expect(seen.at(-1)?.request).toBe("DELETE /calls/p_1/SCL_1.wav");
	expect(objects.size).toBe(0);
});
