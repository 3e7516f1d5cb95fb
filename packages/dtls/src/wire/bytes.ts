/** Reads what a peer has written. Beyond the end everything is empty and `ok` is false from then on: a peer's bytes never throw. */
export class Reader {
	readonly #bytes: Buffer;
	#at = 0;
	ok = true;

	constructor(bytes: Buffer) {
		this.#bytes = bytes;
	}

	get left(): number {
		return this.#bytes.length - this.#at;
	}

	bytes(length: number): Buffer {
		if (length > this.left) {
			this.ok = false;
			this.#at = this.#bytes.length;
			return Buffer.alloc(0);
		}
		this.#at += length;
		return this.#bytes.subarray(this.#at - length, this.#at);
	}

	/** An integer of so many bytes (6 at most). */
	uint(length: number): number {
		const bytes = this.bytes(length);
		return bytes.length === 0 ? 0 : bytes.readUIntBE(0, length);
	}

	/** A vector (RFC 5246 §4.3): a length of so many bytes, and as many bytes as it says. */
	vector(lengthBytes: number): Buffer {
		return this.bytes(this.uint(lengthBytes));
	}

	/** Vectors hold whole elements of so many bytes. */
	uints(lengthBytes: number, each: number): number[] {
		const vector = this.vector(lengthBytes);
		if (vector.length % each !== 0) this.ok = false;
		return Array.from({ length: Math.floor(vector.length / each) }, (_, index) => vector.readUIntBE(index * each, each));
	}
}

export function uint(value: number, length: number): Buffer {
	const bytes = Buffer.alloc(length);
	bytes.writeUIntBE(value, 0, length);
	return bytes;
}

/** RFC 5246 §4.3 */
export function vector(lengthBytes: number, ...parts: readonly Uint8Array[]): Buffer {
	const content = Buffer.concat(parts);
	return Buffer.concat([uint(content.length, lengthBytes), content]);
}

export function uints(lengthBytes: number, each: number, values: readonly number[]): Buffer {
	return vector(lengthBytes, ...values.map((value) => uint(value, each)));
}
