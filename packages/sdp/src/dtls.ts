import { inherited } from "./attributes.ts";

/** Hash of a certificate (RFC 8122 §5). */
export interface Fingerprint {
	/** lower case, such as sha-256 */
	algorithm: string;
	/** upper-case hexadecimal with colons */
	value: string;
}

export type DtlsRole = "client" | "server";

/** DTLS-SRTP (RFC 5763) as one side would have it. */
export interface LocalDtls {
	/** true: no audio in the clear */
	required: boolean;
	/** SHA-256 of our certificate */
	fingerprint: string;
	/** ours in the association that there is; unset: there is none yet */
	role?: DtlsRole;
}

/** What both sides agreed upon; the keys come of the handshake. */
export interface NegotiatedDtls {
	/** ours: the client begins */
	role: DtlsRole;
	/** of the peer's certificate: one has to fit */
	fingerprints: readonly Fingerprint[];
	/** RFC 8842 §4: another one than before asks for another association */
	tlsId?: string;
}

/** As a section says it. */
export interface OfferedDtls {
	fingerprints: readonly Fingerprint[];
	/** RFC 4145 §4; undefined: it says none */
	setup: string | undefined;
	tlsId: string | undefined;
}

export type DtlsChoice = { ok: true; dtls: NegotiatedDtls } | { ok: false; reason: string };

/** Hexadecimal digits of the hashes that prove something; RFC 8122 §5 has weak ones, too. */
const HEX_DIGITS: ReadonlyMap<string, number> = new Map([
	["sha-256", 64],
	["sha-384", 96],
	["sha-512", 128],
]);
const MAX_FINGERPRINTS = 8;

/** Undefined: no a=fingerprint, so no DTLS. */
export function readDtls(section: readonly string[], session: readonly string[]): OfferedDtls | undefined {
	const lines = inherited(section, session, "fingerprint");
	if (lines.length === 0) return undefined;
	const [setup] = inherited(section, session, "setup");
	const [tlsId] = inherited(section, session, "tls-id");
	return { fingerprints: lines.slice(0, MAX_FINGERPRINTS).flatMap(fingerprint), setup: setup?.toLowerCase(), tlsId };
}

/**
 * Our role against an offer. RFC 5763 §5 recommends to be active where the offer leaves it open; we are passive there: behind NAT the peer's ClientHello is
 * what makes a way to it, and whoever writes another's address into an offer gets nothing sent there. A role that there is stays (RFC 8842 §5.3).
 */
export function dtlsOfOffer(offered: OfferedDtls | undefined, local: LocalDtls): DtlsChoice {
	// RFC 4145 §4: the default of an offer is active
	return choose(offered, offered?.setup ?? "active", { active: "server", passive: "client", actpass: local.role ?? "server" });
}

/** Our role after the answer to an offer of ours, which leaves it open. */
export function dtlsOfAnswer(answered: OfferedDtls | undefined, local: LocalDtls): DtlsChoice {
	// RFC 4145 §4: the default of an answer is passive. actpass is no answer (RFC 5763 §5), but nothing is open where there is a role.
	const roles = { active: "server", passive: "client", ...(local.role && { actpass: local.role }) } as const;
	return choose(answered, answered?.setup ?? "passive", roles);
}

function choose(offered: OfferedDtls | undefined, setup: string, roles: Readonly<Record<string, DtlsRole>>): DtlsChoice {
	if (offered === undefined) return { ok: false, reason: "there is no a=fingerprint line" };
	if (offered.fingerprints.length === 0)
		return { ok: false, reason: "a=fingerprint cannot be used: none has a hash that is known and strong" };
	const role = Object.hasOwn(roles, setup) ? roles[setup] : undefined;
	if (role === undefined) return { ok: false, reason: "a=setup leaves no role for us" };
	const { fingerprints, tlsId } = offered;
	return { ok: true, dtls: { role, fingerprints, ...(tlsId !== undefined && { tlsId }) } };
}

/** Our lines; in an offer the role is open (RFC 5763 §5, RFC 8842 §5.2). */
export function dtlsLines({ fingerprint: value }: LocalDtls, role: DtlsRole | undefined): string[] {
	const setup = role === undefined ? "actpass" : role === "client" ? "active" : "passive";
	return [`a=fingerprint:sha-256 ${value}`, `a=setup:${setup}`];
}

function fingerprint(line: string): Fingerprint[] {
	const [algorithm = "", value = "", ...more] = line.split(/[ \t]+/);
	const digits = HEX_DIGITS.get(algorithm.toLowerCase());
	if (digits === undefined || more.length > 0 || !/^[0-9a-f]{2}(:[0-9a-f]{2})*$/i.test(value)) return [];
	if (value.replaceAll(":", "").length !== digits) return [];
	return [{ algorithm: algorithm.toLowerCase(), value: value.toUpperCase() }];
}
