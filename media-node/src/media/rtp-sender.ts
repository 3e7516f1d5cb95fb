import { RTP_FIXED_HEADER_BYTES, type RtpHeader, writeRtpHeader } from "@trunkline/rtp";
import { MAX_OVERHEAD_BYTES } from "@trunkline/srtp";

const MAX_PACKET = 1_500;
/** A datagram may still wait in the kernel's queue when the next ones are written; so many are never in flight for one call. */
const BUFFERS = 16;

/** Protects the first `length` bytes in place and gives the new length; 0 = not to be sent. */
export type Protect = (packet: Uint8Array, length: number) => number;

/** Writes one outgoing RTP stream into reused buffers. */
export class RtpSender {
	readonly #protect: Protect;
	readonly #send: (packet: Uint8Array) => void;
	readonly #buffers = Array.from({ length: BUFFERS }, () => new Uint8Array(MAX_PACKET));
	/** of each buffer, as long as the latest packet in it: packets of a call are all of one length, and a view costs more memory than its bytes */
	readonly #views: Uint8Array[] = [];
	readonly #header: RtpHeader;
	#next = 0;
	packetsSent = 0;
	/** of payload, as a sender report counts them (RFC 3550 §6.4.1) */
	octetsSent = 0;
	/** sees every packet before it goes, and says what its payload is to be */
	tap: ((payloadType: number, timestamp: number, payload: Uint8Array) => Uint8Array) | undefined;

	constructor(ssrc: number, send: (packet: Uint8Array) => void, protect: Protect = (_packet, length) => length) {
		this.#protect = protect;
		this.#header = { payloadType: 0, sequence: 0, timestamp: 0, ssrc, marker: false };
		this.#send = send;
	}

	send(payloadType: number, sequence: number, timestamp: number, marker: boolean, payload: Uint8Array): void {
		const buffer = this.#buffers[this.#next];
		if (buffer === undefined || payload.length > MAX_PACKET - RTP_FIXED_HEADER_BYTES - MAX_OVERHEAD_BYTES) return;
		const index = this.#next;
		this.#next = (index + 1) % BUFFERS;
		const header = this.#header;
		header.payloadType = payloadType;
		header.sequence = sequence;
		header.timestamp = timestamp;
		header.marker = marker;
		const start = writeRtpHeader(buffer, 0, header);
		const tapped = this.tap === undefined ? payload : this.tap(payloadType, timestamp, payload);
		buffer.set(tapped, start);
		const length = this.#protect(buffer, start + tapped.length);
		if (length === 0) return;
		this.packetsSent += 1;
		this.octetsSent += tapped.length;
		const view = this.#views[index];
		this.#send(view?.length === length ? view : (this.#views[index] = buffer.subarray(0, length)));
	}
}
