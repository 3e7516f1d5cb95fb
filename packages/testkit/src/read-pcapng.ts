// A reader of pcapng files, written from the draft alone, for tests of the writer.

interface ReadPacket {
	nanoseconds: bigint;
	version: number;
	source: string;
	destination: string;
	payload: string;
	comment: string;
	tcp?: { sequence: number; acknowledgement: number };
}

/** Throws for anything that is not as the draft and the RFCs have it, checksums included. */
export function readPcapng(bytes: Uint8Array) {
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	const packets: ReadPacket[] = [];
	let comment = "";
	let application = "";
	let linkType = -1;
	let resolution = 6;
	for (let at = 0; at < bytes.length; ) {
		const type = view.getUint32(at, true);
		const length = view.getUint32(at + 4, true);
		if (length % 4 !== 0 || view.getUint32(at + length - 4, true) !== length) throw new Error(`block at ${at} has no two equal lengths`);
		const end = at + length - 4;
		if (type === 0x0a0d0d0a) {
			if (view.getUint32(at + 8, true) !== 0x1a2b3c4d || view.getUint16(at + 12, true) !== 1) throw new Error("no section of version 1");
			const options = readOptions(view, at + 24, end);
			comment = text(options.get(1));
			application = text(options.get(4));
		} else if (type === 1) {
			linkType = view.getUint16(at + 8, true);
			resolution = readOptions(view, at + 16, end).get(9)?.[0] ?? 6;
		} else if (type === 6) {
			const captured = view.getUint32(at + 20, true);
			const packet = bytes.subarray(at + 28, at + 28 + captured);
			const options = readOptions(view, at + 28 + captured + ((4 - (captured % 4)) % 4), end);
			const nanoseconds = (BigInt(view.getUint32(at + 12, true)) << 32n) | BigInt(view.getUint32(at + 16, true));
			packets.push({ nanoseconds, comment: text(options.get(1)), ...readPacket(packet) });
		} else throw new Error(`block of type ${type}`);
		at += length;
	}
	return { comment, application, linkType, resolution, packets };
}

const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

function readOptions(view: DataView, from: number, end: number): Map<number, Uint8Array> {
	const options = new Map<number, Uint8Array>();
	for (let at = from; at < end; ) {
		const code = view.getUint16(at, true);
		const length = view.getUint16(at + 2, true);
		if (code === 0) return options;
		options.set(code, new Uint8Array(view.buffer, view.byteOffset + at + 4, length));
		at += 4 + length + ((4 - (length % 4)) % 4);
	}
	throw new Error("options without an end");
}

function readPacket(packet: Uint8Array): Omit<ReadPacket, "nanoseconds" | "comment"> {
	const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
	const version = (packet[0] ?? 0) >> 4;
	const isIpv4 = version === 4;
	if (isIpv4 ? view.getUint16(2) !== packet.length : view.getUint16(4) !== packet.length - 40)
		throw new Error("wrong length in the IP header");
	if (isIpv4 && sum(packet.subarray(0, 20)) !== 0xffff) throw new Error("wrong checksum of the IP header");
	const protocol = packet[isIpv4 ? 9 : 6] ?? 0;
	const addresses = isIpv4 ? packet.subarray(12, 20) : packet.subarray(8, 40);
	const segment = packet.subarray(isIpv4 ? 20 : 40);
	const pseudo = [...addresses, 0, protocol, segment.length >> 8, segment.length & 255];
	if (sum(Uint8Array.from([...pseudo, ...segment])) !== 0xffff) throw new Error("wrong checksum of UDP or TCP");
	const inner = new DataView(segment.buffer, segment.byteOffset, segment.byteLength);
	const [source, destination] = [0, 1].map((side) => {
		const half = addresses.subarray((side * addresses.length) / 2, ((side + 1) * addresses.length) / 2);
		return `${isIpv4 ? half.join(".") : `[${Buffer.from(half).toString("hex")}]`}:${inner.getUint16(side * 2)}`;
	}) as [string, string];
	const header = protocol === 17 ? 8 : ((segment[12] ?? 0) >> 4) * 4;
	if (protocol === 17 && inner.getUint16(4) !== segment.length) throw new Error("wrong length in the UDP header");
	const payload = Buffer.from(segment.subarray(header)).toString("latin1");
	const tcp = protocol === 6 ? { tcp: { sequence: inner.getUint32(4), acknowledgement: inner.getUint32(8) } } : {};
	return { version, source, destination, payload, ...tcp };
}

/** one's complement sum, the checksum within it: 0xffff when it is right */
function sum(bytes: Uint8Array): number {
	let total = 0;
	for (let at = 0; at < bytes.length; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
	while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
	return total;
}
