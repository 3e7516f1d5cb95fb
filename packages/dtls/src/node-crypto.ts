import {
	createCipheriv,
	createDecipheriv,
	createECDH,
	createHash,
	createPublicKey,
	createSecretKey,
	diffieHellman,
	generateKeyPairSync,
	hash,
	type KeyObject,
	randomBytes,
	sign,
	verify,
	X509Certificate,
} from "node:crypto";
import { type Aead, type DtlsCrypto, type Group, type KeyExchange, SECP256R1, SIGNATURE_SCHEMES, X25519 } from "./crypto.ts";

const HASHES: ReadonlyMap<number, string> = new Map([
	[4, "sha256"],
	[5, "sha384"],
	[6, "sha512"],
]);
/** SignatureAlgorithm (RFC 5246 §7.4.1.4.1) */
const KINDS: ReadonlyMap<number, string> = new Map([
	[1, "rsa"],
	[3, "ec"],
]);
const TAG_BYTES = 16;
const SECP256R1_BYTES = 65;
const UNCOMPRESSED = 4;
/** SubjectPublicKeyInfo of X25519 up to the key (RFC 8410 §4) */
const X25519_PREFIX = Buffer.from("302a300506032b656e032100", "hex");
const X25519_BYTES = 32;
/** A server's certificate comes with each of its connections: reading one costs more than checking a signature. */
const KEPT_KEYS = 64;
const keptKeys = new Map<string, KeyObject>();

/** node:crypto behind the primitives. */
export const nodeCrypto: DtlsCrypto = {
	random: (length) => randomBytes(length),
	keyExchange: (group: Group) => (group === X25519 ? x25519() : secp256r1()),
	hash: sha256,
	hmac,
	aead,
	schemesOf: ({ privateKey }) => SIGNATURE_SCHEMES.filter((scheme) => KINDS.get(scheme & 0xff) === privateKey.asymmetricKeyType),
	sign: ({ privateKey }, scheme, data) => sign(HASHES.get(scheme >> 8) ?? "sha256", data, privateKey),
	verify(certificateDer, scheme, data, signature) {
		const digest = HASHES.get(scheme >> 8);
		if (digest === undefined) return false;
		try {
			const key = publicKeyOf(certificateDer);
			return KINDS.get(scheme & 0xff) === key.asymmetricKeyType && verify(digest, data, key, signature);
		} catch {
			// a certificate that cannot be read, or a key that cannot sign like this
			return false;
		}
	},
};

function publicKeyOf(certificateDer: Buffer): KeyObject {
	const name = createHash("sha256").update(certificateDer).digest("base64");
	const known = keptKeys.get(name);
	if (known !== undefined) return known;
	const key = new X509Certificate(certificateDer).publicKey;
	const [oldest] = keptKeys.keys();
	if (keptKeys.size >= KEPT_KEYS && oldest !== undefined) keptKeys.delete(oldest);
	keptKeys.set(name, key);
	return key;
}

function sha256(data: Buffer): Buffer {
	return hash("sha256", data, "buffer");
}

const BLOCK_BYTES = 64;

/**
 * RFC 2104 out of hashes: a key that is used a few times, as those of a handshake, costs more to set up in node:crypto (32 µs) than all that is done with it
 * (5 µs each).
 */
function hmac(key: Buffer): (data: Buffer) => Buffer {
	const padded = Buffer.alloc(BLOCK_BYTES);
	padded.set(key.length > BLOCK_BYTES ? sha256(key) : key);
	const inner = padded.map((byte) => byte ^ 0x36);
	const outer = padded.map((byte) => byte ^ 0x5c);
	return (data) => sha256(Buffer.concat([outer, sha256(Buffer.concat([inner, data]))]));
}

function secp256r1(): KeyExchange {
	const own = createECDH("prime256v1");
	const publicKey = own.generateKeys();
	return {
		...{ group: SECP256R1, publicKey },
		agree(peer) {
			// RFC 8422 §5.1.2: uncompressed alone; OpenSSL would take the other forms, too
			if (peer.length !== SECP256R1_BYTES || peer[0] !== UNCOMPRESSED) return undefined;
			try {
				return own.computeSecret(peer);
			} catch {
				// no point of the curve
				return undefined;
			}
		},
	};
}

function x25519(): KeyExchange {
	const { privateKey, publicKey } = generateKeyPairSync("x25519");
	return {
		...{ group: X25519, publicKey: publicKey.export({ format: "der", type: "spki" }).subarray(X25519_PREFIX.length) },
		agree(peer) {
			if (peer.length !== X25519_BYTES) return undefined;
			try {
				const key = createPublicKey({ key: Buffer.concat([X25519_PREFIX, peer]), format: "der", type: "spki" });
				// RFC 7748 §6.1: OpenSSL refuses points of small order, which give zeros
				return diffieHellman({ privateKey, publicKey: key });
			} catch {
				return undefined;
			}
		},
	};
}

/** With a key object: bytes would be set up anew for each record. */
function aead(key: Buffer): Aead {
	const secret = createSecretKey(key);
	return {
		seal(nonce, additional, plain) {
			const cipher = createCipheriv("aes-128-gcm", secret, nonce);
			cipher.setAAD(additional);
			const sealed = cipher.update(plain);
			cipher.final();
			return Buffer.concat([sealed, cipher.getAuthTag()]);
		},
		open(nonce, additional, sealed) {
			if (sealed.length < TAG_BYTES) return undefined;
			const decipher = createDecipheriv("aes-128-gcm", secret, nonce, { authTagLength: TAG_BYTES });
			decipher.setAAD(additional);
			decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
			const plain = decipher.update(sealed.subarray(0, sealed.length - TAG_BYTES));
			try {
				decipher.final();
			} catch {
				return undefined;
			}
			return plain;
		},
	};
}
