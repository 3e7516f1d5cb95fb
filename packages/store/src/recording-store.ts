import {
	AbortMultipartUploadCommand,
	type CompletedPart,
	CompleteMultipartUploadCommand,
	CreateMultipartUploadCommand,
	PutObjectCommand,
	S3Client,
	type S3ClientConfig,
	UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { RecordingStore } from "@trunkline/domain";

/** S3 takes parts of at least 5 MiB (but the last), and ten thousand of them: 8 MiB make 80 GB. It is also what one upload has in memory. */
const PART_BYTES = 8 * 1024 * 1024;

export interface S3RecordingStoreOptions {
	client: S3Client;
	/** in the region that the calls are to stay in; the client's */
	bucket: string;
	/** put before every key; "" = nothing */
	prefix?: string;
	/** of a key of KMS; unset: S3's own keys (SSE-S3) */
	kmsKeyId?: string;
	/** tests make smaller ones */
	partBytes?: number;
}

/** `endpoint` = a stand-in's; it takes any credentials. Calls go on while files are uploaded, so patience is no problem. */
export function createS3Client(options: { region: string; endpoint?: string }): S3Client {
	const config: S3ClientConfig = { region: options.region, maxAttempts: 5, retryMode: "standard" };
	if (options.endpoint !== undefined) {
		config.endpoint = options.endpoint;
		config.credentials = { accessKeyId: "local", secretAccessKey: "local" };
		config.forcePathStyle = true;
	}
	return new S3Client(config);
}

/** Recordings in S3, encrypted at rest. */
export class S3RecordingStore implements RecordingStore {
	readonly #options: S3RecordingStoreOptions;

	constructor(options: S3RecordingStoreOptions) {
		this.#options = options;
	}

	/** Rejects with the SDK's error; nothing is left behind then, neither object nor parts. */
	async putRecording(key: string, content: AsyncIterable<Uint8Array>): Promise<void> {
		const parts = inParts(content, this.#options.partBytes ?? PART_BYTES);
		const first = await parts.next();
		const second = await parts.next();
		const target = this.#target(key);
		if (second.done === true) {
			const Body = first.done === true ? new Uint8Array(0) : first.value;
			await this.#options.client.send(new PutObjectCommand({ ...target, ...this.#kind(), Body }));
			return;
		}
		await this.#upload(target, [first.value ?? new Uint8Array(0), second.value], parts);
	}

	async #upload(target: { Bucket: string; Key: string }, read: Uint8Array[], rest: AsyncIterable<Uint8Array>): Promise<void> {
		const { client } = this.#options;
		const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...target, ...this.#kind() }));
		const upload = { ...target, UploadId };
		try {
			const Parts: CompletedPart[] = [];
			const send = async (Body: Uint8Array): Promise<void> => {
				const PartNumber = Parts.length + 1;
				const { ETag } = await client.send(new UploadPartCommand({ ...upload, PartNumber, Body }));
				Parts.push({ ETag, PartNumber });
			};
			for (let next = read.shift(); next !== undefined; next = read.shift()) await send(next);
			for await (const part of rest) await send(part);
			await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
		} catch (error) {
			// Parts of an upload that nobody completes are paid for.
			await client.send(new AbortMultipartUploadCommand(upload)).catch(() => {});
			throw error;
		}
	}

	#target(key: string): { Bucket: string; Key: string } {
		const { bucket, prefix = "" } = this.#options;
		return { Bucket: bucket, Key: `${prefix}${key}` };
	}

	#kind() {
		const { kmsKeyId } = this.#options;
		const encryption =
			kmsKeyId === undefined
				? ({ ServerSideEncryption: "AES256" } as const)
				: ({ ServerSideEncryption: "aws:kms", SSEKMSKeyId: kmsKeyId } as const);
		return { ContentType: "audio/wav", ...encryption };
	}
}

/** Pieces of exactly this size, but the last. */
async function* inParts(content: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array, void, void> {
	let part = new Uint8Array(bytes);
	let filled = 0;
	for await (const piece of content) {
		let rest = piece;
		while (rest.length > 0) {
			const taken = rest.subarray(0, bytes - filled);
			part.set(taken, filled);
			filled += taken.length;
			rest = rest.subarray(taken.length);
			if (filled < bytes) continue;
			yield part;
			part = new Uint8Array(bytes);
			filled = 0;
		}
	}
	if (filled > 0) yield part.subarray(0, filled);
}
