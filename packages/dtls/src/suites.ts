/** Names as in `a=crypto`, by their numbers in use_srtp (RFC 5764 §4.1.2, RFC 7714 §14.2). */
const PROFILES = {
	AES_CM_128_HMAC_SHA1_80: { number: 0x0001, keyBytes: 16, saltBytes: 14 },
	AEAD_AES_128_GCM: { number: 0x0007, keyBytes: 16, saltBytes: 12 },
	AEAD_AES_256_GCM: { number: 0x0008, keyBytes: 32, saltBytes: 12 },
} as const;

export type DtlsSrtpSuite = keyof typeof PROFILES;

/** In order of preference. */
export const DTLS_SRTP_SUITES: readonly DtlsSrtpSuite[] = ["AEAD_AES_128_GCM", "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"];

export interface MasterKey {
	key: Buffer;
	salt: Buffer;
}

/** RFC 5764 §4.2: one master key and salt for each direction. */
export interface DtlsSrtpKeys {
	suite: DtlsSrtpSuite;
	/** of what we send */
	local: MasterKey;
	/** of what the peer sends */
	remote: MasterKey;
}

export function profileOf(suite: DtlsSrtpSuite): { number: number; keyBytes: number; saltBytes: number } {
	return PROFILES[suite];
}

export function suiteOf(number: number | undefined): DtlsSrtpSuite | undefined {
	return DTLS_SRTP_SUITES.find((suite) => PROFILES[suite].number === number);
}
