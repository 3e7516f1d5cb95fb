/** STUN messages of TURN (RFC 8656 §17, §18). */
import { addressText, ascii, readUint16, readUint32, utf8Bytes, writeUint16, writeUint32 } from "../bytes.ts";
import { attribute, ERROR_CODE, type KeyedHmac, message, NO_INTEGRITY, readAttributes, readErrorCode } from "../stun.ts";
import { readXorAddress, transactionOf, USERNAME, xorAddress } from "../stun.ts";

export const ALLOCATE = 0x003;
export const REFRESH = 0x004;
export const CREATE_PERMISSION = 0x008;
export const CHANNEL_BIND = 0x009;
const SEND_INDICATION = 0x016;
const DATA_INDICATION = 0x017;
const SUCCESS = 0x100;
const ERROR = 0x110;

const CHANNEL_NUMBER = 0x000c;
const LIFETIME = 0x000d;
const XOR_PEER_ADDRESS = 0x0012;
const DATA = 0x0013;
const REALM = 0x0014;
const NONCE = 0x0015;
const XOR_RELAYED_ADDRESS = 0x0016;
const REQUESTED_ADDRESS_FAMILY = 0x0017;
const REQUESTED_TRANSPORT = 0x0019;
/** RFC 8489 §14.9, §14.10: of both REALM and NONCE */
const MAX_TEXT_BYTES = 763;

/** §12.5: in front of data on a channel */
export const CHANNEL_HEADER_BYTES = 4;
/** §12: the numbers from here on are channels */
export const FIRST_CHANNEL = 0x4000;
export const CHANNELS = 0x1000;

export interface Credentials {
	username: string;
	/** as the server wrote them */
	realm: Uint8Array;
	nonce: Uint8Array;
	hmac: KeyedHmac;
}

export interface TurnResponse {
	transaction: string;
	/** undefined: it succeeded */
	errorCode: number | undefined;
	reason: string;
	realm: Uint8Array | undefined;
	nonce: Uint8Array | undefined;
	lifetimeSeconds: number | undefined;
	relayed: { address: string; port: number } | undefined;
	/** NO_INTEGRITY: it has none */
	integrityOffset: number;
}

/** RFC 8489 §9.2.2: what the key of long-term credentials is the MD5 of */
export function longTermSecret(username: string, realm: Uint8Array, password: string): Uint8Array {
	return Uint8Array.of(...utf8Bytes(`${username}:`), ...realm, ...utf8Bytes(`:${password}`));
}

export const requestedTransportUdp = (): Uint8Array => attribute(REQUESTED_TRANSPORT, Uint8Array.of(17, 0, 0, 0));
export const requestedIpv6 = (): Uint8Array => attribute(REQUESTED_ADDRESS_FAMILY, Uint8Array.of(2, 0, 0, 0));

export function lifetime(seconds: number): Uint8Array {
	const value = new Uint8Array(4);
	writeUint32(value, 0, seconds);
	return attribute(LIFETIME, value);
}

export const peerAddress = (address: string, port: number, transaction: Uint8Array): Uint8Array =>
	xorAddress(XOR_PEER_ADDRESS, address, port, transaction);

export const channelNumber = (number: number): Uint8Array => attribute(CHANNEL_NUMBER, Uint8Array.of(number >>> 8, number & 0xff, 0, 0));

export function turnRequest(
	method: number,
	transaction: Uint8Array,
	attributes: readonly Uint8Array[],
	credentials: Credentials | undefined,
): Uint8Array {
	if (credentials === undefined) return message(method, transaction, attributes, undefined);
	const { username, realm, nonce, hmac } = credentials;
	const known = [attribute(USERNAME, utf8Bytes(username)), attribute(REALM, realm), attribute(NONCE, nonce)];
	return message(method, transaction, [...attributes, ...known], hmac);
}

export function sendIndication(transaction: Uint8Array, address: string, port: number, data: Uint8Array): Uint8Array {
	return message(SEND_INDICATION, transaction, [peerAddress(address, port, transaction), attribute(DATA, data)], undefined);
}

/** What answers one of our requests; undefined: it is something else, or broken. Not authenticated. */
export function parseTurnResponse(packet: Uint8Array): TurnResponse | undefined {
	if (packet.length < 20) return undefined;
	const type = readUint16(packet, 0);
	const isError = (type & ERROR) === ERROR;
	if (!isError && (type & ERROR) !== SUCCESS) return undefined;
	const response: TurnResponse = {
		...{ transaction: transactionOf(packet), errorCode: undefined, reason: "", realm: undefined, nonce: undefined },
		...{ lifetimeSeconds: undefined, relayed: undefined, integrityOffset: NO_INTEGRITY },
	};
	const integrityOffset = readAttributes(packet, type, (attributeType, value) => readInto(response, attributeType, value, packet));
	if (integrityOffset === undefined || isError !== (response.errorCode !== undefined)) return undefined;
	response.integrityOffset = integrityOffset;
	return response;
}

function readInto(response: TurnResponse, type: number, value: Uint8Array, packet: Uint8Array): void {
	if (type === ERROR_CODE) {
		response.errorCode = readErrorCode(value);
		// only for people, and of a stranger
		response.reason = ascii(value.subarray(4, 132)).replace(/[^ -~]/g, "?");
	} else if (type === REALM && value.length <= MAX_TEXT_BYTES) response.realm = Uint8Array.from(value);
	else if (type === NONCE && value.length <= MAX_TEXT_BYTES) response.nonce = Uint8Array.from(value);
	else if (type === LIFETIME && value.length === 4) response.lifetimeSeconds = readUint32(value, 0);
	else if (type === XOR_RELAYED_ADDRESS) {
		const read = readXorAddress(value, packet.subarray(8, 20));
		if (read !== undefined) response.relayed = { address: addressText(read.address), port: read.port };
	}
}

/** A Data indication (§11.4): what a peer sent, and who it is. */
export function parseData(packet: Uint8Array): { address: Uint8Array; port: number; data: Uint8Array } | undefined {
	let from: { address: Uint8Array; port: number } | undefined;
	let data: Uint8Array | undefined;
	const offset = readAttributes(packet, DATA_INDICATION, (type, value) => {
		if (type === XOR_PEER_ADDRESS) from = readXorAddress(value, packet.subarray(8, 20));
		else if (type === DATA) data = value;
	});
	return offset === undefined || from === undefined || data === undefined ? undefined : { ...from, data };
}

/** Writes the header of `length` bytes behind it; gives all bytes together, on a stream with padding to 4 (§12.5), for which there has to be room. */
export function writeChannelHeader(buffer: Uint8Array, channel: number, length: number, isStream: boolean): number {
	writeUint16(buffer, 0, channel);
	writeUint16(buffer, 2, length);
	const end = CHANNEL_HEADER_BYTES + length;
	const padded = isStream ? (end + 3) & ~3 : end;
	for (let at = end; at < padded; at++) buffer[at] = 0;
	return padded;
}
