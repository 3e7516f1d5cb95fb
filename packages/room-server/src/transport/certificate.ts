import { type RTCCertificate, RTCDtlsTransport } from "werift";

let shared: Promise<RTCCertificate> | undefined;

/** The one DTLS certificate of this process: making one per connection would cost a key pair at every join. */
export function dtlsCertificate(): Promise<RTCCertificate> {
	shared ??= RTCDtlsTransport.SetupCertificate();
	return shared;
}

/** "sha-256" fingerprint as `a=fingerprint` writes it (RFC 8122 §5). */
export function fingerprintOf(certificate: RTCCertificate): string {
	const [fingerprint] = certificate.getFingerprints();
	if (fingerprint === undefined) throw new Error("a certificate has no fingerprint");
	return fingerprint.value;
}
