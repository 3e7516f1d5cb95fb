import type { DtlsCertificate } from "./certificate.ts";

/** NamedGroup (RFC 8422 §5.1.1). */
export const X25519 = 29;
export const SECP256R1 = 23;
export type Group = typeof X25519 | typeof SECP256R1;

/** Our half of a Diffie-Hellman exchange. */
export interface KeyExchange {
	readonly group: Group;
	/** as it travels */
	readonly publicKey: Buffer;
	/** The shared secret; undefined: that is no key of this group, or one that gives nothing away but zeros (RFC 7748 §6.1). */
	agree(peer: Buffer): Buffer | undefined;
}

/** AES-128-GCM under one key. */
export interface Aead {
	/** ciphertext and tag */
	seal(nonce: Buffer, additional: Buffer, plain: Buffer): Buffer;
	/** undefined: the tag is wrong */
	open(nonce: Buffer, additional: Buffer, sealed: Buffer): Buffer | undefined;
}

/** What the handshake needs of a crypto library; node-crypto.ts has Node's. */
export interface DtlsCrypto {
	random(length: number): Buffer;
	keyExchange(group: Group): KeyExchange;
	/** SHA-256 */
	hash(data: Buffer): Buffer;
	/** HMAC-SHA256 under one key */
	hmac(key: Buffer): (data: Buffer) => Buffer;
	aead(key: Buffer): Aead;
	/** SignatureAndHashAlgorithms (RFC 5246 §7.4.1.4.1) that the certificate's key can make */
	schemesOf(certificate: DtlsCertificate): readonly number[];
	sign(certificate: DtlsCertificate, scheme: number, data: Buffer): Buffer;
	/** False also for a certificate that cannot be read, and a key of another kind than the scheme's. */
	verify(certificateDer: Buffer, scheme: number, data: Buffer, signature: Buffer): boolean;
}

/** ECDSA and RSA with SHA-256, -384, -512, in order of preference; MD5 and SHA-1 prove nothing any more. */
export const SIGNATURE_SCHEMES: readonly number[] = [0x0403, 0x0503, 0x0603, 0x0401, 0x0501, 0x0601];
