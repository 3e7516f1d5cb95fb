import { createHash } from "node:crypto";

/** `a=fingerprint` (RFC 8122 §5). */
export interface Fingerprint {
	/** as SDP writes it: sha-256 */
	algorithm: string;
	/** hexadecimal with colons, of either case */
	value: string;
}

/** RFC 8122 §5 has older ones, too: what is broken proves nothing. */
const HASHES: ReadonlyMap<string, string> = new Map([
	["sha-256", "sha256"],
	["sha-384", "sha384"],
	["sha-512", "sha512"],
]);

export function isUsableHash(algorithm: string): boolean {
	return HASHES.has(algorithm.toLowerCase());
}

/** Whether one of the announced fingerprints is this certificate's (RFC 8122 §6.2); `der` = the certificate as it came in the handshake. */
export function isAnnounced(der: Uint8Array, fingerprints: readonly Fingerprint[]): boolean {
	return fingerprints.some(({ algorithm, value }) => {
		const hash = HASHES.get(algorithm.toLowerCase());
		return hash !== undefined && createHash(hash).update(der).digest("hex") === value.replaceAll(":", "").toLowerCase();
	});
}
