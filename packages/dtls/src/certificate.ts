import { CipherContext, HashAlgorithm, NamedCurveAlgorithm, RTCCertificate, SignatureAlgorithm } from "werift";

/** Self-signed, as DTLS-SRTP has them (RFC 5763 §5): what counts is its fingerprint in the SDP. */
export interface DtlsCertificate {
	/** SHA-256, as `a=fingerprint` writes it (RFC 8122 §5) */
	readonly fingerprint: string;
	readonly certificate: RTCCertificate;
}

let shared: Promise<DtlsCertificate> | undefined;

/** The one certificate of this process (or worker thread): one for each call would cost a key pair each. */
export function processCertificate(): Promise<DtlsCertificate> {
	shared ??= newCertificate();
	return shared;
}

/** Another one, with its own key: ECDSA on P-256. */
export async function newCertificate(): Promise<DtlsCertificate> {
	const { certPem, keyPem, signatureHash } = await CipherContext.createSelfSignedCertificateWithKey(
		{ signature: SignatureAlgorithm.ecdsa_3, hash: HashAlgorithm.sha256_4 },
		NamedCurveAlgorithm.secp256r1_23,
	);
	const certificate = new RTCCertificate(keyPem, certPem, signatureHash);
	const [fingerprint] = certificate.getFingerprints();
	if (fingerprint === undefined) throw new Error("a certificate has no fingerprint");
	return { fingerprint: fingerprint.value.toUpperCase(), certificate };
}
