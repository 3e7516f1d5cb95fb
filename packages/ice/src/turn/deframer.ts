import { readUint16 } from "../bytes.ts";

const CHANNEL_HEADER_BYTES = 4;
const STUN_HEADER_BYTES = 20;

/** STUN messages and ChannelData out of what comes by TCP or TLS, however it is cut (RFC 8656 §12.5, §3.1). Holds one of 64 KiB at most. */
export class TurnDeframer {
	#held: Uint8Array = new Uint8Array(0);
	#isBroken = false;

	/** Those that are complete now, each memory of its own or of `chunk`; undefined: this is no TURN, and nothing that comes after it can be read. */
	take(chunk: Uint8Array): Uint8Array[] | undefined {
		if (this.#isBroken) return undefined;
		let bytes = chunk;
		if (this.#held.length > 0) {
			bytes = new Uint8Array(this.#held.length + chunk.length);
			bytes.set(this.#held);
			bytes.set(chunk, this.#held.length);
		}
		const messages: Uint8Array[] = [];
		let at = 0;
		while (bytes.length - at >= CHANNEL_HEADER_BYTES) {
			const kind = (bytes[at] ?? 0) >>> 6;
			const length = readUint16(bytes, at + 2);
			if (kind > 1 || (kind === 0 && length % 4 !== 0)) {
				this.#isBroken = true;
				return undefined;
			}
			const end = at + (kind === 0 ? STUN_HEADER_BYTES + length : CHANNEL_HEADER_BYTES + length);
			const padded = at + ((end - at + 3) & ~3);
			if (padded > bytes.length) break;
			messages.push(bytes.subarray(at, end));
			at = padded;
		}
		this.#held = Uint8Array.from(bytes.subarray(at));
		return messages;
	}
}
