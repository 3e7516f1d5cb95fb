import { utf8DecodeLossy } from "../grammar/text.ts";
import { contentLength } from "./content-length.ts";
import { STREAM_LIMITS } from "./limits.ts";

export type StreamItem =
	/** one whole message, leading line ends left out; a copy that may be kept */
	| { readonly kind: "message"; readonly bytes: Uint8Array }
	/** a double CRLF between messages: the peer wants a CRLF back (RFC 5626 §3.5.1) */
	| { readonly kind: "ping" }
	/** a single CRLF between messages. The first half of a ping is one too: how the bytes were cut up on the way must make no difference. */
	| { readonly kind: "pong" };

/** What a peer did that leaves no way to tell where the next message begins: the connection has to be closed. */
export interface StreamFault {
	readonly code: "not-sip" | "head-too-large" | "body-too-large" | "content-length";
	readonly detail: string;
}

export interface StreamResult {
	readonly items: readonly StreamItem[];
	/** comes after the items and is the last word: nothing more is read from this stream */
	readonly fault?: StreamFault;
}

const CR = 0x0d;
const LF = 0x0a;
const EMPTY = new Uint8Array(0);
/** kept between messages, so that a connection at rest holds little */
const SMALL_BUFFER = 2_048;

/** Cuts the byte stream of one TCP or TLS connection into SIP messages (RFC 3261 §18.3). Never throws; no byte is searched twice. */
export class StreamFramer {
	/** what of the stream is not cut yet is `#buffer[0..#length)` */
	#buffer: Uint8Array = EMPTY;
	#length = 0;
	/** of the message that has begun: how far its head has been searched, from its first byte */
	#searched = 0;
	#firstLineSeen = false;
	/** length of the message that has begun, once its head is whole */
	#total: number | undefined;
	/** bytes of CRLFCRLF seen between messages */
	#gap = 0;
	#fault: StreamFault | undefined;

	/** Bytes of a message that has begun and is not whole. */
	get pending(): number {
		return this.#length;
	}

	push(chunk: Uint8Array): StreamResult {
		const items: StreamItem[] = [];
		if (this.#fault === undefined) {
			if (this.#length === 0) this.#cut(chunk, chunk.length, items, (from) => this.#keep(chunk.subarray(from)));
			else {
				this.#append(chunk);
				this.#cut(this.#buffer, this.#length, items, (from) => this.#drop(from));
			}
		}
		return this.#fault === undefined ? { items } : { items, fault: this.#fault };
	}

	/** Cuts whole messages off `data[0..end)`; `rest` is told where the one that is not whole begins. */
	#cut(data: Uint8Array, end: number, items: StreamItem[], rest: (from: number) => void): void {
		let at = 0;
		while (at < end && this.#fault === undefined) {
			if (this.#searched === 0 && this.#total === undefined) at = this.#skipLineEnds(data, at, end, items);
			if (at >= end || this.#fault !== undefined || !this.#isWhole(data, at, end)) break;
			const total = this.#total ?? 0;
			// Not `slice`: that of Node's Buffer is a view, which would keep the whole chunk.
			const bytes = new Uint8Array(total);
			bytes.set(data.subarray(at, at + total));
			items.push({ kind: "message", bytes });
			at += total;
			this.#searched = 0;
			this.#firstLineSeen = false;
			this.#total = undefined;
		}
		rest(this.#fault === undefined ? at : end);
	}

	/** RFC 3261 §7.5: line ends before a start line are ignored; RFC 5626 §3.5.1 gives them a meaning on streams. */
	#skipLineEnds(data: Uint8Array, from: number, end: number, items: StreamItem[]): number {
		let at = from;
		for (; at < end && data[at] === (this.#gap % 2 === 0 ? CR : LF); at++) {
			this.#gap++;
			if (this.#gap === 2) items.push({ kind: "pong" });
			if (this.#gap < 4) continue;
			items.push({ kind: "ping" });
			this.#gap = 0;
		}
		if (at === end) return at;
		if (this.#gap % 2 === 1) this.#fault = { code: "not-sip", detail: "half a line end" };
		this.#gap = 0;
		return at;
	}

	#isWhole(data: Uint8Array, at: number, end: number): boolean {
		if (this.#total === undefined) {
			const headEnd = this.#findHeadEnd(data, at, end);
			if (headEnd === undefined) return false;
			const length = contentLength(data, at, headEnd - 2);
			if (!length.ok) this.#fault = { code: "content-length", detail: length.detail };
			else if (length.bytes > STREAM_LIMITS.body)
				this.#fault = { code: "body-too-large", detail: `body of more than ${STREAM_LIMITS.body} bytes` };
			if (!length.ok || this.#fault !== undefined) return false;
			this.#total = headEnd - at + length.bytes;
		}
		return end - at >= this.#total;
	}

	/** Index behind the empty line that ends the head. */
	#findHeadEnd(data: Uint8Array, at: number, end: number): number | undefined {
		const limit = Math.min(end, at + STREAM_LIMITS.head);
		for (let lf = data.indexOf(LF, at + this.#searched); lf >= 0 && lf < limit; lf = data.indexOf(LF, lf + 1)) {
			if (lf === at || data[lf - 1] !== CR) continue;
			if (!this.#firstLineSeen && !this.#isStartLine(data, at, lf - 1)) return undefined;
			if (lf - at >= 3 && data[lf - 2] === LF && data[lf - 3] === CR) return lf + 1;
		}
		this.#searched = limit - at;
		// Whoever speaks HTTP or TLS here, or nothing at all, is told apart by the first line.
		if (!this.#firstLineSeen && end - at > STREAM_LIMITS.firstLine) this.#fault = { code: "not-sip", detail: "no start line of SIP" };
		else if (end - at >= STREAM_LIMITS.head)
			this.#fault = { code: "head-too-large", detail: `head of more than ${STREAM_LIMITS.head} bytes` };
		return undefined;
	}

	#isStartLine(data: Uint8Array, from: number, to: number): boolean {
		this.#firstLineSeen = true;
		if (to - from <= STREAM_LIMITS.firstLine && /(^| )SIP\/\d/i.test(utf8DecodeLossy(data.subarray(from, to)))) return true;
		this.#fault = { code: "not-sip", detail: "no start line of SIP" };
		return false;
	}

	#keep(rest: Uint8Array): void {
		this.#length = 0;
		if (rest.length > 0) this.#append(rest);
	}

	#append(chunk: Uint8Array): void {
		const needed = this.#length + chunk.length;
		if (needed > this.#buffer.length) {
			// Doubled, so that a message that comes byte by byte is not copied with each of them.
			const larger = new Uint8Array(Math.max(needed, 2 * this.#buffer.length, 256));
			larger.set(this.#buffer.subarray(0, this.#length));
			this.#buffer = larger;
		}
		this.#buffer.set(chunk, this.#length);
		this.#length = needed;
	}

	#drop(count: number): void {
		this.#buffer.copyWithin(0, count, this.#length);
		this.#length -= count;
		if (this.#length === 0 && this.#buffer.length > SMALL_BUFFER) this.#buffer = EMPTY;
	}
}
