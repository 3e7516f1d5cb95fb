import type { CallTrace, TraceMessage } from "@trunkline/contracts";
import { encodeBytes, encodeUtf8 } from "./bytes.ts";
import { MAX_PAYLOAD, writePacket } from "./packet.ts";

/** Link type of packets that begin with their IP header, of either version. */
const LINKTYPE_RAW = 101;
const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const ENHANCED_PACKET = 6;
const OPTION_COMMENT = 1;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_TSRESOL = 9;
/** 10^-9 s */
const NANOSECONDS = 9;
const SIPS_PORT = 5061;
const SIP_PORT = 5060;

/**
 * The messages as a pcapng file (draft-ietf-opsawg-pcapng) with nanosecond timestamps. The packets are made from the messages: there were none of
 * ours to be captured, and TLS is written as TCP that can be read. `comment` is the file's, like the call's summary.
 */
export function writePcapng(traces: readonly CallTrace[], comment: string): Uint8Array<ArrayBuffer> {
	const blocks = [sectionHeader(comment), interfaceDescription()];
	const streams = new Map<string, number>();
	const messages = traces.flatMap((trace) => trace.messages.map((message) => ({ trace, message })));
	messages.sort((a, b) => a.message.at - b.message.at);
	for (const { trace, message } of messages) blocks.push(enhancedPacket(message, trace.callId, streams));
	return concat(blocks);
}

function sectionHeader(comment: string): Uint8Array {
	const fixed = new Uint8Array(16);
	const view = new DataView(fixed.buffer);
	view.setUint32(0, 0x1a2b3c4d, true);
	view.setUint16(4, 1, true);
	// Length of the section: not said.
	view.setBigInt64(8, -1n, true);
	const options = [option(OPTION_COMMENT, encodeUtf8(comment)), option(SHB_USERAPPL, encodeUtf8("Trunkline"))];
	return block(SECTION_HEADER, [fixed, ...options, END_OF_OPTIONS]);
}

function interfaceDescription(): Uint8Array {
	const fixed = new Uint8Array(8);
	new DataView(fixed.buffer).setUint16(0, LINKTYPE_RAW, true);
	const options = [option(IF_NAME, encodeUtf8("SIP")), option(IF_TSRESOL, Uint8Array.of(NANOSECONDS))];
	return block(INTERFACE_DESCRIPTION, [fixed, ...options, END_OF_OPTIONS]);
}

function enhancedPacket(message: TraceMessage, callId: string, streams: Map<string, number>): Uint8Array {
	const packet = packetOf(message, streams);
	const fixed = new Uint8Array(20);
	const view = new DataView(fixed.buffer);
	const nanoseconds = BigInt(Math.round(message.at * 1000)) * 1000n;
	view.setUint32(4, Number(nanoseconds >> 32n), true);
	view.setUint32(8, Number(nanoseconds & 0xffffffffn), true);
	view.setUint32(12, packet.length, true);
	view.setUint32(16, packet.length, true);
	return block(ENHANCED_PACKET, [fixed, padded(packet), option(OPTION_COMMENT, encodeUtf8(commentOf(message, callId))), END_OF_OPTIONS]);
}

function commentOf({ transport, direction, text, bytes }: TraceMessage, callId: string): string {
	const parts = [`${callId}, ${direction}`];
	if (transport === "TLS") parts.push("over TLS, written decrypted as TCP (port 5061 as 5060)");
	if (text.length < bytes) parts.push(`${text.length} of ${bytes} bytes were kept`);
	return parts.join("; ");
}

function packetOf({ direction, transport, local, remote, text }: TraceMessage, streams: Map<string, number>): Uint8Array {
	const payload = encodeBytes(text).subarray(0, MAX_PAYLOAD);
	const isSent = direction === "sent";
	const [source, destination] = (isSent ? [local, remote] : [remote, local]).map((end) => readablePort(end, transport)) as [
		TraceMessage["local"],
		TraceMessage["local"],
	];
	if (transport === "UDP") return writePacket({ source, destination, payload });
	const there = `${transport} ${source.host} ${source.port} ${destination.host} ${destination.port}`;
	const back = `${transport} ${destination.host} ${destination.port} ${source.host} ${source.port}`;
	const sequence = streams.get(there) ?? 1;
	streams.set(there, sequence + payload.length);
	return writePacket({ source, destination, payload, tcp: { sequence, acknowledgement: streams.get(back) ?? 1 } });
}

/** What is no TLS any more would be shown as broken TLS at its port. */
function readablePort(end: TraceMessage["local"], transport: TraceMessage["transport"]): TraceMessage["local"] {
	return transport === "TLS" && end.port === SIPS_PORT ? { ...end, port: SIP_PORT } : end;
}

const END_OF_OPTIONS = new Uint8Array(4);
const MAX_OPTION_BYTES = 65_535;

function option(code: number, value: Uint8Array): Uint8Array {
	const kept = value.subarray(0, MAX_OPTION_BYTES);
	const bytes = new Uint8Array(4 + kept.length);
	const view = new DataView(bytes.buffer);
	view.setUint16(0, code, true);
	view.setUint16(2, kept.length, true);
	bytes.set(kept, 4);
	return padded(bytes);
}

function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
	const body = concat(parts);
	const bytes = new Uint8Array(body.length + 12);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, type, true);
	view.setUint32(4, bytes.length, true);
	bytes.set(body, 8);
	view.setUint32(bytes.length - 4, bytes.length, true);
	return bytes;
}

/** To a multiple of four. */
function padded(bytes: Uint8Array): Uint8Array {
	const missing = (4 - (bytes.length % 4)) % 4;
	return missing === 0 ? bytes : concat([bytes, new Uint8Array(missing)]);
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
	const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
	let at = 0;
	for (const part of parts) {
		all.set(part, at);
		at += part.length;
	}
	return all;
}
