import { Reader, uint } from "./bytes.ts";

/** A handshake message (RFC 6347 §4.2.2), whole. */
export interface HandshakeMessage {
	type: number;
	/** message_seq */
	sequence: number;
	body: Buffer;
}

const HEADER_BYTES = 12;
/** A certificate chain has a few thousand; nobody makes us keep more. */
const MAX_MESSAGE_BYTES = 32 * 1024;
/** Holes between the parts of one message: a peer cuts it into a few. */
const MAX_PARTS = 32;
/** A flight has six. */
const MAX_AHEAD = 8;

/** As the transcript has it: in one fragment (RFC 6347 §4.2.6). */
export function writeMessage({ type, sequence, body }: HandshakeMessage): Buffer {
	return writeFragment(type, sequence, body, 0, body.length);
}

/** In fragments of so many bytes at most, headers included. */
export function* fragmentsOf({ type, sequence, body }: HandshakeMessage, maxBytes: number): Generator<Buffer> {
	const step = maxBytes - HEADER_BYTES;
	let at = 0;
	do {
		const length = Math.min(step, body.length - at);
		yield writeFragment(type, sequence, body, at, length);
		at += length;
	} while (at < body.length);
}

function writeFragment(type: number, sequence: number, body: Buffer, at: number, length: number): Buffer {
	return Buffer.concat([
		uint(type, 1),
		uint(body.length, 3),
		uint(sequence, 2),
		uint(at, 3),
		uint(length, 3),
		body.subarray(at, at + length),
	]);
}

interface Partial {
	type: number;
	body: Buffer;
	/** [from, until) that is there, in no order, merged when they touch */
	parts: [number, number][];
}

/** Puts messages together and in order, whatever way the network has cut, repeated and mixed them. */
export class Reassembly {
	#next: number;
	readonly #partial = new Map<number, Partial>();

	constructor(next = 0) {
		this.#next = next;
	}

	/** message_seq that comes next */
	get next(): number {
		return this.#next;
	}

	/** parts of the messages that are not whole */
	get holes(): number {
		return [...this.#partial.values()].reduce((sum, { parts }) => sum + parts.length, 0);
	}

	/** Takes those of one record's fragments that are wanted. `old` is told for each message that was there before: the peer repeats a flight. */
	add(record: Buffer, isWanted: (type: number) => boolean, old: () => void): void {
		const reader = new Reader(record);
		while (reader.left >= HEADER_BYTES) {
			const [type, length, sequence, offset] = [reader.uint(1), reader.uint(3), reader.uint(2), reader.uint(3)];
			const fragment = reader.vector(3);
			if (!reader.ok || length > MAX_MESSAGE_BYTES || offset + fragment.length > length) return;
			if (!isWanted(type)) continue;
			if (sequence < this.#next) old();
			else if (sequence < this.#next + MAX_AHEAD) this.#keep(type, sequence, length, offset, fragment);
		}
	}

	/** The next message, when all of it is there. */
	take(): HandshakeMessage | undefined {
		const sequence = this.#next;
		const partial = this.#partial.get(sequence);
		if (partial === undefined || !isWhole(partial)) return undefined;
		this.#partial.delete(sequence);
		this.#next += 1;
		return { type: partial.type, sequence, body: partial.body };
	}

	/** The message with this number, which was taken, is none of the peer's: what has the number may still come. */
	forget(sequence: number): void {
		this.#next = sequence;
	}

	#keep(type: number, sequence: number, length: number, offset: number, fragment: Buffer): void {
		let partial = this.#partial.get(sequence);
		// A message in one piece is whole whatever somebody may have put before it.
		if (partial === undefined || (fragment.length === length && !isWhole(partial))) {
			partial = { type, body: Buffer.alloc(length), parts: [] };
			this.#partial.set(sequence, partial);
		}
		// What was there first stays: a second version of a message must not be mixed into the first.
		if (partial.type !== type || partial.body.length !== length || isWhole(partial) || partial.parts.length > MAX_PARTS) return;
		const until = offset + fragment.length;
		if (partial.parts.some(([from, end]) => from < until && offset < end && !(from === offset && end === until))) {
			// overlapping fragments of different sizes: a retransmission under another MTU. Bytes that are there stay.
			for (let i = offset; i < until; i++)
				if (!partial.parts.some(([from, end]) => i >= from && i < end)) partial.body[i] = fragment[i - offset] ?? 0;
		} else if (!partial.parts.some(([from, end]) => from === offset && end === until)) fragment.copy(partial.body, offset);
		partial.parts = merged([...partial.parts, [offset, until]]);
	}
}

function isWhole({ body, parts }: Partial): boolean {
	const [first] = parts;
	return first !== undefined && first[0] === 0 && first[1] === body.length;
}

function merged(parts: [number, number][]): [number, number][] {
	const result: [number, number][] = [];
	for (const part of parts.toSorted((a, b) => a[0] - b[0])) {
		const last = result.at(-1);
		if (last !== undefined && part[0] <= last[1]) last[1] = Math.max(last[1], part[1]);
		else result.push([...part]);
	}
	return result;
}
