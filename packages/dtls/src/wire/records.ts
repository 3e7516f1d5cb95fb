import { uint } from "./bytes.ts";

/** Content types (RFC 5246 §6.2.1). */
export const CHANGE_CIPHER_SPEC = 20;
export const ALERT = 21;
export const HANDSHAKE = 22;
export const APPLICATION_DATA = 23;

/** DTLS 1.2 and 1.0 (RFC 6347 §4.1): the first ClientHello of some is under the older number */
const VERSION = 0xfefd;
const MAJOR_VERSION = 0xfe;
const HEADER_BYTES = 13;

export interface DtlsRecord {
	type: number;
	epoch: number;
	sequence: number;
	fragment: Buffer;
}

/** The records of a datagram in order; what is none ends it (RFC 6347 §4.1.2.7: dropped without a word). */
export function* recordsOf(datagram: Buffer): Generator<DtlsRecord> {
	for (let at = 0; at + HEADER_BYTES <= datagram.length; ) {
		const end = at + HEADER_BYTES + datagram.readUInt16BE(at + 11);
		if (end > datagram.length || datagram[at + 1] !== MAJOR_VERSION) return;
		yield {
			type: datagram.readUInt8(at),
			epoch: datagram.readUInt16BE(at + 3),
			sequence: datagram.readUIntBE(at + 5, 6),
			fragment: datagram.subarray(at + HEADER_BYTES, end),
		};
		at = end;
	}
}

export function writeRecord({ type, epoch, sequence, fragment }: DtlsRecord): Buffer {
	const header = Buffer.alloc(HEADER_BYTES);
	header.writeUInt8(type, 0);
	header.writeUInt16BE(VERSION, 1);
	header.writeUInt16BE(epoch, 3);
	header.writeUIntBE(sequence, 5, 6);
	header.writeUInt16BE(fragment.length, 11);
	return Buffer.concat([header, fragment]);
}

/** What a tag of AEAD also covers (RFC 5246 §6.2.3.3); the sequence number has the epoch in it (RFC 6347 §4.1.2.1). */
export function additionalData({ type, epoch, sequence }: Omit<DtlsRecord, "fragment">, length: number): Buffer {
	const bytes = Buffer.alloc(HEADER_BYTES);
	bytes.writeUInt16BE(epoch, 0);
	bytes.writeUIntBE(sequence, 2, 6);
	bytes.writeUInt8(type, 8);
	bytes.writeUInt16BE(VERSION, 9);
	bytes.writeUInt16BE(length, 11);
	return bytes;
}

/** RFC 5288 §3: the part of the nonce that travels; here epoch and sequence number, which never repeat under one key */
export function explicitNonce(epoch: number, sequence: number): Buffer {
	return Buffer.concat([uint(epoch, 2), uint(sequence, 6)]);
}

const WINDOW = 64;

/** Which records were there (RFC 6347 §4.1.2.6). */
export class ReplayWindow {
	#highest = -1;
	readonly #seen = new Float64Array(WINDOW).fill(-1);

	isNew(sequence: number): boolean {
		return sequence > this.#highest - WINDOW && this.#seen[sequence % WINDOW] !== sequence;
	}

	/** Only what is authentic. */
	take(sequence: number): void {
		if (sequence > this.#highest) this.#highest = sequence;
		this.#seen[sequence % WINDOW] = sequence;
	}
}
