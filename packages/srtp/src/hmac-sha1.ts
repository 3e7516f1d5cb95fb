import { readUint32, writeUint32 } from "./bytes.ts";

/** SHA-1, bytes */
const BLOCK = 64;
const DIGEST = 20;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
/** FIPS 180-4 §5.3.1 */
const INITIAL = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);

/**
 * HMAC-SHA1 (RFC 2104, FIPS 180-4) for packets: the key's two blocks are hashed once, and nothing is allocated for a packet but its tag. node:crypto makes an object
 * of V8 and one of OpenSSL each time, which takes twice as long for so few bytes, before their collection. No branch and no index depends on what is hashed.
 *
 * The tag is reused by the next call.
 */
export function hmacSha1(key: Uint8Array): (message: Uint8Array, tail: Uint8Array) => Uint8Array {
	if (key.length > BLOCK) throw new RangeError(`a key of ${key.length} bytes: SRTP has none above ${BLOCK}`);
	const inner = padded(key, INNER_PAD);
	const outer = padded(key, OUTER_PAD);
	const state = new Int32Array(5);
	const block = new Uint8Array(BLOCK);
	const tag = new Uint8Array(DIGEST);
	return (message, tail) => {
		state.set(inner);
		hashRest(state, block, message, tail);
		writeState(state, block);
		block[DIGEST] = 0x80;
		block.fill(0, DIGEST + 1);
		writeLength(block, BLOCK + DIGEST);
		state.set(outer);
		compress(state, block, 0);
		writeState(state, tag);
		return tag;
	};
}

/** The state after the key's block. */
function padded(key: Uint8Array, pad: number): Int32Array {
	const block = new Uint8Array(BLOCK).fill(pad);
	for (let i = 0; i < key.length; i++) block[i] = (key[i] ?? 0) ^ pad;
	const state = INITIAL.slice();
	compress(state, block, 0);
	return state;
}

/** Both parts, one after the other, and the end (FIPS 180-4 §5.1.1), after one block that is hashed already. */
function hashRest(state: Int32Array, block: Uint8Array, message: Uint8Array, tail: Uint8Array): void {
	const whole = message.length - (message.length % BLOCK);
	for (let at = 0; at < whole; at += BLOCK) compress(state, message, at);
	let used = 0;
	for (let at = whole; at < message.length; at++) block[used++] = message[at] ?? 0;
	for (let at = 0; at < tail.length; at++) {
		block[used++] = tail[at] ?? 0;
		if (used === BLOCK) {
			compress(state, block, 0);
			used = 0;
		}
	}
	block[used++] = 0x80;
	if (used > BLOCK - 8) {
		block.fill(0, used);
		compress(state, block, 0);
		used = 0;
	}
	block.fill(0, used);
	writeLength(block, BLOCK + message.length + tail.length);
	compress(state, block, 0);
}

/** In bits; no packet has 2^29 bytes. */
function writeLength(block: Uint8Array, bytes: number): void {
	writeUint32(block, BLOCK - 4, bytes * 8);
}

function writeState(state: Int32Array, into: Uint8Array): void {
	for (let i = 0; i < 5; i++) writeUint32(into, i * 4, state[i] ?? 0);
}

const schedule = new Int32Array(80);

/** FIPS 180-4 §6.1.2, steps 2 to 4 */
function compress(state: Int32Array, bytes: Uint8Array, from: number): void {
	const w = expand(bytes, from);
	let a = state[0] ?? 0;
	let b = state[1] ?? 0;
	let c = state[2] ?? 0;
	let d = state[3] ?? 0;
	let e = state[4] ?? 0;
	// Four loops: one that asks in each round which it is takes half as long again.
	for (let i = 0; i < 20; i++) {
		const next = (((a << 5) | (a >>> 27)) + ((b & c) | (~b & d)) + 0x5a827999 + e + (w[i] ?? 0)) | 0;
		e = d;
		d = c;
		c = (b << 30) | (b >>> 2);
		b = a;
		a = next;
	}
	for (let i = 20; i < 40; i++) {
		const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + 0x6ed9eba1 + e + (w[i] ?? 0)) | 0;
		e = d;
		d = c;
		c = (b << 30) | (b >>> 2);
		b = a;
		a = next;
	}
	for (let i = 40; i < 60; i++) {
		const next = (((a << 5) | (a >>> 27)) + ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc + e + (w[i] ?? 0)) | 0;
		e = d;
		d = c;
		c = (b << 30) | (b >>> 2);
		b = a;
		a = next;
	}
	for (let i = 60; i < 80; i++) {
		const next = (((a << 5) | (a >>> 27)) + (b ^ c ^ d) + 0xca62c1d6 + e + (w[i] ?? 0)) | 0;
		e = d;
		d = c;
		c = (b << 30) | (b >>> 2);
		b = a;
		a = next;
	}
	add(state, 0, a);
	add(state, 1, b);
	add(state, 2, c);
	add(state, 3, d);
	add(state, 4, e);
}

function add(state: Int32Array, at: number, value: number): void {
	state[at] = ((state[at] ?? 0) + value) | 0;
}

/** FIPS 180-4 §6.1.2, step 1; the next call overwrites it. */
function expand(bytes: Uint8Array, from: number): Int32Array {
	const w = schedule;
	for (let i = 0; i < 16; i++) w[i] = readUint32(bytes, from + i * 4);
	for (let i = 16; i < 80; i++) {
		const word = (w[i - 3] ?? 0) ^ (w[i - 8] ?? 0) ^ (w[i - 14] ?? 0) ^ (w[i - 16] ?? 0);
		w[i] = (word << 1) | (word >>> 31);
	}
	return w;
}
