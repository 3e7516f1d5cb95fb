import type { LocalCrypto, NegotiatedCrypto } from "./crypto.ts";
import type { LocalDtls, NegotiatedDtls } from "./dtls.ts";
import type { LocalIce, NegotiatedIce } from "./ice.ts";

/**
 * G722: its RTP clock is written and counted as 8000, although it has 16 000 samples a second (RFC 3551 §4.5.2). opus: always "opus/48000/2",
 * whatever is in it (RFC 7587 §7).
 */
export type AudioCodec = "PCMU" | "PCMA" | "G722" | "opus";

/** What a receiver of Opus says that it would like (RFC 7587 §6.1); the defaults are the RFC's. */
export interface OpusParameters {
	/** highest sample rate that is worth sending, Hz; default 48000 */
	maxPlaybackRate: number;
	/** bit/s; unset = any */
	maxAverageBitrate?: number;
	/** in-band error correction is of use; default false */
	useInbandFec: boolean;
	/** silence need not be sent; default false */
	useDtx: boolean;
	/** default false: a receiver must take stereo, and would rather have mono */
	stereo: boolean;
	/** constant bit rate: the length of packets shall not tell what is said; default false */
	cbr: boolean;
}

/** From the point of view of whoever holds it: `sendonly` = we send, the peer does not. */
export type Direction = "sendrecv" | "sendonly" | "recvonly" | "inactive";

/** What one side brings to an offer or an answer. */
export interface LocalMedia {
	/** IP literal that the peer sends RTP to, IPv6 without brackets */
	address: string;
	port: number;
	/** in order of preference; at least one */
	codecs: readonly AudioCodec[];
	/** of audio per packet, default 20 */
	ptimeMs?: number;
	/** o= line (RFC 4566 §5.2): the same in every description of one session */
	sessionId: string | number;
	/** o= line: one more with each changed description (RFC 3264 §8) */
	sessionVersion: number;
	/** default sendrecv */
	direction?: Direction;
	/** telephone-event (RFC 4733) is offered and accepted; default true */
	telephoneEvent?: boolean;
	/** RTCP on the port of RTP (RFC 5761): written into an offer, taken up in an answer to an offer that has it; default false */
	rtcpMux?: boolean;
	/** what we would like to get of Opus; unset: in-band error correction, and the RFC's defaults */
	opus?: Partial<OpusParameters>;
	/** SRTP with keys in the SDP (RFC 4568); unset: audio in the clear only */
	crypto?: LocalCrypto;
	/** SRTP with keys of a DTLS handshake (RFC 5763). An offer with both lets the peer choose. */
	dtls?: LocalDtls;
	/** ICE-lite: written into an offer, taken up in an answer to an offer that has ICE */
	ice?: LocalIce;
}

export interface NegotiatedCodec<Name extends string> {
	name: Name;
	/** of what we send */
	payloadType: number;
	/** of what we receive; differs only when an answer numbers a codec otherwise than the offer (RFC 3264 §6.1) */
	receivePayloadType: number;
	clockRate: number;
}

/** What both sides agreed upon. */
export interface Negotiated {
	codec: NegotiatedCodec<AudioCodec>;
	/** what the peer would like to get, when the codec is opus */
	opus?: OpusParameters;
	/** unset: digits cannot be sent as telephone-event */
	telephoneEvent?: NegotiatedCodec<"telephone-event">;
	/** where we send RTP; `onHold` tells when there is no place to send to */
	remote: { address: string; port: number };
	/** where we send RTCP: the port of RTP where both want that, what a=rtcp says (RFC 3605), or the port after RTP's (RFC 3550 §11) */
	rtcp: { mux: boolean; address: string; port: number /** VoIP metrics are asked for (RFC 3611 §5.1) */; voipMetrics?: true };
	/** ours: what we may send and receive */
	direction: Direction;
	/** the peer does not want to receive now: a direction without "recv", or the address 0.0.0.0 (RFC 3264 §8.4) */
	onHold: boolean;
	/** that the peer would like to receive, 10..60; 20 when it says nothing usable */
	ptimeMs: number;
	/** unset: audio in the clear, unless there is `dtls` */
	srtp?: NegotiatedCrypto;
	/** SRTP whose keys are still to come */
	dtls?: NegotiatedDtls;
	/** unset: media go to `remote` */
	ice?: NegotiatedIce;
}

export type SdpProblemCode =
	/** longer than 16 KB, too many lines or too many media sections */
	| "too-large"
	/** no SDP, or a line that is needed is missing or broken */
	| "malformed"
	/** no audio section, or the peer set its port to 0 */
	| "no-audio"
	/** audio is offered over a transport only that we do not have (RTP/AVPF), or that `LocalMedia` has nothing for (RTP/SAVP, UDP/TLS/RTP/SAVP) */
	| "unsupported-transport"
	/** encryption is required or offered, and there is no a=crypto and no a=fingerprint that we can use */
	| "no-crypto"
	/** none of our codecs among those of the peer */
	| "no-common-codec"
	/** no usable IP address, or one of a family that we do not have */
	| "no-address";

export interface SdpProblem {
	ok: false;
	code: SdpProblemCode;
	/** a sentence for a log or a Warning header; no addresses, no user data */
	reason: string;
}

export function problem(code: SdpProblemCode, reason: string): SdpProblem {
	return { ok: false, code, reason };
}
