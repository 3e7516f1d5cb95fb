import { sameBytes, writeUint32, xorUint16, xorUint32 } from "./bytes.ts";
import { CounterMode, deriveSessionKey } from "./counter-mode.ts";
import type { SrtpCrypto } from "./crypto.ts";
import { SRTP_SUITES, type SrtpSuite } from "./suites.ts";

/** RFC 3711 §4.3.2 */
const LABEL = { rtp: { cipher: 0, auth: 1, salt: 2 }, rtcp: { cipher: 3, auth: 4, salt: 5 } } as const;
/** RFC 3711 §3.4: the E flag in front of the SRTCP index */
const ENCRYPTED = 0x8000_0000;
const AUTH_KEY_BYTES = 20;
/** RFC 3711 §3.4: the first header and the sender's SSRC are in the clear */
export const RTCP_CLEAR_BYTES = 8;
export const RTCP_INDEX_BYTES = 4;

export interface SessionKeys {
	cipher: Uint8Array;
	salt: Uint8Array;
	/** counter mode only */
	auth: Uint8Array;
}

/** Protection under one set of session keys, in place. Indices and replays are the caller's. */
export interface Transform {
	/** what a protected packet is longer than a plain one */
	readonly overhead: number;
	/** `length` = header and payload; the buffer has room behind them. */
	sealRtp(packet: Uint8Array, headerLength: number, length: number, ssrc: number, rollover: number, sequence: number): void;
	/** `packet` ends with its tag. False: forged; the packet is as it was. */
	openRtp(packet: Uint8Array, headerLength: number, ssrc: number, rollover: number, sequence: number): boolean;
	readonly rtcpOverhead: number;
	sealRtcp(packet: Uint8Array, length: number, ssrc: number, index: number): void;
	openRtcp(packet: Uint8Array, ssrc: number, index: number): boolean;
}

/** For a master key with its salt, as in `a=crypto`. Throws RangeError when it has not the suite's length: the caller has checked that. */
export function transformFor(crypto: SrtpCrypto, suite: SrtpSuite, master: Uint8Array): Transform {
	const { mode, keyBytes, saltBytes } = SRTP_SUITES[suite];
	if (master.length !== keyBytes + saltBytes)
		throw new RangeError(`${suite} has a key of ${keyBytes + saltBytes} bytes, not ${master.length}`);
	const aes = crypto.aesBlocks(master.subarray(0, keyBytes));
	const salt = master.subarray(keyBytes);
	const derive = (labels: (typeof LABEL)[keyof typeof LABEL]): SessionKeys => ({
		cipher: deriveSessionKey(aes, salt, labels.cipher, keyBytes),
		salt: deriveSessionKey(aes, salt, labels.salt, saltBytes),
		auth: mode === "gcm" ? new Uint8Array(0) : deriveSessionKey(aes, salt, labels.auth, AUTH_KEY_BYTES),
	});
	return transformWith(crypto, suite, derive(LABEL.rtp), derive(LABEL.rtcp));
}

/** For session keys that are known already. */
export function transformWith(crypto: SrtpCrypto, suite: SrtpSuite, rtp: SessionKeys, rtcp: SessionKeys): Transform {
	return SRTP_SUITES[suite].mode === "gcm" ? gcm(crypto, rtp, rtcp) : counterMode(crypto, suite, rtp, rtcp);
}

/** RFC 3711 §4.1.1 and §4.2; with 256-bit keys RFC 6188. */
function counterMode(crypto: SrtpCrypto, suite: SrtpSuite, rtp: SessionKeys, rtcp: SessionKeys): Transform {
	const { tagBytes, rtcpTagBytes } = SRTP_SUITES[suite];
	const cipher = new CounterMode(crypto.aesBlocks(rtp.cipher));
	const rtcpCipher = new CounterMode(crypto.aesBlocks(rtcp.cipher));
	const mac = crypto.hmacSha1(rtp.auth);
	const rtcpMac = crypto.hmacSha1(rtcp.auth);
	const iv = new Uint8Array(16);
	const rolloverBytes = new Uint8Array(4);
	const nothing = new Uint8Array(0);
	// RFC 3711 §4.1.1: IV = (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16)
	const setIv = (salt: Uint8Array, ssrc: number, high: number, low: number): void => {
		iv.fill(0);
		iv.set(salt);
		xorUint32(iv, 4, ssrc);
		xorUint32(iv, 8, high);
		xorUint16(iv, 12, low);
	};
	const tagOf = (packet: Uint8Array, length: number, rollover: number): Uint8Array => {
		writeUint32(rolloverBytes, 0, rollover);
		return mac(packet.subarray(0, length), rolloverBytes);
	};
	return {
		overhead: tagBytes,
		sealRtp(packet, headerLength, length, ssrc, rollover, sequence) {
			setIv(rtp.salt, ssrc, rollover, sequence);
			cipher.xor(iv, packet, headerLength, length);
			copyTag(tagOf(packet, length, rollover), packet, length, tagBytes);
		},
		openRtp(packet, headerLength, ssrc, rollover, sequence) {
			const length = packet.length - tagBytes;
			// RFC 3711 §3.3: the tag is checked before anything is decrypted
			if (!sameBytes(tagOf(packet, length, rollover), packet.subarray(length), tagBytes)) return false;
			setIv(rtp.salt, ssrc, rollover, sequence);
			cipher.xor(iv, packet, headerLength, length);
			return true;
		},
		rtcpOverhead: RTCP_INDEX_BYTES + rtcpTagBytes,
		sealRtcp(packet, length, ssrc, index) {
			setIv(rtcp.salt, ssrc, index >>> 16, index & 0xffff);
			rtcpCipher.xor(iv, packet, RTCP_CLEAR_BYTES, length);
			writeUint32(packet, length, (ENCRYPTED | index) >>> 0);
			const end = length + RTCP_INDEX_BYTES;
			copyTag(rtcpMac(packet.subarray(0, end), nothing), packet, end, rtcpTagBytes);
		},
		openRtcp(packet, ssrc, index) {
			const end = packet.length - rtcpTagBytes;
			if (!sameBytes(rtcpMac(packet.subarray(0, end), nothing), packet.subarray(end), rtcpTagBytes)) return false;
			setIv(rtcp.salt, ssrc, index >>> 16, index & 0xffff);
			rtcpCipher.xor(iv, packet, RTCP_CLEAR_BYTES, end - RTCP_INDEX_BYTES);
			return true;
		},
	};
}

const GCM_TAG_BYTES = 16;

/** RFC 7714 §8 and §9 */
function gcm(crypto: SrtpCrypto, rtp: SessionKeys, rtcp: SessionKeys): Transform {
	const cipher = crypto.aesGcm(rtp.cipher);
	const rtcpCipher = crypto.aesGcm(rtcp.cipher);
	const iv = new Uint8Array(12);
	const rtcpAssociated = new Uint8Array(RTCP_CLEAR_BYTES + RTCP_INDEX_BYTES);
	// RFC 7714 §8.1: (00 00 | SSRC | ROC | SEQ) XOR salt; §9.1: (00 00 | SSRC | 00 00 | 0 index) XOR salt
	const setIv = (salt: Uint8Array, ssrc: number): void => {
		iv.set(salt);
		xorUint32(iv, 2, ssrc);
	};
	const setRtpIv = (ssrc: number, rollover: number, sequence: number): void => {
		setIv(rtp.salt, ssrc);
		xorUint32(iv, 6, rollover);
		xorUint16(iv, 10, sequence);
	};
	// RFC 7714 §9.2: header, then E flag and index
	const setRtcp = (packet: Uint8Array, ssrc: number, index: number): void => {
		setIv(rtcp.salt, ssrc);
		xorUint32(iv, 8, index);
		rtcpAssociated.set(packet.subarray(0, RTCP_CLEAR_BYTES));
		writeUint32(rtcpAssociated, RTCP_CLEAR_BYTES, (ENCRYPTED | index) >>> 0);
	};
	return {
		overhead: GCM_TAG_BYTES,
		sealRtp(packet, headerLength, length, ssrc, rollover, sequence) {
			setRtpIv(ssrc, rollover, sequence);
			const tag = packet.subarray(length, length + GCM_TAG_BYTES);
			cipher.seal(iv, packet.subarray(0, headerLength), packet.subarray(headerLength, length), tag);
		},
		openRtp(packet, headerLength, ssrc, rollover, sequence) {
			setRtpIv(ssrc, rollover, sequence);
			const length = packet.length - GCM_TAG_BYTES;
			return cipher.open(iv, packet.subarray(0, headerLength), packet.subarray(headerLength, length), packet.subarray(length));
		},
		rtcpOverhead: GCM_TAG_BYTES + RTCP_INDEX_BYTES,
		sealRtcp(packet, length, ssrc, index) {
			setRtcp(packet, ssrc, index);
			const end = length + GCM_TAG_BYTES;
			rtcpCipher.seal(iv, rtcpAssociated, packet.subarray(RTCP_CLEAR_BYTES, length), packet.subarray(length, end));
			writeUint32(packet, end, (ENCRYPTED | index) >>> 0);
		},
		openRtcp(packet, ssrc, index) {
			setRtcp(packet, ssrc, index);
			const end = packet.length - RTCP_INDEX_BYTES;
			const length = end - GCM_TAG_BYTES;
			return rtcpCipher.open(iv, rtcpAssociated, packet.subarray(RTCP_CLEAR_BYTES, length), packet.subarray(length, end));
		},
	};
}

function copyTag(tag: Uint8Array, packet: Uint8Array, at: number, length: number): void {
	for (let i = 0; i < length; i++) packet[at + i] = tag[i] ?? 0;
}
