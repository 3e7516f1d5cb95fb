/** Names as in `a=crypto` (RFC 4568 §6.2, RFC 6188 §6, RFC 7714 §14.2). */
export type SrtpSuite =
	| "AES_CM_128_HMAC_SHA1_80"
	| "AES_CM_128_HMAC_SHA1_32"
	| "AES_256_CM_HMAC_SHA1_80"
	| "AES_256_CM_HMAC_SHA1_32"
	| "AEAD_AES_128_GCM"
	| "AEAD_AES_256_GCM";

export interface SuiteParameters {
	readonly mode: "counter" | "gcm";
	readonly keyBytes: number;
	readonly saltBytes: number;
	readonly tagBytes: number;
	/** RFC 4568 §6.2.2: SRTCP keeps 80 bits where RTP has 32 */
	readonly rtcpTagBytes: number;
}

const counter = (keyBytes: number, tagBytes: number): SuiteParameters => ({
	mode: "counter",
	keyBytes,
	saltBytes: 14,
	tagBytes,
	rtcpTagBytes: 10,
});
const gcm = (keyBytes: number): SuiteParameters => ({ mode: "gcm", keyBytes, saltBytes: 12, tagBytes: 16, rtcpTagBytes: 16 });

export const SRTP_SUITES: Readonly<Record<SrtpSuite, SuiteParameters>> = {
	AES_CM_128_HMAC_SHA1_80: counter(16, 10),
	AES_CM_128_HMAC_SHA1_32: counter(16, 4),
	AES_256_CM_HMAC_SHA1_80: counter(32, 10),
	AES_256_CM_HMAC_SHA1_32: counter(32, 4),
	AEAD_AES_128_GCM: gcm(16),
	AEAD_AES_256_GCM: gcm(32),
};

/** Room to leave behind a packet that is to be protected, whatever the suite: the tag, and SRTCP's index. */
export const MAX_OVERHEAD_BYTES = 20;

export function isSrtpSuite(name: string): name is SrtpSuite {
	return Object.hasOwn(SRTP_SUITES, name);
}

/** Length of the master key and the master salt together, as they stand in `a=crypto`. */
export function masterKeyBytes(suite: SrtpSuite): number {
	return SRTP_SUITES[suite].keyBytes + SRTP_SUITES[suite].saltBytes;
}
