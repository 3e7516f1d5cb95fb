/** RFC 4571: packets on a stream, each after its length in two bytes. Pure. */
const HEADER_BYTES = 2;

export function framed(packet: Uint8Array): Uint8Array {
	const frame = new Uint8Array(HEADER_BYTES + packet.length);
	frame[0] = packet.length >>> 8;
	frame[1] = packet.length & 0xff;
	frame.set(packet, HEADER_BYTES);
	return frame;
}

/** Packets out of what comes, however it is cut. Holds one packet of 64 KiB at most. */
export class Deframer {
	#held: Uint8Array = new Uint8Array(0);

	/** Those that are complete now; each is memory of its own or of `chunk`. */
	take(chunk: Uint8Array): Uint8Array[] {
		let bytes = chunk;
		if (this.#held.length > 0) {
			bytes = new Uint8Array(this.#held.length + chunk.length);
			bytes.set(this.#held);
			bytes.set(chunk, this.#held.length);
		}
		const packets: Uint8Array[] = [];
		let at = 0;
		while (bytes.length - at >= HEADER_BYTES) {
			const length = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
			const end = at + HEADER_BYTES + length;
			if (end > bytes.length) break;
			if (length > 0) packets.push(bytes.subarray(at + HEADER_BYTES, end));
			at = end;
		}
		this.#held = bytes.slice(at);
		return packets;
	}
}
