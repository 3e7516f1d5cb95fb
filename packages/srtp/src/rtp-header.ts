import { readUint16 } from "./bytes.ts";

const FIXED_BYTES = 12;

/** Where the payload begins (RFC 3550 §5.1); 0 when these bytes are no RTP packet. */
export function rtpHeaderLength(packet: Uint8Array, length: number): number {
	const first = packet[0] ?? 0;
	if (length < FIXED_BYTES || first >> 6 !== 2) return 0;
	let end = FIXED_BYTES + (first & 0x0f) * 4;
	if ((first & 0x10) !== 0) {
		if (end + 4 > length) return 0;
		end += 4 + readUint16(packet, end + 2) * 4;
	}
	return end > length ? 0 : end;
}
