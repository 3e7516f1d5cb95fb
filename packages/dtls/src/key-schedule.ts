import type { Aead, DtlsCrypto } from "./crypto.ts";
import { type DtlsSrtpKeys, type DtlsSrtpSuite, profileOf } from "./suites.ts";

const MASTER_SECRET_BYTES = 48;
const VERIFY_DATA_BYTES = 12;
const KEY_BYTES = 16;
const SALT_BYTES = 4;

export type Role = "client" | "server";

/** What AES-128-GCM has for one direction (RFC 5288 §3). */
export interface DirectionKeys {
	aead: Aead;
	/** the part of the nonce that does not travel */
	salt: Buffer;
}

/** What both sides say at the beginning. */
export interface Randoms {
	client: Buffer;
	server: Buffer;
}

/** P_SHA256 (RFC 5246 §5). */
export function prf(crypto: DtlsCrypto, secret: Buffer, label: string, seed: Buffer, length: number): Buffer {
	const labelled = Buffer.concat([Buffer.from(label, "latin1"), seed]);
	const hmac = crypto.hmac(secret);
	const blocks: Buffer[] = [];
	let a: Buffer = labelled;
	for (let made = 0; made < length; made += 32) {
		a = hmac(a);
		blocks.push(hmac(Buffer.concat([a, labelled])));
	}
	return Buffer.concat(blocks).subarray(0, length);
}

/** RFC 7627 §4 where both know of it: bound to the whole handshake (`transcript`: hash of it up to ClientKeyExchange); RFC 5246 §8.1 otherwise. */
export function masterSecret(crypto: DtlsCrypto, shared: Buffer, transcript: Buffer | undefined, randoms: Randoms): Buffer {
	return transcript === undefined
		? prf(crypto, shared, "master secret", Buffer.concat([randoms.client, randoms.server]), MASTER_SECRET_BYTES)
		: prf(crypto, shared, "extended master secret", transcript, MASTER_SECRET_BYTES);
}

/** RFC 5246 §6.3 */
export function recordKeys(crypto: DtlsCrypto, master: Buffer, randoms: Randoms): Record<Role, DirectionKeys> {
	const block = prf(crypto, master, "key expansion", Buffer.concat([randoms.server, randoms.client]), 2 * (KEY_BYTES + SALT_BYTES));
	const of = (index: number): DirectionKeys => ({
		aead: crypto.aead(block.subarray(index * KEY_BYTES, (index + 1) * KEY_BYTES)),
		salt: block.subarray(2 * KEY_BYTES + index * SALT_BYTES, 2 * KEY_BYTES + (index + 1) * SALT_BYTES),
	});
	return { client: of(0), server: of(1) };
}

/** RFC 5246 §7.4.9 */
export function verifyData(crypto: DtlsCrypto, master: Buffer, sender: Role, transcript: Buffer): Buffer {
	return prf(crypto, master, `${sender} finished`, transcript, VERIFY_DATA_BYTES);
}

/** RFC 5764 §4.2 */
export function srtpKeys(crypto: DtlsCrypto, master: Buffer, randoms: Randoms, suite: DtlsSrtpSuite, role: Role): DtlsSrtpKeys {
	const { keyBytes, saltBytes } = profileOf(suite);
	const seed = Buffer.concat([randoms.client, randoms.server]);
	const material = prf(crypto, master, "EXTRACTOR-dtls_srtp", seed, 2 * (keyBytes + saltBytes));
	let at = 0;
	const next = (length: number): Buffer => material.subarray(at, (at += length));
	const keys = { client: next(keyBytes), server: next(keyBytes) };
	const salts = { client: next(saltBytes), server: next(saltBytes) };
	const peer = role === "client" ? "server" : "client";
	return { suite, local: { key: keys[role], salt: salts[role] }, remote: { key: keys[peer], salt: salts[peer] } };
}
