import { addressBytes, ascii, asciiBytes, crc32, equalBytes, readUint16, readUint32, writeUint16, writeUint32 } from "./bytes.ts";

const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const MAGIC_COOKIE = 0x2112a442;
const HEADER_BYTES = 20;
const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
const XOR_MAPPED_ADDRESS = 0x0020;
const USE_CANDIDATE = 0x0025;
const FINGERPRINT = 0x8028;
/** RFC 8489 §14.7 */
const FINGERPRINT_XOR = 0x5354554e;
/** RFC 8489 §14.3 */
const MAX_USERNAME_BYTES = 509;

/** HMAC-SHA1 of `message` and `tail` together, 20 bytes; whoever has a crypto library gives it, with the key set up once. */
export type KeyedHmac = (message: Uint8Array, tail: Uint8Array) => Uint8Array;
export type HmacSha1 = (key: Uint8Array) => KeyedHmac;

/** A connectivity check of the peer (RFC 8445 §7.3), not yet authenticated. */
export interface BindingRequest {
	/** "<our ufrag>:<peer's ufrag>" */
	username: string;
	/** RFC 8445 §8.1.1: the controlling peer nominates this pair */
	useCandidate: boolean;
	/** offset of the MESSAGE-INTEGRITY attribute */
	integrityOffset: number;
}

/** Whether a datagram of a port that STUN, DTLS and RTP share is STUN (RFC 7983 §7). */
export function isStun(packet: Uint8Array): boolean {
	const first = packet[0];
	return first !== undefined && first <= 3;
}

/** RFC 8489 §9.1.1: the key of short-term credentials is the password itself, which ICE has in ASCII. */
export function keyOfPassword(password: string): Uint8Array {
	return asciiBytes(password);
}

/** Reads a STUN binding request; undefined for anything else (other methods, broken lengths, no integrity, a wrong fingerprint). */
export function parseBindingRequest(packet: Uint8Array): BindingRequest | undefined {
	if (packet.length < HEADER_BYTES || readUint16(packet, 0) !== BINDING_REQUEST || readUint32(packet, 4) !== MAGIC_COOKIE) return undefined;
	if (readUint16(packet, 2) + HEADER_BYTES !== packet.length) return undefined;
	let username = "";
	let useCandidate = false;
	for (let offset = HEADER_BYTES; offset + 4 <= packet.length; ) {
		const type = readUint16(packet, offset);
		const length = readUint16(packet, offset + 2);
		const value = packet.subarray(offset + 4, offset + 4 + length);
		if (value.length < length) return undefined;
		if (type === USERNAME) username = length > MAX_USERNAME_BYTES ? "" : ascii(value);
		else if (type === USE_CANDIDATE) useCandidate = true;
		else if (type === MESSAGE_INTEGRITY) {
			// RFC 8489 §14.5: what follows MESSAGE-INTEGRITY is not covered by it and is ignored, but FINGERPRINT
			if (length !== 20 || username === "" || !fingerprintHolds(packet, offset + 24)) return undefined;
			return { username, useCandidate, integrityOffset: offset };
		}
		offset += 4 + ((length + 3) & ~3);
	}
	return undefined;
}

/** Whether the request was made with our password (RFC 8489 §14.5, short-term credentials). */
export function integrityHolds(packet: Uint8Array, request: BindingRequest, hmac: KeyedHmac): boolean {
	const { integrityOffset } = request;
	const expected = integrity(packet.subarray(0, integrityOffset), hmac);
	return equalBytes(expected, packet.subarray(integrityOffset + 4, integrityOffset + 24));
}

/** The answer to a connectivity check: the address it was seen from, our integrity and a fingerprint (RFC 8445 §7.3.1). */
export function bindingSuccess(request: Uint8Array, address: string, port: number, hmac: KeyedHmac): Uint8Array {
	const mapped = xorMappedAddress(address, port, request);
	const integrityOffset = HEADER_BYTES + mapped.length;
	const fingerprintOffset = integrityOffset + 24;
	const packet = new Uint8Array(fingerprintOffset + 8);
	writeUint16(packet, 0, BINDING_SUCCESS);
	packet.set(request.subarray(4, HEADER_BYTES), 4);
	packet.set(mapped, HEADER_BYTES);
	writeUint16(packet, integrityOffset, MESSAGE_INTEGRITY);
	writeUint16(packet, integrityOffset + 2, 20);
	packet.set(integrity(packet.subarray(0, integrityOffset), hmac), integrityOffset + 4);
	writeUint16(packet, 2, packet.length - HEADER_BYTES);
	writeUint16(packet, fingerprintOffset, FINGERPRINT);
	writeUint16(packet, fingerprintOffset + 2, 4);
	writeUint32(packet, fingerprintOffset + 4, fingerprint(packet.subarray(0, fingerprintOffset)));
	return packet;
}

/** HMAC-SHA1 over the message before MESSAGE-INTEGRITY, with the header's length as if it ended after it. */
function integrity(message: Uint8Array, hmac: KeyedHmac): Uint8Array {
	// not with slice, which of a Node Buffer is no copy
	const header = new Uint8Array(HEADER_BYTES);
	header.set(message.subarray(0, HEADER_BYTES));
	writeUint16(header, 2, message.length - HEADER_BYTES + 24);
	return hmac(header, message.subarray(HEADER_BYTES));
}

/** RFC 8489 §7.3: checked where there is one; it is the last attribute. */
function fingerprintHolds(packet: Uint8Array, at: number): boolean {
	if (packet.length !== at + 8 || readUint16(packet, at) !== FINGERPRINT) return true;
	return readUint32(packet, at + 4) === fingerprint(packet.subarray(0, at));
}

function fingerprint(message: Uint8Array): number {
	return (crc32(message) ^ FINGERPRINT_XOR) >>> 0;
}

function xorMappedAddress(address: string, port: number, request: Uint8Array): Uint8Array {
	const bytes = addressBytes(address);
	const attribute = new Uint8Array(8 + bytes.length);
	writeUint16(attribute, 0, XOR_MAPPED_ADDRESS);
	writeUint16(attribute, 2, 4 + bytes.length);
	attribute[5] = bytes.length === 4 ? 1 : 2;
	writeUint16(attribute, 6, port ^ (MAGIC_COOKIE >>> 16));
	// RFC 8489 §14.2: XORed with the magic cookie and, for IPv6, the transaction id, which follows it in the header
	for (let i = 0; i < bytes.length; i++) attribute[8 + i] = (bytes[i] ?? 0) ^ (request[4 + i] ?? 0);
	return attribute;
}
