import { addressBytes, ascii, asciiBytes, crc32, equalBytes, readUint16, readUint32, writeUint16, writeUint32 } from "./bytes.ts";

const BINDING_REQUEST = 0x0001;
const BINDING_SUCCESS = 0x0101;
const BINDING_ERROR = 0x0111;
const MAGIC_COOKIE = 0x2112a442;
const HEADER_BYTES = 20;
export const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
export const ERROR_CODE = 0x0009;
const XOR_MAPPED_ADDRESS = 0x0020;
const PRIORITY = 0x0024;
const USE_CANDIDATE = 0x0025;
const ICE_CONTROLLED = 0x8029;
const ICE_CONTROLLING = 0x802a;
/** RFC 8445 §7.3.1.1 */
export const ROLE_CONFLICT = 487;
const FINGERPRINT = 0x8028;
/** what `readAttributes` gives for a message without MESSAGE-INTEGRITY */
export const NO_INTEGRITY = -1;
const NOTHING = new Uint8Array(0);
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
	/** of the peer-reflexive candidate that the check may show; 0: not said */
	priority: number;
	/** the role that the peer has; undefined: not said */
	controlling: boolean | undefined;
	/** 8 bytes with `controlling` */
	tieBreaker: Uint8Array;
	/** offset of the MESSAGE-INTEGRITY attribute */
	integrityOffset: number;
}

/** What answers a check, not yet authenticated. */
export interface BindingResponse {
	/** of the request, as a text that names it */
	transaction: string;
	/** undefined: it succeeded */
	errorCode: number | undefined;
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
	const request: BindingRequest = {
		...{ username: "", useCandidate: false, priority: 0, controlling: undefined, tieBreaker: NOTHING, integrityOffset: 0 },
	};
	const integrityOffset = readAttributes(packet, BINDING_REQUEST, (type, value) => {
		if (type === USERNAME) request.username = value.length > MAX_USERNAME_BYTES ? "" : ascii(value);
		else if (type === USE_CANDIDATE) request.useCandidate = true;
		else if (type === PRIORITY && value.length === 4) request.priority = readUint32(value, 0);
		else if ((type === ICE_CONTROLLING || type === ICE_CONTROLLED) && value.length === 8) {
			request.controlling = type === ICE_CONTROLLING;
			request.tieBreaker = value;
		}
	});
	if (integrityOffset === undefined || integrityOffset === NO_INTEGRITY || request.username === "") return undefined;
	return { ...request, integrityOffset };
}

/** Reads a success or error response; undefined for anything else, as with requests. */
export function parseBindingResponse(packet: Uint8Array): BindingResponse | undefined {
	let errorCode: number | undefined;
	const isError = packet.length >= 2 && readUint16(packet, 0) === BINDING_ERROR;
	const integrityOffset = readAttributes(packet, isError ? BINDING_ERROR : BINDING_SUCCESS, (type, value) => {
		if (type === ERROR_CODE) errorCode = readErrorCode(value);
	});
	if (integrityOffset === undefined || integrityOffset === NO_INTEGRITY || (isError && errorCode === undefined)) return undefined;
	return { transaction: transactionOf(packet), errorCode: isError ? errorCode : undefined, integrityOffset };
}

/** The transaction as a text that names it. */
export function transactionOf(packet: Uint8Array): string {
	return packet.subarray(8, HEADER_BYTES).join();
}

/** RFC 8489 §14.8; undefined: broken */
export function readErrorCode(value: Uint8Array): number | undefined {
	return value.length < 4 ? undefined : ((value[2] ?? 0) & 7) * 100 + (value[3] ?? 0);
}

/** Tells each attribute before MESSAGE-INTEGRITY and gives that one's offset, or NO_INTEGRITY; undefined: this is no message of that type. */
export function readAttributes(packet: Uint8Array, type: number, tell: (type: number, value: Uint8Array) => void): number | undefined {
	if (packet.length < HEADER_BYTES || readUint16(packet, 0) !== type || readUint32(packet, 4) !== MAGIC_COOKIE) return undefined;
	if (readUint16(packet, 2) + HEADER_BYTES !== packet.length) return undefined;
	for (let offset = HEADER_BYTES; offset + 4 <= packet.length; ) {
		const attributeType = readUint16(packet, offset);
		const length = readUint16(packet, offset + 2);
		const value = packet.subarray(offset + 4, offset + 4 + length);
		if (value.length < length) return undefined;
		// RFC 8489 §14.5: what follows MESSAGE-INTEGRITY is not covered by it and is ignored, but FINGERPRINT
		if (attributeType === MESSAGE_INTEGRITY) return length === 20 && fingerprintHolds(packet, offset + 24) ? offset : undefined;
		if (attributeType === FINGERPRINT && !fingerprintHolds(packet, offset)) return undefined;
		tell(attributeType, value);
		offset += 4 + ((length + 3) & ~3);
	}
	return NO_INTEGRITY;
}

/** Whether the message was made with the password of `hmac` (RFC 8489 §14.5, short-term credentials). */
export function integrityHolds(packet: Uint8Array, message: { integrityOffset: number }, hmac: KeyedHmac): boolean {
	const { integrityOffset } = message;
	const expected = integrity(packet.subarray(0, integrityOffset), hmac);
	return equalBytes(expected, packet.subarray(integrityOffset + 4, integrityOffset + 24));
}

/** What a full agent asks a peer (RFC 8445 §7.2). */
export interface BindingRequestParts {
	/** 12 random bytes */
	transaction: Uint8Array;
	/** "<peer's ufrag>:<our ufrag>" */
	username: string;
	priority: number;
	controlling: boolean;
	/** 8 bytes */
	tieBreaker: Uint8Array;
	useCandidate: boolean;
}

export function bindingRequest(parts: BindingRequestParts, hmac: KeyedHmac): Uint8Array {
	const priority = new Uint8Array(4);
	writeUint32(priority, 0, parts.priority);
	const attributes = [
		attribute(USERNAME, asciiBytes(parts.username)),
		attribute(PRIORITY, priority),
		attribute(parts.controlling ? ICE_CONTROLLING : ICE_CONTROLLED, parts.tieBreaker),
		...(parts.useCandidate ? [attribute(USE_CANDIDATE, NOTHING)] : []),
	];
	return message(BINDING_REQUEST, parts.transaction, attributes, hmac);
}

/** The answer to a connectivity check: the address it was seen from, our integrity and a fingerprint (RFC 8445 §7.3.1). */
export function bindingSuccess(request: Uint8Array, address: string, port: number, hmac: KeyedHmac): Uint8Array {
	const transaction = request.subarray(8, HEADER_BYTES);
	return message(BINDING_SUCCESS, transaction, [xorAddress(XOR_MAPPED_ADDRESS, address, port, transaction)], hmac);
}

export function bindingError(request: Uint8Array, code: number, hmac: KeyedHmac): Uint8Array {
	const value = Uint8Array.of(0, 0, Math.floor(code / 100), code % 100);
	return message(BINDING_ERROR, request.subarray(8, HEADER_BYTES), [attribute(ERROR_CODE, value)], hmac);
}

export function attribute(type: number, value: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(4 + ((value.length + 3) & ~3));
	writeUint16(bytes, 0, type);
	writeUint16(bytes, 2, value.length);
	bytes.set(value, 4);
	return bytes;
}

/** With MESSAGE-INTEGRITY, when there is a key, and FINGERPRINT behind the attributes. */
export function message(type: number, transaction: Uint8Array, attributes: readonly Uint8Array[], hmac: KeyedHmac | undefined): Uint8Array {
	const integrityOffset = attributes.reduce((sum, { length }) => sum + length, HEADER_BYTES);
	const fingerprintOffset = integrityOffset + (hmac === undefined ? 0 : 24);
	const packet = new Uint8Array(fingerprintOffset + 8);
	writeUint16(packet, 0, type);
	writeUint32(packet, 4, MAGIC_COOKIE);
	packet.set(transaction, 8);
	let at = HEADER_BYTES;
	for (const each of attributes) {
		packet.set(each, at);
		at += each.length;
	}
	if (hmac !== undefined) {
		writeUint16(packet, integrityOffset, MESSAGE_INTEGRITY);
		writeUint16(packet, integrityOffset + 2, 20);
		packet.set(integrity(packet.subarray(0, integrityOffset), hmac), integrityOffset + 4);
	}
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

/** An address attribute of that type (RFC 8489 §14.2), XORed with the magic cookie and, for IPv6, the transaction id. */
export function xorAddress(type: number, address: string, port: number, transaction: Uint8Array): Uint8Array {
	const bytes = addressBytes(address);
	const value = new Uint8Array(4 + bytes.length);
	value[1] = bytes.length === 4 ? 1 : 2;
	writeUint16(value, 2, port ^ (MAGIC_COOKIE >>> 16));
	for (let i = 0; i < bytes.length; i++) value[4 + i] = (bytes[i] ?? 0) ^ maskByte(i, transaction);
	return attribute(type, value);
}

/** Address (4 or 16 bytes) and port of such an attribute's value; undefined: broken. */
export function readXorAddress(value: Uint8Array, transaction: Uint8Array): { address: Uint8Array; port: number } | undefined {
	const length = value[1] === 1 ? 4 : value[1] === 2 ? 16 : 0;
	if (length === 0 || value.length !== 4 + length) return undefined;
	const address = new Uint8Array(length);
	for (let i = 0; i < length; i++) address[i] = (value[4 + i] ?? 0) ^ maskByte(i, transaction);
	return { address, port: readUint16(value, 2) ^ (MAGIC_COOKIE >>> 16) };
}

function maskByte(index: number, transaction: Uint8Array): number {
	return index < 4 ? (MAGIC_COOKIE >>> (24 - 8 * index)) & 0xff : (transaction[index - 4] ?? 0);
}
