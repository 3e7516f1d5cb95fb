import type { TrunkSettings } from "@trunkline/contracts";
import { ICE_RANDOM_BYTES, iceCredentials, type LocalDtls, type LocalIce, type Negotiated, type NegotiatedIce } from "@trunkline/sdp";

/** How the keys of SRTP come to be, in our offers; in answers the peer's offer tells. */
export type Keying = NonNullable<NonNullable<TrunkSettings["srtp"]>["keying"]>;

/** Our side of DTLS-SRTP and ICE in a call's offers and answers. */
export class HandshakeTerms {
	readonly #random: (length: number) => Uint8Array;
	/** of our certificate, once there is a media session; unset: it has none */
	fingerprint: string | undefined;
	#ice: LocalIce | undefined;
	/** what was agreed last */
	#agreed: Negotiated | undefined;

	constructor(random: (length: number) => Uint8Array) {
		this.#random = random;
	}

	dtls(required: boolean): { dtls?: LocalDtls } {
		if (this.fingerprint === undefined) return {};
		const role = this.#agreed?.dtls?.role;
		return { dtls: { required, fingerprint: this.fingerprint, ...(role && { role }) } };
	}

	ice(): { ice: LocalIce } {
		this.#ice ??= iceCredentials(this.#random(ICE_RANDOM_BYTES));
		return { ice: this.#ice };
	}

	/** Of what is agreed, for an offer that is to change something else; else as the trunk wants it. */
	offers(keying: Keying): { sdes: boolean; dtls: boolean; ice: boolean } {
		const { srtp, dtls, ice } = this.#agreed ?? {};
		const wanted = srtp !== undefined ? "sdes" : dtls !== undefined ? "dtls" : keying;
		// Where the trunk wants DTLS and there is no certificate, no keys in the SDP take its place.
		return {
			sdes: wanted !== "dtls",
			dtls: wanted !== "sdes",
			ice: this.#agreed === undefined ? keying !== "sdes" : ice !== undefined,
		};
	}

	/** RFC 8839 §4.4.3: an ICE restart of the peer's asks for new credentials of ours. */
	meet({ ice }: Negotiated): void {
		const known = this.#agreed?.ice;
		if (known !== undefined && ice !== undefined && isRestart(known, ice)) this.#ice = undefined;
	}

	agreed(negotiated: Negotiated): void {
		this.#agreed = negotiated;
	}
}

function isRestart(known: NegotiatedIce, { remoteUfrag, remotePassword }: NegotiatedIce): boolean {
	return known.remoteUfrag !== remoteUfrag || known.remotePassword !== remotePassword;
}
