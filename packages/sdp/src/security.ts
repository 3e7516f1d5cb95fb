import { answeredCrypto, chooseCrypto, type CryptoAttribute, type LocalCrypto, type NegotiatedCrypto } from "./crypto.ts";
import type { MediaSection } from "./session.ts";
import { problem, type SdpProblem } from "./types.ts";

/** How one audio section would be carried. */
export interface Security {
	/** unset: in the clear */
	srtp?: NegotiatedCrypto;
	/** ours, for the answer */
	cryptos: readonly CryptoAttribute[];
}

export type SecurityResult = { ok: true; security: Security } | SdpProblem;

const IN_THE_CLEAR: SecurityResult = { ok: true, security: { cryptos: [] } };

/** Whether an offered section can be answered, and how. */
export function securityOfOffer(section: MediaSection, local: LocalCrypto | undefined): SecurityResult {
	const secure = isSecure(section.protocol);
	if (!secure && section.protocol !== "RTP/AVP") return unsupported(section);
	if (local === undefined)
		return secure
			? problem("unsupported-transport", "encrypted audio (SRTP) is offered only, and encryption is disabled here")
			: IN_THE_CLEAR;
	// RTP/AVP with a=crypto: "encrypt if you can", which telephones do although RFC 4568 §4 has it for RTP/SAVP only.
	const choice = chooseCrypto(section.cryptoLines, local);
	if (choice.ok) {
		const { suite, send } = choice.srtp;
		return { ok: true, security: { srtp: choice.srtp, cryptos: [{ tag: choice.tag, suite, key: send }] } };
	}
	if (secure) return problem("no-crypto", `encrypted audio (SRTP) is offered, but ${choice.reason}`);
	// Never in the clear where encryption is required.
	return local.required ? problem("no-crypto", `encrypted audio (SRTP) is required, but ${choice.reason}`) : IN_THE_CLEAR;
}

/** How the audio is carried after this answer to an offer of ours. */
export function securityOfAnswer(section: MediaSection, local: LocalCrypto | undefined): SecurityResult {
	const secure = isSecure(section.protocol);
	if (!secure && section.protocol !== "RTP/AVP") return unsupported(section);
	if (local === undefined)
		return secure ? problem("unsupported-transport", "the answer wants encrypted audio (SRTP), which was not offered") : IN_THE_CLEAR;
	const choice = answeredCrypto(section.cryptoLines, local);
	if (choice.ok) return { ok: true, security: { srtp: choice.srtp, cryptos: [] } };
	// An answer of another transport than the offer's is against RFC 3264 §6; telephones without SRTP do it, and it is allowed where audio in the clear is.
	if (!secure && section.cryptoLines.length === 0 && !local.required) return IN_THE_CLEAR;
	return problem(
		"no-crypto",
		`encrypted audio (SRTP) ${local.required ? "is required" : "was offered"}, but in the answer ${choice.reason}`,
	);
}

/** SRTP, with feedback (RFC 5124) or without; not DTLS-SRTP. */
function isSecure(protocol: string): boolean {
	return protocol === "RTP/SAVP" || protocol === "RTP/SAVPF";
}

function unsupported(section: MediaSection): SdpProblem {
	// the peer's own word is not repeated in a log without a limit
	return problem("unsupported-transport", `audio over ${section.protocol.slice(0, 32)} is not supported, only RTP/AVP and RTP/SAVP`);
}
