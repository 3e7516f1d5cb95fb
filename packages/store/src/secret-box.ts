import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { DecryptCommand, EncryptCommand, KMSClient } from "@aws-sdk/client-kms";
import { DomainError, type SecretBox } from "@trunkline/domain";

const KEY_BYTES = 32;
/** NIST SP 800-38D §8.2.2: random nonces of 96 bits are good for 2^32 messages under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = "1";

/** AES-256-GCM with a key of one's own; the context is authenticated beside the text. For local mode. */
export class AesSecretBox implements SecretBox {
	readonly #key: Uint8Array;

	/** Throws when the key has not 32 bytes. */
	constructor(key: Uint8Array) {
		if (key.length !== KEY_BYTES) throw new Error(`the key has ${key.length} bytes, ${KEY_BYTES} are needed`);
		this.#key = key;
	}

	async seal(plain: string, context: string): Promise<string> {
		const nonce = randomBytes(NONCE_BYTES);
		const cipher = createCipheriv("aes-256-gcm", this.#key, nonce).setAAD(Buffer.from(context));
		const sealed = Buffer.concat([nonce, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()]);
		return `${VERSION}.${sealed.toString("base64url")}`;
	}

	async open(sealed: string, context: string): Promise<string> {
		const [version, text = ""] = sealed.split(".");
		const bytes = Buffer.from(text, "base64url");
		if (version !== VERSION || bytes.length < NONCE_BYTES + TAG_BYTES) throw unreadable();
		const decipher = createDecipheriv("aes-256-gcm", this.#key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
			.setAAD(Buffer.from(context))
			.setAuthTag(bytes.subarray(-TAG_BYTES));
		try {
			return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString("utf8");
		} catch (error) {
			throw unreadable(error);
		}
	}
}

/** The box whose key is in this file, which only its owner can read; the first one to ask makes it. Throws the system's error. */
export function openSecretBox(keyFile: string): AesSecretBox {
	const existing = readKey(keyFile);
	if (existing !== undefined) return new AesSecretBox(existing);
	// A whole file or none: a second process never reads half a key, nor replaces one that is in use.
	const draft = `${keyFile}.${process.pid}`;
	writeFileSync(draft, randomBytes(KEY_BYTES), { mode: 0o600 });
	try {
		linkSync(draft, keyFile);
	} catch (error) {
		if (!hasCode(error, "EEXIST")) throw error;
	} finally {
		rmSync(draft, { force: true });
	}
	return new AesSecretBox(readFileSync(keyFile));
}

function readKey(keyFile: string): Uint8Array | undefined {
	try {
		return readFileSync(keyFile);
	} catch (error) {
		if (hasCode(error, "ENOENT")) return undefined;
		throw error;
	}
}

/** A key of KMS that never leaves it; `context` is part of the encryption context, so that it is in CloudTrail too. */
export class KmsSecretBox implements SecretBox {
	readonly #client: KMSClient;
	readonly #keyId: string;

	/** `keyId`: id, ARN or alias of a symmetric key. */
	constructor(options: { client: KMSClient; keyId: string }) {
		this.#client = options.client;
		this.#keyId = options.keyId;
	}

	async seal(plain: string, context: string): Promise<string> {
		const command = new EncryptCommand({ KeyId: this.#keyId, Plaintext: Buffer.from(plain), EncryptionContext: { trunkline: context } });
		const { CiphertextBlob } = await reachable(() => this.#client.send(command));
		if (CiphertextBlob === undefined) throw new DomainError("internal", "KMS gave no ciphertext");
		return Buffer.from(CiphertextBlob).toString("base64url");
	}

	async open(sealed: string, context: string): Promise<string> {
		const command = new DecryptCommand({
			KeyId: this.#keyId,
			CiphertextBlob: Buffer.from(sealed, "base64url"),
			EncryptionContext: { trunkline: context },
		});
		const { Plaintext } = await reachable(() => this.#client.send(command));
		if (Plaintext === undefined) throw unreadable();
		return Buffer.from(Plaintext).toString("utf8");
	}
}

/** At most 3 attempts of 2 s each, as for the tables. */
export function createKmsSecretBox({ region, keyId }: { region: string; keyId: string }): KmsSecretBox {
	const requestHandler = { connectionTimeout: 1000, requestTimeout: 2000, throwOnRequestTimeout: true };
	return new KmsSecretBox({ client: new KMSClient({ region, maxAttempts: 3, requestHandler }), keyId });
}

async function reachable<T>(request: () => Promise<T>): Promise<T> {
	try {
		return await request();
	} catch (error) {
		const name = error instanceof Error ? error.name : "unknown error";
		if (name === "InvalidCiphertextException" || name === "IncorrectKeyException") throw unreadable(error);
		throw new DomainError("unavailable", `The key of the projects' secrets cannot be used (KMS: ${name}); try again`, {}, { cause: error });
	}
}

function unreadable(cause?: unknown): DomainError {
	return new DomainError("internal", "A stored secret cannot be read with this key", {}, { cause });
}

function hasCode(error: unknown, code: string): boolean {
	return error instanceof Error && "code" in error && error.code === code;
}
