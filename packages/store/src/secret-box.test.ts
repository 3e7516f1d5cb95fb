import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KMSClient } from "@aws-sdk/client-kms";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AesSecretBox, KmsSecretBox, openSecretBox } from "./secret-box.ts";

describe("AES", () => {
	const box = new AesSecretBox(new Uint8Array(32).fill(1));

	test("opens what it sealed, for the same context and the same key alone", async () => {
		const sealed = await box.seal("grüße, hunter2", "project p_1");
		expect(sealed).not.toContain("hunter2");
		expect(await box.open(sealed, "project p_1")).toBe("grüße, hunter2");
		await expect(box.open(sealed, "project p_2")).rejects.toMatchObject({ code: "internal" });
		await expect(new AesSecretBox(new Uint8Array(32).fill(2)).open(sealed, "project p_1")).rejects.toMatchObject({ code: "internal" });
		expect(await box.seal("grüße, hunter2", "project p_1")).not.toBe(sealed);
	});
	test("a changed or cut text does not open", async () => {
		const sealed = await box.seal("hunter2", "c");
		const bytes = Buffer.from(sealed.slice(2), "base64url");
		for (let i = 0; i < bytes.length; i++) {
			const changed = Buffer.from(bytes);
			changed[i] = (changed[i] ?? 0) ^ 1;
			await expect(box.open(`1.${changed.toString("base64url")}`, "c")).rejects.toMatchObject({ code: "internal" });
			await expect(box.open(`1.${bytes.subarray(0, i).toString("base64url")}`, "c")).rejects.toMatchObject({ code: "internal" });
		}
		for (const text of ["", "1", "2.x", sealed.slice(2)]) await expect(box.open(text, "c")).rejects.toMatchObject({ code: "internal" });
	});
	test("a key of another length is refused", () => expect(() => new AesSecretBox(new Uint8Array(16))).toThrow("16 bytes"));
});

describe("key file", () => {
	let directory: string;
	beforeEach(() => {
		directory = mkdtempSync(join(tmpdir(), "secret-box-"));
	});
	afterEach(() => rmSync(directory, { recursive: true, force: true }));

	test("is made once, for its owner alone, and used from then on", async () => {
		const file = join(directory, "secrets.key");
		const sealed = await openSecretBox(file).seal("hunter2", "c");
		expect(await openSecretBox(file).open(sealed, "c")).toBe("hunter2");
		expect(statSync(file).mode & 0o777).toBe(0o600);
		expect(readdirSync(directory)).toEqual(["secrets.key"]);
	});
	test("a file that holds no key is left alone and said", () => {
		const file = join(directory, "secrets.key");
		writeFileSync(file, "short");
		expect(() => openSecretBox(file)).toThrow("5 bytes");
	});
});

describe("KMS", () => {
	let server: Server;
	let client: KMSClient;
	let requests: { target: string; body: Record<string, unknown> }[];
	let failWith: string | undefined;

	/** Answers like KMS: the "ciphertext" is context and text, and opens for that context. */
	beforeEach(async () => {
		requests = [];
		failWith = undefined;
		server = createServer((request, response) => {
			const chunks: Buffer[] = [];
			request.on("data", (chunk: Buffer) => chunks.push(chunk));
			request.on("end", () => {
				const body = JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
				const target = String(request.headers["x-amz-target"]);
				requests.push({ target, body });
				const answer = (status: number, value: object): void => {
					response.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(value));
				};
				if (failWith !== undefined) return answer(400, { __type: failWith, message: "no" });
				const context = JSON.stringify(body["EncryptionContext"]);
				if (target.endsWith("Encrypt"))
					return answer(200, { CiphertextBlob: Buffer.from(JSON.stringify([context, body["Plaintext"]])).toString("base64") });
				const [sealedFor, Plaintext] = JSON.parse(Buffer.from(String(body["CiphertextBlob"]), "base64").toString()) as string[];
				if (sealedFor !== context) return answer(400, { __type: "InvalidCiphertextException" });
				return answer(200, { Plaintext });
			});
		});
		await new Promise<void>((resolve) => {
			server.listen(0, "127.0.0.1", resolve);
		});
		client = new KMSClient({
			region: "us-east-1",
			endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
			credentials: { accessKeyId: "x", secretAccessKey: "y" },
			maxAttempts: 1,
		});
	});
	afterEach(async () => {
		client.destroy();
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	});

	test("seals and opens with the key and the context", async () => {
		const box = new KmsSecretBox({ client, keyId: "alias/trunkline" });
		const sealed = await box.seal("hunter2", "project p_1");
		expect(await box.open(sealed, "project p_1")).toBe("hunter2");
		await expect(box.open(sealed, "project p_2")).rejects.toMatchObject({ code: "internal" });
		expect(requests.slice(0, 2)).toMatchObject([
			{ target: "TrentService.Encrypt", body: { KeyId: "alias/trunkline", EncryptionContext: { trunkline: "project p_1" } } },
			{ target: "TrentService.Decrypt", body: { KeyId: "alias/trunkline", EncryptionContext: { trunkline: "project p_1" } } },
		]);
	});
	test("a key that cannot be used is unavailable, by KMS's name for it", async () => {
		failWith = "AccessDeniedException";
		await expect(new KmsSecretBox({ client, keyId: "k" }).seal("hunter2", "c")).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("AccessDeniedException"),
		});
	});
});
