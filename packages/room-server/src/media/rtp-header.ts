/** Length of an RTP header with its CSRCs and extensions (RFC 3550 §5.1, §5.3.1); undefined when the packet is no whole RTP packet. */
export function rtpHeaderLength(packet: Buffer): number | undefined {
	if (packet.length < 12) return undefined;
	const first = packet[0] ?? 0;
	if (first >> 6 !== 2) return undefined;
	let length = 12 + (first & 0x0f) * 4;
	if ((first & 0x10) !== 0) {
		if (packet.length < length + 4) return undefined;
		length += 4 + packet.readUInt16BE(length + 2) * 4;
	}
	return packet.length < length ? undefined : length;
}

/**
 * Offset of the data of one header extension element, -1 when it is not there. RFC 8285 §4.2 (one-byte form) and §4.3 (two-byte form).
 * `headerLength` is what `rtpHeaderLength` said.
 */
export function findExtension(packet: Buffer, headerLength: number, id: number): number {
	const first = packet[0] ?? 0;
	if ((first & 0x10) === 0 || id === 0) return -1;
	let offset = 12 + (first & 0x0f) * 4;
	const profile = packet.readUInt16BE(offset);
	offset += 4;
	if (profile !== 0xbede && profile >> 4 !== 0x100) return -1;
	const twoByte = profile !== 0xbede;
	while (offset < headerLength) {
		const head = packet[offset] ?? 0;
		if (head === 0) {
			offset++;
			continue;
		}
		const elementId = twoByte ? head : head >> 4;
		const length = twoByte ? (packet[offset + 1] ?? 0) : (head & 0x0f) + 1;
		const data = offset + (twoByte ? 2 : 1);
		if (!twoByte && elementId === 15) return -1;
		if (data + length > headerLength) return -1;
		if (elementId === id) return data;
		offset = data + length;
	}
	return -1;
}
