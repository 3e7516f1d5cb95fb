import type { CallMedia, MediaConfig, MediaEncryption } from "@trunkline/contracts";
import { type CryptoSuite, type LocalMedia, type Negotiated, type SuiteKey, suiteKeyBytes } from "@trunkline/sdp";
import { HandshakeTerms, type Keying } from "./handshake-terms.ts";
import type { MediaStats, PhoneCodec, RoomCodec } from "./ports.ts";

type Terms = Pick<LocalMedia, "codecs" | "crypto" | "dtls" | "ice">;

/** What was agreed, as the call's record keeps it. */
export type AgreedMedia = Omit<CallMedia, "packets" | "quality">;

export interface TermsInput {
	encryption: MediaEncryption;
	media?: MediaConfig | undefined;
	/** of encrypted offers; unset = SDES */
	keying?: Keying | undefined;
	/** TLS to the next hop; unset = no */
	secureSignalling?: boolean;
}

/** In our offers, strongest first among those that every telephone has; the ones after them are for peers that insist. */
const SUITES: readonly CryptoSuite[] = [
	"AES_CM_128_HMAC_SHA1_80",
	"AES_256_CM_HMAC_SHA1_80",
	"AEAD_AES_128_GCM",
	"AEAD_AES_256_GCM",
	"AES_CM_128_HMAC_SHA1_32",
	"AES_256_CM_HMAC_SHA1_32",
];

/** Straight through to rooms that take G.711; G.722 and Opus are for trunks that ask for them. */
const DEFAULT_CODECS: readonly PhoneCodec[] = ["PCMU", "PCMA"];
const RATES: Readonly<Record<PhoneCodec, readonly number[]>> = {
	PCMU: [8_000],
	PCMA: [8_000],
	// RFC 3551 §4.5.2: 8000 is an old mistake; trunks may say the true rate
	G722: [8_000, 16_000],
	// RFC 7587 §4.1: the clock, whatever the bandwidth
	opus: [48_000],
};

/**
 * What a call's trunk says about its audio, encryption and codecs, and the keys of our side. Every offer and answer of the call is made from it, so that
 * none can say less than the trunk wants, nor, once the call is encrypted, take that back.
 */
export class MediaTerms {
	readonly #random: (length: number) => Uint8Array;
	readonly #onAgreed: (agreed: AgreedMedia) => void;
	readonly handshake: HandshakeTerms;
	#keying: Keying = "sdes";
	#encryption: MediaEncryption = "DISABLE";
	#media: MediaConfig | undefined;
	#secureSignalling = false;
	#keys: readonly SuiteKey[] | undefined;
	/** the peer's key; "none" = agreed upon audio in the clear, "dtls" = it comes of a handshake */
	#peerKey: Uint8Array | "none" | "dtls" | undefined;
	/** of the latest handshake */
	#dtlsSuite: string | undefined;
	#told: AgreedMedia | undefined;

	constructor(random: (length: number) => Uint8Array, onAgreed: (agreed: AgreedMedia) => void = () => {}) {
		this.#random = random;
		this.#onAgreed = onAgreed;
		this.handshake = new HandshakeTerms(random);
	}

	/** Before the first offer or answer. */
	set({ encryption, media, keying = "sdes", secureSignalling = false }: TermsInput): void {
		this.#keying = keying;
		this.#encryption = encryption;
		this.#secureSignalling = secureSignalling;
		this.#media = media;
	}

	/** In order of preference; empty when the trunk allows only ones that we do not have. */
	get codecs(): readonly PhoneCodec[] {
		const listed = [...new Set((this.#media?.codecs ?? []).flatMap(phoneCodec))];
		return this.#media?.onlyListedCodecs === true ? listed : [...listed, ...DEFAULT_CODECS.filter((codec) => !listed.includes(codec))];
	}

	/** What the call should be to the room: the telephone's own codec, whose packets then go through untouched, or Opus where it has wide-band speech. */
	publishCodecs(codec: PhoneCodec | undefined = this.codecs[0]): readonly RoomCodec[] {
		if (codec === "G722" || codec === "opus") return ["opus", "PCMU", "PCMA"];
		return codec === "PCMA" ? ["PCMA", "PCMU", "opus"] : ["PCMU", "PCMA", "opus"];
	}

	/** A trunk that lists codecs has an order of its own; otherwise the offer's counts. */
	get prefer(): "offer" | "local" {
		return (this.#media?.codecs.length ?? 0) > 0 ? "local" : "offer";
	}

	get offer(): Terms {
		const { sdes, dtls, ice } = this.handshake.offers(this.#keying);
		const offered: Terms = { codecs: this.codecs, ...(ice && this.handshake.ice()) };
		// What is in the clear already is offered again as it is: a telephone that had no keys would refuse a change of the call for them.
		if (this.#encryption === "DISABLE" || this.#peerKey === "none") return offered;
		return { ...offered, ...(sdes && this.#sdes()), ...(dtls && this.handshake.dtls(this.#required)) };
	}

	get answer(): Terms {
		const answered: Terms = { codecs: this.codecs, ...this.handshake.ice() };
		return this.#encryption === "DISABLE" ? answered : { ...answered, ...this.#sdes(), ...this.handshake.dtls(this.#required) };
	}

	/** What is encrypted stays so. */
	get #required(): boolean {
		return this.#encryption === "REQUIRE" || (this.#peerKey !== undefined && this.#peerKey !== "none");
	}

	#sdes(): Pick<LocalMedia, "crypto"> {
		this.#keys ??= SUITES.map((suite) => ({ suite, key: this.#random(suiteKeyBytes(suite)) }));
		return { crypto: { required: this.#required, keys: this.#keys } };
	}

	/**
	 * What the peer's offer would come to. A new key of the peer's gets a new one of ours (RFC 4568 §7.1.4 lets both change), so that both sides begin
	 * with fresh contexts; with the same key both go on, rollover counters and all.
	 */
	meet(offered: Negotiated): void {
		this.handshake.meet(offered);
		const key = offered.srtp?.receive;
		if (key === undefined || this.#peerKey === undefined || typeof this.#peerKey === "string" || sameKey(key, this.#peerKey)) return;
		this.#keys = undefined;
	}

	agreed(negotiated: Negotiated): void {
		const { codec, srtp, dtls } = negotiated;
		this.handshake.agreed(negotiated);
		this.#peerKey = srtp?.receive ?? (dtls === undefined ? "none" : "dtls");
		const name = dtls === undefined ? srtp?.suite : ["DTLS-SRTP", this.#dtlsSuite].filter((part) => part !== undefined).join(" ");
		if (this.#told?.codec === codec.name && this.#told.srtp === name) return;
		// RFC 4568 §8.3: the keys are as safe as what carries them
		const keysInTheClear = srtp !== undefined && !this.#secureSignalling;
		this.#tell({ codec: codec.name, ...(name !== undefined && { srtp: name }), ...(keysInTheClear && { keysInTheClear }) });
	}

	/** The handshake is over. */
	secured(suite: string): void {
		this.#dtlsSuite = suite;
		const srtp = `DTLS-SRTP ${suite}`;
		if (this.#peerKey === "dtls" && this.#told !== undefined && this.#told.srtp !== srtp) this.#tell({ ...this.#told, srtp });
	}

	#tell(agreed: AgreedMedia): void {
		this.#told = agreed;
		this.#onAgreed(agreed);
	}

	/** For the record of a call; undefined = nothing was ever agreed. */
	summary(stats: MediaStats): CallMedia | undefined {
		const { packetsReceived: received, packetsSent: sent, packetsLost: lost, packetsRefused: refused, srtpErrors, quality } = stats;
		return this.#told && { ...this.#told, packets: { received, sent, lost, refused, srtpErrors }, ...(quality && { quality }) };
	}
}

/** Rate 0 = any. */
function phoneCodec({ name, rate }: { name: string; rate: number }): PhoneCodec[] {
	const codec = (Object.keys(RATES) as PhoneCodec[]).find((each) => each.toUpperCase() === name.toUpperCase());
	return codec !== undefined && (rate === 0 || RATES[codec].includes(rate)) ? [codec] : [];
}

function sameKey(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
