export { familyOfAddress, familyOfOffer } from "./ip-family.ts";
export { suiteKeyBytes } from "./crypto.ts";
export type { CryptoSuite, LocalCrypto, NegotiatedCrypto, SuiteKey } from "./crypto.ts";
export { answerDirection, answerOffer, createOffer, readAnswer } from "./offer-answer.ts";
export type { AnswerOptions, AnswerResult, NegotiationResult } from "./offer-answer.ts";
export type {
	AudioCodec,
	Direction,
	LocalMedia,
	Negotiated,
	NegotiatedCodec,
	OpusParameters,
	SdpProblem,
	SdpProblemCode,
} from "./types.ts";
export type { DtlsRole, Fingerprint, LocalDtls, NegotiatedDtls } from "./dtls.ts";
export { ICE_RANDOM_BYTES, iceCredentials } from "./ice.ts";
export type { LocalIce, NegotiatedIce } from "./ice.ts";
