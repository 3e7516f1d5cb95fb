import { readUint16, readUint32 } from "./bytes.ts";
import type { SrtpCrypto } from "./crypto.ts";
import { rtpHeaderLength } from "./rtp-header.ts";
import { IndexWindow, type Rollovers, rolloversOf, Streams } from "./streams.ts";
import { SRTP_SUITES, type SrtpSuite } from "./suites.ts";
import { RTCP_CLEAR_BYTES, RTCP_INDEX_BYTES, type Transform, transformFor } from "./transform.ts";

/** Of one key. A peer that has more, one after the other, costs no more than these. */
const MAX_STREAMS = 16;

/** Opens what arrives under one master key: authenticates, drops replays, decrypts. */
export class SrtpReceiver {
	readonly suite: SrtpSuite;
	readonly #transform: Transform;
	readonly #rtcpTagEnd: number;
	readonly #streams: Streams<IndexWindow>;
	readonly #rtcpStreams: Streams<IndexWindow>;

	readonly #before: Rollovers;
	/** the peer's counters have gone on under the new key */
	keptRollover = false;

	/**
	 * `master` = master key and salt, as in `a=crypto`. Throws RangeError when it has not the suite's length. `before`: counters under the key before. RFC 3711
	 * §3.3.1 has them go on, RFC 4568 §7.1.4 begin anew where an address changes, and peers do the one or the other: the first packet tells.
	 * `maxStreams`: of a connection that carries many, as a room's does.
	 */
	constructor(crypto: SrtpCrypto, suite: SrtpSuite, master: Uint8Array, before: Rollovers = new Map(), maxStreams = MAX_STREAMS) {
		this.#streams = new Streams(maxStreams);
		this.#rtcpStreams = new Streams(maxStreams);
		this.#before = before;
		this.suite = suite;
		this.#transform = transformFor(crypto, suite, master);
		// RFC 3711 §3.4: the tag comes after the index; RFC 7714 §9.2: before it
		this.#rtcpTagEnd = SRTP_SUITES[suite].mode === "gcm" ? 0 : SRTP_SUITES[suite].rtcpTagBytes;
	}

	/** Decrypts in place; the plain packet is a view of it. Undefined, and the bytes as they were: no RTP, forged, replayed or too old. */
	unprotectRtp(packet: Uint8Array): Uint8Array | undefined {
		const length = packet.length - this.#transform.overhead;
		const headerLength = rtpHeaderLength(packet, length);
		if (headerLength === 0) return undefined;
		const sequence = readUint16(packet, 2);
		const ssrc = readUint32(packet, 8);
		const known = this.#streams.get(ssrc);
		const stream = known ?? new IndexWindow(sequence);
		if (this.#opens(packet, headerLength, ssrc, sequence, stream)) {
			// Only an authenticated packet moves the window or adds a stream.
			if (known === undefined) this.#streams.add(ssrc, stream);
		} else if (known !== undefined || !this.#goesOn(packet, headerLength, ssrc, sequence)) return undefined;
		return packet.subarray(0, length);
	}

	/** For a key after this one. */
	rollovers(): Rollovers {
		return rolloversOf(this.#streams, this.#before);
	}

	#opens(packet: Uint8Array, headerLength: number, ssrc: number, sequence: number, stream: IndexWindow): boolean {
		const index = stream.estimate(sequence);
		if (!stream.isNew(index) || !this.#transform.openRtp(packet, headerLength, ssrc, Math.floor(index / 0x10000), sequence)) return false;
		stream.take(index);
		return true;
	}

	#goesOn(packet: Uint8Array, headerLength: number, ssrc: number, sequence: number): boolean {
		const before = this.#before.get(ssrc);
		const index = before === undefined ? 0 : new IndexWindow(before).estimate(sequence);
		if (index < 0x10000) return false;
		const stream = new IndexWindow(index);
		if (!this.#opens(packet, headerLength, ssrc, sequence, stream)) return false;
		this.#streams.add(ssrc, stream);
		this.keptRollover = true;
		return true;
	}

	/** The same for a compound RTCP packet (RFC 3711 §3.4). */
	unprotectRtcp(packet: Uint8Array): Uint8Array | undefined {
		const length = packet.length - this.#transform.rtcpOverhead;
		if (length < RTCP_CLEAR_BYTES || (packet[0] ?? 0) >> 6 !== 2) return undefined;
		const word = readUint32(packet, packet.length - this.#rtcpTagEnd - RTCP_INDEX_BYTES);
		// What we agree upon is encrypted, RTCP too (RFC 4568 §6.3.2); a packet without the E flag is none of it.
		if (word < 0x8000_0000) return undefined;
		const index = word - 0x8000_0000;
		const ssrc = readUint32(packet, 4);
		const known = this.#rtcpStreams.get(ssrc);
		const stream = known ?? new IndexWindow(index);
		if (!stream.isNew(index) || !this.#transform.openRtcp(packet, ssrc, index)) return undefined;
		stream.take(index);
		if (known === undefined) this.#rtcpStreams.add(ssrc, stream);
		return packet.subarray(0, length);
	}
}
