import { fromBase64, toBase64 } from "./base64.ts";

/** RFC 4568 §6.2, RFC 6188 §6, RFC 7714 §14.2; with the bytes of master key and salt together */
const SUITE_KEY_BYTES = {
	AES_CM_128_HMAC_SHA1_80: 30,
	AES_CM_128_HMAC_SHA1_32: 30,
	AES_256_CM_HMAC_SHA1_80: 46,
	AES_256_CM_HMAC_SHA1_32: 46,
	AEAD_AES_128_GCM: 28,
	AEAD_AES_256_GCM: 44,
} as const;

export type CryptoSuite = keyof typeof SUITE_KEY_BYTES;

export interface SuiteKey {
	suite: CryptoSuite;
	/** master key and salt, as the suite wants them long */
	key: Uint8Array;
}

/** One `a=crypto` (RFC 4568 §4). */
export interface CryptoAttribute extends SuiteKey {
	tag: number;
}

/** SRTP as one side would have it. */
export interface LocalCrypto {
	/** true: no audio in the clear */
	required: boolean;
	/** ours, in order of preference; in an offer the first has tag 1 */
	keys: readonly SuiteKey[];
}

/** What both sides agreed upon. */
export interface NegotiatedCrypto {
	suite: CryptoSuite;
	/** ours */
	send: Uint8Array;
	/** the peer's */
	receive: Uint8Array;
}

export type CryptoLine = { ok: true; crypto: CryptoAttribute } | { ok: false; reason: string };

/** Lines of one section that are looked at. */
const MAX_CRYPTO_LINES = 24;

export function suiteKeyBytes(suite: CryptoSuite): number {
	return SUITE_KEY_BYTES[suite];
}

/**
 * Reads what follows `a=crypto:` (RFC 4568 §9.1). A line that asks for what we do not do is not ours to take: another one may do (§5.1.2), and the reason
 * is in words for the case that none does.
 */
export function parseCrypto(value: string): CryptoLine {
	const [tagText = "", suite = "", keyParams = "", ...sessionParams] = value.trim().split(/[ \t]+/);
	if (!/^\d{1,9}$/.test(tagText)) return skip("its tag is no number");
	if (!isSuite(suite)) return skip("its suite is not known here");
	const key = parseKey(keyParams, SUITE_KEY_BYTES[suite]);
	if (typeof key === "string") return skip(key);
	if (!sessionParams.every(isHarmless)) return skip("it has session parameters that are not supported");
	return { ok: true, crypto: { tag: Number(tagText), suite, key } };
}

export function writeCrypto({ tag, suite, key }: CryptoAttribute): string {
	return `a=crypto:${tag} ${suite} inline:${toBase64(key)}`;
}

/** Our lines in an offer. */
export function offeredCrypto(local: LocalCrypto): CryptoAttribute[] {
	return local.keys.map((key, i) => ({ tag: i + 1, ...key }));
}

export type CryptoChoice = { ok: true; srtp: NegotiatedCrypto; tag: number } | { ok: false; reason: string };

/** The first line that we can do too: RFC 4568 §5.1.1 has them in the offerer's order of preference. */
export function chooseCrypto(lines: readonly string[], local: LocalCrypto): CryptoChoice {
	return firstUsable(lines, ({ suite }) => local.keys.find((own) => own.suite === suite)?.key);
}

/** RFC 4568 §5.1.3: an answer takes up one line of the offer, by its tag and suite. */
export function answeredCrypto(lines: readonly string[], local: LocalCrypto): CryptoChoice {
	return firstUsable(lines, ({ tag, suite }) => {
		const own = local.keys[tag - 1];
		return own?.suite === suite ? own.key : undefined;
	});
}

function firstUsable(lines: readonly string[], ownKey: (crypto: CryptoAttribute) => Uint8Array | undefined): CryptoChoice {
	let reason = "there is no a=crypto line";
	for (const line of lines.slice(0, MAX_CRYPTO_LINES)) {
		const read = parseCrypto(line);
		if (!read.ok) {
			reason = `a=crypto cannot be used: ${read.reason}`;
			continue;
		}
		const { tag, suite, key } = read.crypto;
		const own = ownKey(read.crypto);
		if (own === undefined) reason = "a=crypto cannot be used: its suite or tag is none of ours";
		// One key for both directions: with it a reflected packet would pass as the peer's (RFC 3711 §9.1).
		else if (sameKey(own, key)) reason = "a=crypto cannot be used: it has our own key";
		else return { ok: true, srtp: { suite, send: own, receive: key }, tag };
	}
	return { ok: false, reason };
}

/** RFC 4568 §6.1: inline:<key||salt>["|" lifetime]["|" MKI ":" length]; the reason when it cannot be used. */
function parseKey(params: string, length: number): Uint8Array | string {
	// Several keys are told apart by an MKI.
	if (params.includes(";")) return "it has several keys";
	const [inline = "", ...rest] = params.split("|");
	if (!/^inline:/i.test(inline)) return "its key is not inline";
	if (rest.some((part) => part.includes(":"))) return "it has an MKI";
	if (rest.length > 1 || !rest.every(isLifetime)) return "its lifetime cannot be read";
	const key = fromBase64(inline.slice("inline:".length));
	if (key === undefined) return "its key is no base64";
	return key.length === length ? key : `its key has ${key.length} bytes instead of ${length}`;
}

/** Packets under one key, as a number or a power of two; RFC 4568 §6.1: no more than 2^48. */
function isLifetime(text: string): boolean {
	const power = /^2\^(\d{1,2})$/.exec(text)?.[1];
	if (power !== undefined) return Number(power) <= 48;
	return /^[1-9]\d{0,14}$/.test(text) && Number(text) <= 2 ** 48;
}

/**
 * RFC 4568 §6.3: whoever does not know a parameter must not take the line, unless "-" stands before it. A hint about the replay window (§6.3.6) changes
 * nothing; unencrypted or unauthenticated streams and key derivation rates are not what we do.
 */
function isHarmless(parameter: string): boolean {
	return parameter.startsWith("-") || /^WSH=\d{1,5}$/.test(parameter) || parameter === "KDR=0";
}

function isSuite(name: string): name is CryptoSuite {
	return Object.hasOwn(SUITE_KEY_BYTES, name);
}

function sameKey(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function skip(reason: string): CryptoLine {
	return { ok: false, reason };
}
