import { createHash, createHmac, timingSafeEqual, verify, X509Certificate } from "node:crypto";
import type { DtlsSocket } from "werift";
import { type Fingerprint, isAnnounced } from "./fingerprint.ts";

/** Handshake messages by their numbers (RFC 5246 §7.4). */
const CERTIFICATE = 11;
const SERVER_KEY_EXCHANGE = 12;
const CERTIFICATE_VERIFY = 15;
const CLIENT_KEY_EXCHANGE = 16;
export const FINISHED = 20;
/** RFC 6347 §4.2.4 counts flights: ServerHello to ServerHelloDone, and what the client has to say after it */
const SERVER_FLIGHT = 4;
const CLIENT_FLIGHT = 5;
const VERIFY_DATA_BYTES = 12;
/** HashAlgorithm (RFC 5246 §7.4.1.4.1); MD5 and SHA-1 prove nothing any more */
const HASHES: ReadonlyMap<number, string> = new Map([
	[4, "sha256"],
	[5, "sha384"],
	[6, "sha512"],
]);

/** One message as it stands in the transcript. */
interface Message {
	flight: number;
	type: number;
	/** without the handshake header */
	body: Buffer;
	/** with it */
	bytes: Buffer;
}

/**
 * What the DTLS library leaves out: it takes the certificate that the peer shows, and neither asks for proof that the peer has its key (CertificateVerify,
 * the signature of ServerKeyExchange) nor looks at what Finished says. A certificate is no secret; without these checks whoever sits on the path could show
 * the right one, whose fingerprint is in the SDP, and agree upon keys of his own. `finished`: body of the peer's Finished. Gives why the peer is not who the
 * SDP says, or undefined.
 */
export function whyNotAuthentic(
	dtls: DtlsSocket,
	role: "client" | "server",
	finished: Buffer | undefined,
	fingerprints: readonly Fingerprint[],
): string | undefined {
	const certificate = dtls.remoteCertificate;
	if (certificate === undefined) return "the peer has shown no certificate";
	if (!isAnnounced(certificate, fingerprints)) return "its certificate is not the one that the SDP announced";
	const before = transcriptBeforeFinished(dtls, role);
	// The library takes a repeated message for the keys, but not into the transcript: both must speak of the same.
	if (!isSame(certificate, firstCertificate(bodyOf(before, role, CERTIFICATE)))) return "it has shown two certificates";
	const proof = role === "server" ? whyNotClient(dtls, before, certificate) : whyNotServer(dtls, before, certificate);
	if (proof !== undefined) return proof;
	const label = role === "server" ? "client finished" : "server finished";
	const expected = verifyData(dtls.cipher.masterSecret, label, before);
	if (finished?.length !== VERIFY_DATA_BYTES || !timingSafeEqual(finished, expected)) return "its Finished does not fit the handshake";
	return undefined;
}

/** RFC 5246 §7.4.8: the client signs all messages so far. */
function whyNotClient(dtls: DtlsSocket, before: readonly Message[], certificate: Buffer): string | undefined {
	const at = before.findIndex(({ type }) => type === CERTIFICATE_VERIFY);
	const proof = before[at]?.body;
	if (proof === undefined) return "it has not proven that the certificate is its own";
	const key = bodyOf(before, "server", CLIENT_KEY_EXCHANGE)?.subarray(1);
	if (key === undefined || !isSame(key, dtls.cipher.remoteKeyPair.publicKey)) return "it has sent two keys";
	const signed = Buffer.concat(before.slice(0, at).map(({ bytes }) => bytes));
	return isSigned(proof, signed, certificate) ? undefined : "its signature of the handshake is wrong";
}

/** RFC 8422 §5.4: the server signs both random values and its key. */
function whyNotServer(dtls: DtlsSocket, before: readonly Message[], certificate: Buffer): string | undefined {
	const body = bodyOf(before, "client", SERVER_KEY_EXCHANGE);
	const length = body?.[3];
	if (body === undefined || length === undefined) return "it has sent no key";
	const parameters = body.subarray(0, 4 + length);
	if (!isSame(parameters.subarray(4), dtls.cipher.remoteKeyPair.publicKey)) return "it has sent two keys";
	const signed = Buffer.concat([dtls.cipher.localRandom.serialize(), dtls.cipher.remoteRandom.serialize(), parameters]);
	return isSigned(body.subarray(4 + length), signed, certificate) ? undefined : "its signature of the key exchange is wrong";
}

/** DigitallySigned (RFC 5246 §4.7): hash, signature algorithm, length, signature. */
function isSigned(proof: Buffer, data: Buffer, certificate: Buffer): boolean {
	const hash = HASHES.get(proof[0] ?? 0);
	if (hash === undefined || proof.length < 4 || proof.readUInt16BE(2) !== proof.length - 4) return false;
	try {
		return verify(hash, data, new X509Certificate(certificate).publicKey, proof.subarray(4));
	} catch {
		// a certificate that cannot be read, or a key that cannot sign like this
		return false;
	}
}

function transcriptBeforeFinished(dtls: DtlsSocket, role: "client" | "server"): Message[] {
	const flights = Object.entries(dtls.dtls.handshakeCache).map(([flight, { data }]) => ({ flight: Number(flight), data }));
	return flights
		.filter(({ flight }) => role === "client" || flight <= CLIENT_FLIGHT)
		.sort((a, b) => a.flight - b.flight)
		.flatMap(({ flight, data }) => data.toSorted((a, b) => a.message_seq - b.message_seq).map((message) => ({ flight, message })))
		.filter(({ message }) => role === "client" || message.msg_type !== FINISHED)
		.map(({ flight, message }) => ({ flight, type: message.msg_type, body: message.fragment, bytes: message.serialize() }));
}

/** Of the peer's flight: both sides have a Certificate. */
function bodyOf(messages: readonly Message[], role: "client" | "server", type: number): Buffer | undefined {
	const flight = role === "server" ? CLIENT_FLIGHT : SERVER_FLIGHT;
	return messages.find((message) => message.flight === flight && message.type === type)?.body;
}

/** The first of the chain (RFC 5246 §7.4.2): two lengths of three bytes stand before it. */
function firstCertificate(body: Buffer | undefined): Buffer | undefined {
	return body === undefined || body.length < 6 ? undefined : body.subarray(6, 6 + body.readUIntBE(3, 3));
}

function isSame(a: Buffer, b: Buffer | undefined): boolean {
	return b !== undefined && a.equals(b);
}

/** RFC 5246 §7.4.9 */
function verifyData(masterSecret: Buffer, label: string, messages: readonly Message[]): Buffer {
	const hash = createHash("sha256");
	for (const { bytes } of messages) hash.update(bytes);
	const seed = Buffer.concat([Buffer.from(label), hash.digest()]);
	const hmac = (data: Buffer): Buffer => createHmac("sha256", masterSecret).update(data).digest();
	// RFC 5246 §5: P_SHA256, of which the first block is enough
	return hmac(Buffer.concat([hmac(seed), seed])).subarray(0, VERIFY_DATA_BYTES);
}
