import { createHash, generateKeyPair, type KeyObject, randomBytes, sign, X509Certificate } from "node:crypto";
import { promisify } from "node:util";

/** Self-signed, as DTLS-SRTP has them (RFC 5763 §5): what counts is its fingerprint in the SDP. */
export interface DtlsCertificate {
	/** SHA-256, as `a=fingerprint` writes it (RFC 8122 §5) */
	readonly fingerprint: string;
	readonly der: Buffer;
	/** ECDSA on P-256 or another curve of node:crypto, or RSA */
	readonly privateKey: KeyObject;
}

const DAY_MS = 86_400_000;
/** Nobody asks for dates where the fingerprint counts, but a certificate that has none, or has expired, is no certificate to some. */
const VALID_MS = 30 * DAY_MS;
/** A key that is lost is of use for so long. Associations that there are keep theirs. */
const KEPT_MS = DAY_MS;

let shared: { certificate: Promise<DtlsCertificate>; until: number } | undefined;

/** The one certificate of this process (or worker thread) for a day: one for each call would cost a key pair each. */
export function processCertificate(): Promise<DtlsCertificate> {
	const now = Date.now();
	if (shared === undefined || now > shared.until) shared = { certificate: newCertificate(), until: now + KEPT_MS };
	return shared.certificate;
}

/** Another one, with its own key: ECDSA on P-256. */
export async function newCertificate(): Promise<DtlsCertificate> {
	const { privateKey, publicKey } = await promisify(generateKeyPair)("ec", { namedCurve: "prime256v1" });
	const der = selfSigned(publicKey.export({ format: "der", type: "spki" }), Date.now(), (bytes) => sign("sha256", bytes, privateKey));
	return certificateOf(der, privateKey);
}

/** Of a certificate and key from elsewhere. Throws when that is no certificate, or the key is another's. */
export function certificateOf(der: Buffer, privateKey: KeyObject): DtlsCertificate {
	if (!new X509Certificate(der).checkPrivateKey(privateKey)) throw new Error("the private key is not the certificate's");
	return { fingerprint: fingerprintOf(der), der, privateKey };
}

function fingerprintOf(der: Buffer): string {
	const hex = createHash("sha256").update(der).digest("hex").toUpperCase();
	return hex.match(/../g)?.join(":") ?? "";
}

/** X.509 v1 … v3 without extensions (RFC 5280 §4.1), for an ECDSA key. */
function selfSigned(publicKey: Buffer, now: number, signed: (bytes: Buffer) => Buffer): Buffer {
	const ecdsaWithSha256 = sequence(tlv(0x06, Buffer.from("2a8648ce3d040302", "hex")));
	// commonName (2.5.4.3): the same for everybody tells nothing about anybody
	const name = sequence(tlv(0x31, sequence(tlv(0x06, Buffer.from("550403", "hex")), tlv(0x0c, Buffer.from("WebRTC")))));
	const serial = randomBytes(16);
	// RFC 5280 §4.1.2.2: positive, and not padded
	serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
	const validity = sequence(time(now - DAY_MS), time(now + VALID_MS));
	const toBeSigned = sequence(tlv(0x02, serial), ecdsaWithSha256, name, validity, name, publicKey);
	return sequence(toBeSigned, ecdsaWithSha256, tlv(0x03, Buffer.from([0]), signed(toBeSigned)));
}

const sequence = (...parts: readonly Buffer[]): Buffer => tlv(0x30, ...parts);

/** DER (X.690): tag, length, value */
function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
	const value = Buffer.concat(parts);
	const { length } = value;
	const header = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
	return Buffer.concat([Buffer.from(header), value]);
}

/** UTCTime (RFC 5280 §4.1.2.5.1): two digits of the year */
function time(at: number): Buffer {
	const digits = new Date(at).toISOString().replace(/[-:T]/g, "");
	return tlv(0x17, Buffer.from(`${digits.slice(2, 14)}Z`));
}
