import { type FileHandle, open } from "node:fs/promises";

const HEADER_BYTES = 44;
/** RIFF lengths have 32 bits */
const MAX_DATA_BYTES = 0xffff_ffff - HEADER_BYTES;
/** A disk that does not keep up must not fill the memory: half a minute of stereo at 8 kHz. */
const MAX_WAITING_BYTES = 1024 * 1024;
/** A header that is no older makes what a crash leaves readable but for this much. */
const HEADER_EVERY_BYTES = 160_000;

export interface WavFileResult {
	samples: number;
	bytes: number;
	problem?: string;
}

/** A WAV file of 16-bit stereo that is written as it comes. Its header says every few seconds how long it is, so that a crash leaves a readable file. */
export class WavFile {
	readonly #rate: number;
	#handle: FileHandle | undefined;
	#queue: Promise<void>;
	#waiting = 0;
	#written = 0;
	#told = 0;
	#problem: string | undefined;
	#closed: Promise<WavFileResult> | undefined;

	constructor(path: string, rate: number) {
		this.#rate = rate;
		this.#queue = this.#begin(path).catch((error: unknown) => this.#failed(error));
	}

	/** Left and right in turn. */
	append(samples: Int16Array): void {
		if (samples.length === 0 || this.#problem !== undefined || this.#closed !== undefined) return;
		if (this.#waiting + samples.byteLength > MAX_WAITING_BYTES) return this.#failed(new Error("the disk is too slow"));
		this.#waiting += samples.byteLength;
		const bytes = littleEndian(samples);
		this.#enqueue(async (handle) => {
			await this.#write(handle, bytes);
			this.#waiting -= bytes.length;
		});
	}

	/** Resolves when all is on its way to the disk; the same for every caller. */
	close(): Promise<WavFileResult> {
		this.#closed ??= this.#close();
		return this.#closed;
	}

	async #begin(path: string): Promise<void> {
		// "wx": no file that is there is ever overwritten.
		this.#handle = await open(path, "wx", 0o600);
		await this.#handle.write(wavHeader(this.#rate, 0), 0, HEADER_BYTES, 0);
	}

	async #write(handle: FileHandle, bytes: Uint8Array): Promise<void> {
		if (this.#written + bytes.length > MAX_DATA_BYTES) throw new Error("the file has reached 4 GB");
		await handle.write(bytes, 0, bytes.length, HEADER_BYTES + this.#written);
		this.#written += bytes.length;
		if (this.#written - this.#told >= HEADER_EVERY_BYTES) await this.#tellLength(handle);
	}

	async #tellLength(handle: FileHandle): Promise<void> {
		await handle.write(wavHeader(this.#rate, this.#written), 0, HEADER_BYTES, 0);
		this.#told = this.#written;
	}

	async #close(): Promise<WavFileResult> {
		await this.#queue;
		const handle = this.#handle;
		if (handle !== undefined) {
			await this.#tellLength(handle).catch((error: unknown) => this.#failed(error));
			await handle.close().catch((error: unknown) => this.#failed(error));
		}
		const problem = this.#problem === undefined ? {} : { problem: this.#problem };
		return {
			samples: this.#written / 4,
			bytes: this.#written === 0 && handle === undefined ? 0 : HEADER_BYTES + this.#written,
			...problem,
		};
	}

	#enqueue(work: (handle: FileHandle) => Promise<void>): void {
		this.#queue = this.#queue
			.then(() => (this.#handle === undefined || this.#problem !== undefined ? undefined : work(this.#handle)))
			.catch((error: unknown) => this.#failed(error));
	}

	#failed(error: unknown): void {
		this.#problem ??= `the recording stopped: ${error instanceof Error ? error.message : String(error)}`;
	}
}

function littleEndian(samples: Int16Array): Uint8Array {
	const bytes = new Uint8Array(samples.length * 2);
	const view = new DataView(bytes.buffer);
	for (let i = 0; i < samples.length; i++) view.setInt16(i * 2, samples[i] ?? 0, true);
	return bytes;
}

function wavHeader(rate: number, dataBytes: number): Buffer {
	const header = Buffer.alloc(HEADER_BYTES);
	header.write("RIFF", 0, "latin1");
	header.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
	header.write("WAVEfmt ", 8, "latin1");
	header.writeUInt32LE(16, 16);
	header.writeUInt16LE(1, 20);
	header.writeUInt16LE(2, 22);
	header.writeUInt32LE(rate, 24);
	header.writeUInt32LE(rate * 4, 28);
	header.writeUInt16LE(4, 32);
	header.writeUInt16LE(16, 34);
	header.write("data", 36, "latin1");
	header.writeUInt32LE(dataBytes, 40);
	return header;
}
