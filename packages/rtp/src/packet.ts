import { readUint16, readUint32, writeUint16, writeUint32 } from "./bytes.ts";

/** RFC 3550 §5.1 */
const RTP_VERSION = 2;
export const RTP_FIXED_HEADER_BYTES = 12;
/** RFC 8285 §4.2: the one-byte form */
const ONE_BYTE_PROFILE = 0xbede;
/** RFC 8285 §4.3: the two-byte form is 0x1000 with four free bits */
const TWO_BYTE_PROFILE = 0x1000;

/** One element of a header extension (RFC 8285). */
export interface RtpExtension {
	/** 1..14 in the one-byte form */
	id: number;
	/** 1..16 bytes in the one-byte form */
	data: Uint8Array;
}

/** What `writeRtpHeader` writes. An object that the caller keeps and changes from packet to packet costs no allocation. */
export interface RtpHeader {
	payloadType: number;
	/** 16 bits, wraps */
	sequence: number;
	/** 32 bits, wraps; in the payload's clock */
	timestamp: number;
	ssrc: number;
	marker?: boolean;
	csrc?: readonly number[];
	/** written in the one-byte form of RFC 8285 */
	extensions?: readonly RtpExtension[];
}

/** A parsed packet. `payload` and `extension` are views into the bytes that were parsed. */
export interface RtpPacket {
	marker: boolean;
	payloadType: number;
	sequence: number;
	timestamp: number;
	ssrc: number;
	csrc: number[];
	/** the 16 bits "defined by profile", -1 when the packet has no header extension */
	extensionProfile: number;
	extension: Uint8Array;
	/** without padding */
	payload: Uint8Array;
	/** bytes of padding that followed the payload, 0 when none */
	padding: number;
}

const NOTHING: Uint8Array = new Uint8Array(0);

/** An empty packet to be reused by `parseRtp(bytes, into)`. */
export function emptyRtpPacket(): RtpPacket {
	return {
		marker: false,
		payloadType: 0,
		sequence: 0,
		timestamp: 0,
		ssrc: 0,
		csrc: [],
		extensionProfile: -1,
		extension: NOTHING,
		payload: NOTHING,
		padding: 0,
	};
}

/**
 * Whether these bytes are RTCP, when RTP and RTCP share a port (RFC 5761 §4): the second byte of RTCP is 192..223, which no RTP packet
 * of the AVP profile has.
 */
export function isRtcp(bytes: Uint8Array): boolean {
	const kind = bytes[1];
	return bytes.length >= 4 && kind !== undefined && kind >= 192 && kind <= 223;
}

/**
 * Reads one RTP packet (RFC 3550 §5.1). `undefined` when the bytes are not one: wrong version, or any length in it points beyond the end.
 * Pass `into` to reuse an object; it is only valid when the same object comes back.
 */
export function parseRtp(bytes: Uint8Array, into: RtpPacket = emptyRtpPacket()): RtpPacket | undefined {
	const first = bytes[0];
	const second = bytes[1];
	if (bytes.length < RTP_FIXED_HEADER_BYTES || first === undefined || second === undefined || first >> 6 !== RTP_VERSION) return undefined;
	const csrcCount = first & 0x0f;
	let offset = RTP_FIXED_HEADER_BYTES + csrcCount * 4;
	if (offset > bytes.length) return undefined;

	let extensionProfile = -1;
	let extension = NOTHING;
	if ((first & 0x10) !== 0) {
		if (offset + 4 > bytes.length) return undefined;
		extensionProfile = readUint16(bytes, offset);
		const extensionEnd = offset + 4 + readUint16(bytes, offset + 2) * 4;
		if (extensionEnd > bytes.length) return undefined;
		extension = bytes.subarray(offset + 4, extensionEnd);
		offset = extensionEnd;
	}

	const padding = (first & 0x20) === 0 ? 0 : (bytes[bytes.length - 1] ?? 0);
	// RFC 3550 §5.1: the last octet counts itself, so with the P bit it is at least 1
	if ((first & 0x20) !== 0 && (padding === 0 || padding > bytes.length - offset)) return undefined;

	into.marker = (second & 0x80) !== 0;
	into.payloadType = second & 0x7f;
	into.sequence = readUint16(bytes, 2);
	into.timestamp = readUint32(bytes, 4);
	into.ssrc = readUint32(bytes, 8);
	into.csrc.length = 0;
	for (let i = 0; i < csrcCount; i++) into.csrc.push(readUint32(bytes, RTP_FIXED_HEADER_BYTES + i * 4));
	into.extensionProfile = extensionProfile;
	into.extension = extension;
	into.payload = bytes.subarray(offset, bytes.length - padding);
	into.padding = padding;
	return into;
}

/** The data of one extension element of a parsed packet, one-byte or two-byte form (RFC 8285 §4.2, §4.3); a view. */
export function readExtension(packet: RtpPacket, id: number): Uint8Array | undefined {
	if (packet.extensionProfile === ONE_BYTE_PROFILE) return readOneByte(packet.extension, id);
	if ((packet.extensionProfile & 0xfff0) === TWO_BYTE_PROFILE) return readTwoByte(packet.extension, id);
	return undefined;
}

function readOneByte(bytes: Uint8Array, id: number): Uint8Array | undefined {
	let offset = 0;
	while (offset < bytes.length) {
		const head = bytes[offset] ?? 0;
		if (head === 0) {
			offset += 1; // padding
			continue;
		}
		const elementId = head >> 4;
		// RFC 8285 §4.2: 15 is reserved, and everything after it is to be ignored
		if (elementId === 15) return undefined;
		const end = offset + 2 + (head & 0x0f);
		if (end > bytes.length) return undefined;
		if (elementId === id) return bytes.subarray(offset + 1, end);
		offset = end;
	}
	return undefined;
}

function readTwoByte(bytes: Uint8Array, id: number): Uint8Array | undefined {
	let offset = 0;
	while (offset < bytes.length) {
		const elementId = bytes[offset] ?? 0;
		if (elementId === 0) {
			offset += 1;
			continue;
		}
		const length = bytes[offset + 1];
		if (length === undefined || offset + 2 + length > bytes.length) return undefined;
		if (elementId === id) return bytes.subarray(offset + 2, offset + 2 + length);
		offset += 2 + length;
	}
	return undefined;
}

/** Bytes that `writeRtpHeader` will write for this header. */
export function rtpHeaderLength(header: RtpHeader): number {
	return RTP_FIXED_HEADER_BYTES + (header.csrc?.length ?? 0) * 4 + extensionLength(header.extensions);
}

/**
 * Writes the header at `offset` and gives the offset where the payload goes; allocates nothing.
 * Throws RangeError when the header does not fit the buffer or cannot be expressed (more than 15 CSRCs, an extension id outside 1..14, or
 * its data outside 1..16 bytes): those are the caller's mistakes.
 */
export function writeRtpHeader(buffer: Uint8Array, offset: number, header: RtpHeader): number {
	const { csrc, extensions } = header;
	const csrcCount = csrc?.length ?? 0;
	if (csrcCount > 15) throw new RangeError("RTP header: at most 15 CSRCs");
	if (offset < 0 || offset + rtpHeaderLength(header) > buffer.length) throw new RangeError("RTP header: buffer too small");
	const hasExtensions = extensions !== undefined && extensions.length > 0;
	buffer[offset] = (RTP_VERSION << 6) | (hasExtensions ? 0x10 : 0) | csrcCount;
	buffer[offset + 1] = (header.marker === true ? 0x80 : 0) | (header.payloadType & 0x7f);
	writeUint16(buffer, offset + 2, header.sequence);
	writeUint32(buffer, offset + 4, header.timestamp);
	writeUint32(buffer, offset + 8, header.ssrc);
	let end = offset + RTP_FIXED_HEADER_BYTES;
	for (let i = 0; i < csrcCount; i++) {
		writeUint32(buffer, end, csrc?.[i] ?? 0);
		end += 4;
	}
	return hasExtensions ? writeExtensions(buffer, end, extensions) : end;
}

function extensionLength(extensions: readonly RtpExtension[] | undefined): number {
	if (extensions === undefined || extensions.length === 0) return 0;
	let bytes = 0;
	for (const extension of extensions) bytes += 1 + extension.data.length;
	return 4 + Math.ceil(bytes / 4) * 4;
}

function writeExtensions(buffer: Uint8Array, offset: number, extensions: readonly RtpExtension[]): number {
	const end = offset + extensionLength(extensions);
	writeUint16(buffer, offset, ONE_BYTE_PROFILE);
	writeUint16(buffer, offset + 2, (end - offset - 4) / 4);
	let at = offset + 4;
	for (const { id, data } of extensions) {
		if (id < 1 || id > 14 || data.length < 1 || data.length > 16)
			throw new RangeError(`RTP header extension ${id}: not in the one-byte form`);
		buffer[at] = (id << 4) | (data.length - 1);
		buffer.set(data, at + 1);
		at += 1 + data.length;
	}
	buffer.fill(0, at, end);
	return end;
}

/** A whole packet in new bytes; `padding` (0..255) bytes are added as RFC 3550 §5.1 says. */
export function writeRtp(header: RtpHeader, payload: Uint8Array, padding = 0): Uint8Array {
	if (padding < 0 || padding > 255) throw new RangeError("RTP padding: 0..255 bytes");
	const packet = new Uint8Array(rtpHeaderLength(header) + payload.length + padding);
	packet.set(payload, writeRtpHeader(packet, 0, header));
	if (padding > 0) {
		packet[0] = (packet[0] ?? 0) | 0x20;
		packet[packet.length - 1] = padding;
	}
	return packet;
}
