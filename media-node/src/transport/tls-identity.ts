import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";

/**
 * Whether a certificate is that of the SIP domain or host we wanted (RFC 5922 §7.1, §7.2): a subjectAltName URI `sip:name`, or a dNSName
 * (iPAddress where an address was dialled). As everywhere, `*.example.com` stands for one label: §7.2 forbids it, but large carriers have such
 * certificates. Gives the error that the handshake fails with.
 */
export function checkSipIdentity(name: string, certificate: PeerCertificate): Error | undefined {
	if (isIP(name) === 0 && sipDomains(certificate.subjectaltname).includes(name.toLowerCase())) return undefined;
	const error = checkServerIdentity(name, certificate);
	if (error === undefined) return undefined;
	const said = certificate.subjectaltname ?? `CN ${String(certificate.subject?.CN ?? "")}`;
	return new Error(`the certificate is not that of ${name}, but of ${said.slice(0, 200)}`);
}

/** RFC 5922 §7.1: a URI counts when its scheme is sip and it has no user part. */
function sipDomains(alternativeNames: string | undefined): string[] {
	// Node writes names that could be mistaken for the list's own syntax in quotes, as JSON.
	const uris = [...(alternativeNames ?? "").matchAll(/(?:^|, )URI:("(?:[^"\\]|\\.)*"|[^,]*)/g)].map(([, uri = ""]) =>
		uri.startsWith('"') ? String(JSON.parse(uri)) : uri,
	);
	return uris.flatMap((uri) => {
		const [, host] = /^sip:([A-Za-z0-9.-]+)$/i.exec(uri) ?? [];
		return host === undefined ? [] : [host.toLowerCase()];
	});
}
