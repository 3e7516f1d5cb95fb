import { createHmac, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";

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

/** A connectivity check of the peer (RFC 8445 §7.3), not yet authenticated. */
export interface BindingRequest {
	/** "<our ufrag>:<peer's ufrag>" */
	username: string;
	/** RFC 8445 §8.1.1: the controlling peer nominates this pair */
	useCandidate: boolean;
	/** offset of the MESSAGE-INTEGRITY attribute */
	integrityOffset: number;
}

/** Reads a STUN binding request; undefined for anything else (other methods, broken lengths, no integrity). */
export function parseBindingRequest(packet: Buffer): BindingRequest | undefined {
	if (packet.length < HEADER_BYTES || packet.readUInt16BE(0) !== BINDING_REQUEST || packet.readUInt32BE(4) !== MAGIC_COOKIE)
		return undefined;
	if (packet.readUInt16BE(2) + HEADER_BYTES !== packet.length) return undefined;
	let username = "";
	let useCandidate = false;
	for (let offset = HEADER_BYTES; offset + 4 <= packet.length; ) {
		const type = packet.readUInt16BE(offset);
		const length = packet.readUInt16BE(offset + 2);
		if (offset + 4 + length > packet.length) return undefined;
		if (type === USERNAME) username = packet.toString("utf8", offset + 4, offset + 4 + length);
		else if (type === USE_CANDIDATE) useCandidate = true;
		else if (type === MESSAGE_INTEGRITY) {
			// RFC 8489 §14.5: what follows MESSAGE-INTEGRITY is not covered by it and is ignored (but FINGERPRINT)
			return length === 20 && username !== "" ? { username, useCandidate, integrityOffset: offset } : undefined;
		}
		offset += 4 + ((length + 3) & ~3);
	}
	return undefined;
}

/** True when the request was made with our password (RFC 8489 §14.5, short-term credentials). */
export function integrityHolds(packet: Buffer, request: BindingRequest, password: string): boolean {
	const expected = integrity(packet.subarray(0, request.integrityOffset), password);
	return timingSafeEqual(expected, packet.subarray(request.integrityOffset + 4, request.integrityOffset + 24));
}

/** The answer to a connectivity check: the address it was seen from, our integrity and a fingerprint (RFC 8445 §7.3.1). */
export function bindingSuccess(request: Buffer, address: string, port: number, password: string): Buffer {
	const mapped = xorMappedAddress(address, port, request);
	const packet = Buffer.alloc(HEADER_BYTES + mapped.length + 24 + 8);
	packet.writeUInt16BE(BINDING_SUCCESS, 0);
	request.copy(packet, 4, 4, HEADER_BYTES);
	mapped.copy(packet, HEADER_BYTES);
	const integrityOffset = HEADER_BYTES + mapped.length;
	const mac = integrity(packet.subarray(0, integrityOffset), password);
	packet.writeUInt16BE(MESSAGE_INTEGRITY, integrityOffset);
	packet.writeUInt16BE(20, integrityOffset + 2);
	mac.copy(packet, integrityOffset + 4);
	const fingerprintOffset = integrityOffset + 24;
	packet.writeUInt16BE(packet.length - HEADER_BYTES, 2);
	packet.writeUInt16BE(FINGERPRINT, fingerprintOffset);
	packet.writeUInt16BE(4, fingerprintOffset + 2);
	packet.writeUInt32BE((crc32(packet.subarray(0, fingerprintOffset)) ^ FINGERPRINT_XOR) >>> 0, fingerprintOffset + 4);
	return packet;
}

/** HMAC-SHA1 over the message before MESSAGE-INTEGRITY, with the header's length as if it ended after it. */
function integrity(message: Buffer, password: string): Buffer {
	const header = Buffer.from(message.subarray(0, HEADER_BYTES));
	header.writeUInt16BE(message.length - HEADER_BYTES + 24, 2);
	return createHmac("sha1", password).update(header).update(message.subarray(HEADER_BYTES)).digest();
}

function xorMappedAddress(address: string, port: number, request: Buffer): Buffer {
	const bytes = address.includes(":") ? ipv6Bytes(address) : Buffer.from(address.split(".").map(Number));
	const attribute = Buffer.alloc(8 + bytes.length);
	attribute.writeUInt16BE(XOR_MAPPED_ADDRESS, 0);
	attribute.writeUInt16BE(4 + bytes.length, 2);
	attribute[5] = bytes.length === 4 ? 1 : 2;
	attribute.writeUInt16BE(port ^ (MAGIC_COOKIE >>> 16), 6);
	// RFC 8489 §14.2: XORed with the magic cookie and, for IPv6, the transaction id, which follows it in the header
	for (let i = 0; i < bytes.length; i++) attribute[8 + i] = (bytes[i] ?? 0) ^ (request[4 + i] ?? 0);
	return attribute;
}

function ipv6Bytes(address: string): Buffer {
	const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
	const groups = (part: string): number[] => (part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16)));
	const front = groups(head);
	const back = tail === undefined ? [] : groups(tail);
	const all = [...front, ...new Array<number>(Math.max(0, 8 - front.length - back.length)).fill(0), ...back];
	const bytes = Buffer.alloc(16);
	for (let i = 0; i < 8; i++) bytes.writeUInt16BE((all[i] ?? 0) & 0xffff, i * 2);
	return bytes;
}
