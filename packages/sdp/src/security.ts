import { answeredCrypto, chooseCrypto, type CryptoAttribute, type LocalCrypto, type NegotiatedCrypto } from "./crypto.ts";
import { dtlsLines, dtlsOfAnswer, dtlsOfOffer, type LocalDtls, type NegotiatedDtls } from "./dtls.ts";
import type { MediaSection } from "./session.ts";
import { problem, type SdpProblem } from "./types.ts";

/** How one audio section would be carried: in the clear when neither is there. */
export interface Security {
	srtp?: NegotiatedCrypto;
	dtls?: NegotiatedDtls;
	/** ours, for the answer */
	cryptos: readonly CryptoAttribute[];
	dtlsLines?: readonly string[];
}

/** What we have for it. */
export interface LocalSecurity {
	crypto?: LocalCrypto;
	dtls?: LocalDtls;
}

export type SecurityResult = { ok: true; security: Security } | SdpProblem;

const IN_THE_CLEAR: SecurityResult = { ok: true, security: { cryptos: [] } };

/** Whether an offered section can be answered, and how. */
export function securityOfOffer(section: MediaSection, local: LocalSecurity): SecurityResult {
	const kind = kindOf(section.protocol);
	if (kind === undefined) return unsupported(section);
	if (local.crypto === undefined && local.dtls === undefined)
		return kind === "clear"
			? IN_THE_CLEAR
			: problem("unsupported-transport", `${nameOf(kind)} is offered only, and encryption is disabled here`);
	if (kind === "dtls" && local.dtls === undefined)
		return problem("unsupported-transport", `${nameOf(kind)} is offered only, and here are keys in the SDP only`);
	// RTP/AVP with a=crypto or a=fingerprint: "encrypt if you can" (RFC 8643), which telephones did long before it was written down.
	const sdes = kind === "dtls" ? undefined : sdesOfOffer(section, local);
	if (sdes?.ok === true) return sdes;
	const dtls = dtlsSecurityOfOffer(section, local);
	if (dtls?.ok === true) return dtls;
	const reason = (section.dtls === undefined && kind !== "dtls" ? sdes : dtls)?.reason ?? "it is not what the trunk has";
	if (kind !== "clear") return problem("no-crypto", `${nameOf(kind)} is offered, but ${reason}`);
	// Never in the clear where encryption is required.
	return isRequired(local) ? problem("no-crypto", `encrypted audio (SRTP) is required, but ${reason}`) : IN_THE_CLEAR;
}

/** How the audio is carried after this answer to an offer of ours. */
export function securityOfAnswer(section: MediaSection, local: LocalSecurity): SecurityResult {
	const kind = kindOf(section.protocol);
	if (kind === undefined) return unsupported(section);
	const { crypto, dtls } = local;
	if (crypto === undefined && dtls === undefined)
		return kind === "clear" ? IN_THE_CLEAR : problem("unsupported-transport", `the answer wants ${nameOf(kind)}, which was not offered`);
	const attempt = attemptOfAnswer(section, kind, local);
	if (attempt.ok) return attempt;
	const says = section.cryptoLines.length > 0 || section.dtls !== undefined;
	// An answer of another transport than the offer's is against RFC 3264 §6; telephones without SRTP do it, and it is allowed where audio in the clear is.
	if (kind === "clear" && !says && !isRequired(local)) return IN_THE_CLEAR;
	return problem(
		"no-crypto",
		`encrypted audio (SRTP) ${isRequired(local) ? "is required" : "was offered"}, but in the answer ${attempt.reason}`,
	);
}

/** RFC 5764 §8, RFC 4568, RFC 3551: with feedback (RFC 5124) or without */
type Kind = "clear" | "sdes" | "dtls";
const KINDS: ReadonlyMap<string, Kind> = new Map([
	["RTP/AVP", "clear"],
	["RTP/SAVP", "sdes"],
	["RTP/SAVPF", "sdes"],
	["UDP/TLS/RTP/SAVP", "dtls"],
	["UDP/TLS/RTP/SAVPF", "dtls"],
]);

type Attempt = { ok: true; security: Security } | { ok: false; reason: string };

function sdesOfOffer(section: MediaSection, { crypto }: LocalSecurity): Attempt | undefined {
	if (crypto === undefined) return undefined;
	const choice = chooseCrypto(section.cryptoLines, crypto);
	if (!choice.ok) return choice;
	const { suite, send } = choice.srtp;
	return { ok: true, security: { srtp: choice.srtp, cryptos: [{ tag: choice.tag, suite, key: send }] } };
}

function attemptOfAnswer(section: MediaSection, kind: Kind, { crypto, dtls }: LocalSecurity): Attempt {
	const sdes = kind === "dtls" ? undefined : crypto && answeredCrypto(section.cryptoLines, crypto);
	if (sdes?.ok === true) return { ok: true, security: { srtp: sdes.srtp, cryptos: [] } };
	const handshake = dtls && dtlsOfAnswer(section.dtls, dtls);
	if (handshake?.ok === true) return { ok: true, security: { dtls: handshake.dtls, cryptos: [] } };
	const [first, second] = section.dtls === undefined ? [sdes, handshake] : [handshake, sdes];
	return { ok: false, reason: (first ?? second)?.reason ?? "the keys come in another way than was offered" };
}

function dtlsSecurityOfOffer(section: MediaSection, { dtls }: LocalSecurity): Attempt | undefined {
	if (dtls === undefined) return undefined;
	const choice = dtlsOfOffer(section.dtls, dtls);
	if (!choice.ok) return choice;
	return { ok: true, security: { dtls: choice.dtls, cryptos: [], dtlsLines: dtlsLines(dtls, choice.dtls.role) } };
}

function isRequired({ crypto, dtls }: LocalSecurity): boolean {
	return crypto?.required === true || dtls?.required === true;
}

function kindOf(protocol: string): Kind | undefined {
	return KINDS.get(protocol);
}

function nameOf(kind: Kind): string {
	return kind === "dtls" ? "encrypted audio (DTLS-SRTP)" : "encrypted audio (SRTP)";
}

function unsupported(section: MediaSection): SdpProblem {
	// the peer's own word is not repeated in a log without a limit
	const name = section.protocol.slice(0, 32);
	return problem("unsupported-transport", `audio over ${name} is not supported, only RTP/AVP, RTP/SAVP and UDP/TLS/RTP/SAVP`);
}
