import { readUint16, readUint32 } from "./bytes.ts";
import type { SrtpCrypto } from "./crypto.ts";
import { rtpHeaderLength } from "./rtp-header.ts";
import { IndexWindow, type Rollovers, rolloversOf, Streams } from "./streams.ts";
import type { SrtpSuite } from "./suites.ts";
import { RTCP_CLEAR_BYTES, type Transform, transformFor } from "./transform.ts";

/** Of one key; a call has one or two. */
const MAX_STREAMS = 64;
/** RFC 3711 §9.2: so many packets under one key, 48 bits of index for SRTP and 31 for SRTCP */
const MAX_INDEX = 2 ** 48;
const MAX_RTCP_INDEX = 2 ** 31;

/** Protects what leaves under one master key. */
export class SrtpSender {
	readonly suite: SrtpSuite;
	readonly #transform: Transform;
	readonly #streams = new Streams<IndexWindow>(MAX_STREAMS);
	readonly #rtcpIndices = new Streams<{ next: number }>(MAX_STREAMS);

	/** `master` = master key and salt, as in `a=crypto`. Throws RangeError when it has not the suite's length. */
	constructor(crypto: SrtpCrypto, suite: SrtpSuite, master: Uint8Array) {
		this.suite = suite;
		this.#transform = transformFor(crypto, suite, master);
	}

	/**
	 * Protects the first `length` bytes of `packet` in place and gives the new length. 0: the packet must not be sent. That is when it is no RTP packet,
	 * when the buffer has no room, and when its index was used before: two packets under one index would give the keystream away (RFC 3711 §9.1,
	 * RFC 7714 §8.4).
	 */
	protectRtp(packet: Uint8Array, length: number): number {
		const headerLength = rtpHeaderLength(packet, length);
		const end = length + this.#transform.overhead;
		if (headerLength === 0 || end > packet.length) return 0;
		const sequence = readUint16(packet, 2);
		const ssrc = readUint32(packet, 8);
		const stream = this.#stream(ssrc, sequence);
		if (stream === undefined) return 0;
		const index = stream.estimate(sequence);
		if (!stream.isNew(index) || index >= MAX_INDEX) return 0;
		stream.take(index);
		this.#transform.sealRtp(packet, headerLength, length, ssrc, Math.floor(index / 0x10000), sequence);
		return end;
	}

	/** For a key after this one. */
	rollovers(): Rollovers {
		return rolloversOf(this.#streams, new Map());
	}

	/** The peer turns out to go on counting under a new key (RFC 3711 §3.3.1): so do we. Indices only grow, so that none is used twice. */
	goOnFrom(before: Rollovers): void {
		for (const [ssrc, index] of before) {
			const known = this.#streams.get(ssrc);
			if (known !== undefined) known.goOnFrom(new IndexWindow(index).estimate(known.highest % 0x10000));
			else if (!this.#streams.full) this.#streams.add(ssrc, new IndexWindow(index));
		}
	}

	/** The same for a compound RTCP packet (RFC 3711 §3.4). */
	protectRtcp(packet: Uint8Array, length: number): number {
		const end = length + this.#transform.rtcpOverhead;
		if (length < RTCP_CLEAR_BYTES || end > packet.length) return 0;
		const ssrc = readUint32(packet, 4);
		let indices = this.#rtcpIndices.get(ssrc);
		if (indices === undefined) {
			if (this.#rtcpIndices.full) return 0;
			// RFC 3711 §3.4: it begins at 0 and is one more before each packet; so the first one has 1
			indices = { next: 1 };
			this.#rtcpIndices.add(ssrc, indices);
		}
		if (indices.next >= MAX_RTCP_INDEX) return 0;
		this.#transform.sealRtcp(packet, length, ssrc, indices.next);
		indices.next += 1;
		return end;
	}

	/** A stream that is forgotten could use its indices again; so none is, and there is an end to new ones. */
	#stream(ssrc: number, sequence: number): IndexWindow | undefined {
		const known = this.#streams.get(ssrc);
		if (known !== undefined || this.#streams.full) return known;
		const stream = new IndexWindow(sequence);
		this.#streams.add(ssrc, stream);
		return stream;
	}
}
