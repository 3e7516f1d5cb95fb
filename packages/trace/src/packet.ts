import { parseIpv4, parseIpv6 } from "./ip.ts";

/** UDP (RFC 768), TCP (RFC 9293) and IP headers around a payload, as a network card would have seen them, checksums included. */
export interface Packet {
	source: Endpoint;
	destination: Endpoint;
	payload: Uint8Array;
	/** unset: UDP */
	tcp?: { sequence: number; acknowledgement: number };
}

export interface Endpoint {
	/** IP literal without brackets; both of one family */
	host: string;
	port: number;
}

const UDP = 17;
const TCP = 6;
const UDP_HEADER = 8;
const TCP_HEADER = 20;
const PSH_ACK = 0x18;
const HOP_LIMIT = 64;

/** Bytes of payload that fit into any packet of these. */
export const MAX_PAYLOAD = 65_535 - 40 - TCP_HEADER;

/** Throws RangeError for a payload that no packet holds. */
export function writePacket(packet: Packet): Uint8Array {
	if (packet.payload.length > MAX_PAYLOAD) throw new RangeError("the payload does not fit into one packet");
	const isIpv6 = packet.source.host.includes(":") || packet.destination.host.includes(":");
	const parse = isIpv6 ? parseIpv6 : parseIpv4;
	const source = parse(packet.source.host);
	const destination = parse(packet.destination.host);
	const protocol = packet.tcp === undefined ? UDP : TCP;
	const segment = packet.tcp === undefined ? udp(packet) : tcp(packet, packet.tcp);
	const sum = checksum(pseudoHeader(source, destination, protocol, segment.length), segment);
	// RFC 768: a UDP checksum of zero means that there is none.
	const view = new DataView(segment.buffer);
	view.setUint16(protocol === UDP ? 6 : 16, protocol === UDP && sum === 0 ? 0xffff : sum);
	const header = isIpv6
		? ipv6Header(source, destination, protocol, segment.length)
		: ipv4Header(source, destination, protocol, segment.length);
	return joined(header, segment);
}

function udp({ source, destination, payload }: Packet): Uint8Array {
	const segment = joined(new Uint8Array(UDP_HEADER), payload);
	const view = new DataView(segment.buffer);
	view.setUint16(0, source.port);
	view.setUint16(2, destination.port);
	view.setUint16(4, segment.length);
	return segment;
}

function tcp({ source, destination, payload }: Packet, { sequence, acknowledgement }: NonNullable<Packet["tcp"]>): Uint8Array {
	const segment = joined(new Uint8Array(TCP_HEADER), payload);
	const view = new DataView(segment.buffer);
	view.setUint16(0, source.port);
	view.setUint16(2, destination.port);
	view.setUint32(4, sequence >>> 0);
	view.setUint32(8, acknowledgement >>> 0);
	view.setUint8(12, (TCP_HEADER / 4) << 4);
	view.setUint8(13, PSH_ACK);
	view.setUint16(14, 0xffff);
	return segment;
}

/** RFC 791 §3.1 */
function ipv4Header(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): Uint8Array {
	const header = new Uint8Array(20);
	const view = new DataView(header.buffer);
	view.setUint8(0, 0x45);
	view.setUint16(2, header.length + length);
	// Don't fragment: it was whole.
	view.setUint16(6, 0x4000);
	view.setUint8(8, HOP_LIMIT);
	view.setUint8(9, protocol);
	header.set(source, 12);
	header.set(destination, 16);
	view.setUint16(10, checksum(header));
	return header;
}

/** RFC 8200 §3 */
function ipv6Header(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): Uint8Array {
	const header = new Uint8Array(40);
	const view = new DataView(header.buffer);
	view.setUint8(0, 0x60);
	view.setUint16(4, length);
	view.setUint8(6, protocol);
	view.setUint8(7, HOP_LIMIT);
	header.set(source, 8);
	header.set(destination, 24);
	return header;
}

/** RFC 9293 §3.1, RFC 8200 §8.1 */
function pseudoHeader(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): Uint8Array {
	const tail = source.length === 4 ? [0, protocol, length >> 8, length & 255] : [0, 0, length >> 8, length & 255, 0, 0, 0, protocol];
	return joined(joined(source, destination), Uint8Array.from(tail));
}

/** RFC 1071; parts but the last have an even length */
export function checksum(...parts: readonly Uint8Array[]): number {
	let sum = 0;
	for (const part of parts) for (let at = 0; at < part.length; at++) sum += at % 2 === 0 ? (part[at] ?? 0) << 8 : (part[at] ?? 0);
	while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
	return ~sum & 0xffff;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
	const all = new Uint8Array(a.length + b.length);
	all.set(a);
	all.set(b, a.length);
	return all;
}
