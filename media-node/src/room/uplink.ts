/** The published track: frames of a call re-stamped into one RTP stream of our own. */
import type { AudioUplink, EncodedFrame, RoomCodec } from "../call/ports.ts";

export const CLOCK_RATE: Readonly<Record<RoomCodec, number>> = { PCMU: 8000, PCMA: 8000, opus: 48000 };

/** A jump of more packets than this is another source, not loss (RFC 3550 A.1 MAX_DROPOUT is 3000; a telephone leg has 50 packets a second). */
const MAX_GAP = 500;
/** A packet this much older than the newest is late, not a new source (RFC 3550 A.1 MAX_MISORDER). */
const MAX_MISORDER = 100;
/** above MAX_MISORDER; what is older than that is never sent as a late packet */
const REMEMBERED = 128;
const FRAME_MS = 20;

/** What a connection has agreed with the server about our track. */
export interface UplinkStream {
	payloadType: number;
	ssrc: number;
	/** id of the RFC 6464 extension, when the server took it */
	audioLevelId: number | undefined;
}

export interface UplinkParameters extends UplinkStream {
	codec: RoomCodec;
	/** first sequence number and timestamp (RFC 3550 §5.1: random) */
	sequence: number;
	timestamp: number;
	/** monotonic milliseconds */
	now: () => number;
	/** `header`: its bytes, which are the same memory for every packet */
	send: (payload: Uint8Array, header: Uint8Array) => void;
}

export class Uplink implements AudioUplink {
	readonly codec: RoomCodec;
	readonly #parameters: UplinkParameters;
	#header: UplinkHeader;
	#ssrc: number;
	/** Nothing is sent; what comes after it begins anew, without a gap in our numbers. */
	#muted = false;
	#wasMuted = false;
	readonly #clockRate: number;
	#sequence: number;
	#timestamp: number;
	#lastIn: { sequence: number; timestamp: number } | undefined;
	/** our latest sequence numbers, each at its place modulo REMEMBERED; -1 = none yet */
	readonly #used = new Int32Array(REMEMBERED).fill(-1);
	#lastSentAt = 0;
	#packets = 0;
	#octets = 0;

	constructor(parameters: UplinkParameters) {
		this.codec = parameters.codec;
		this.#parameters = parameters;
		this.#clockRate = CLOCK_RATE[parameters.codec];
		this.#sequence = parameters.sequence;
		this.#timestamp = parameters.timestamp;
		this.#ssrc = parameters.ssrc;
		this.#header = new UplinkHeader(parameters);
	}

	/** Packets go by another connection from now on, under its keys. Numbers go on. */
	changeTo(stream: UplinkStream): void {
		this.#ssrc = stream.ssrc;
		this.#header = new UplinkHeader(stream);
	}

	mute(muted: boolean): void {
		this.#muted = muted;
		this.#wasMuted ||= muted && this.#lastIn !== undefined;
	}

	write(frame: EncodedFrame, level: number): void {
		if (this.#muted) return;
		if (frame.codec !== this.codec) throw new Error(`a ${frame.codec} frame was written to a ${this.codec} track`);
		const now = this.#parameters.now();
		const header = this.#header;
		header.marker = frame.marker;
		if (!this.#stamp(frame, now)) return;
		header.level = level;
		this.#packets = (this.#packets + 1) >>> 0;
		this.#octets = (this.#octets + frame.payload.length) >>> 0;
		this.#lastSentAt = now;
		this.#parameters.send(frame.payload, header.bytes());
	}

	/** What an RTCP sender report says (RFC 3550 §6.4.1); undefined before the first packet. */
	report(): { ssrc: number; timestamp: number; packets: number; octets: number } | undefined {
		if (this.#lastIn === undefined) return undefined;
		const elapsed = this.#parameters.now() - this.#lastSentAt;
		const timestamp = (this.#timestamp + Math.round((elapsed * this.#clockRate) / 1000)) >>> 0;
		return { ssrc: this.#ssrc, timestamp, packets: this.#packets, octets: this.#octets };
	}

	/**
	 * Carries gaps and late packets of the source over to our numbers, and joins two sources without a gap. False: the packet was here before.
	 * It is no new audio, and must not be encrypted anew: two packets under one index give the keystream away (RFC 3711 §9.1, RFC 7714 §8.4).
	 */
	#stamp(frame: EncodedFrame, now: number): boolean {
		const header = this.#header;
		const last = this.#lastIn;
		if (last === undefined) {
			this.#lastIn = { sequence: frame.sequence, timestamp: frame.timestamp };
		} else {
			// as of another source: far away from the one before
			const step = this.#wasMuted ? MAX_GAP + 1 : (frame.sequence - last.sequence) & 0xffff;
			const ticks = (frame.timestamp - last.timestamp) | 0;
			this.#wasMuted = false;
			if (step === 0 && ticks === 0) return false;
			if (step > 0xffff - MAX_MISORDER && ticks < 0) {
				header.sequenceNumber = (this.#sequence + step) & 0xffff;
				header.timestamp = (this.#timestamp + ticks) >>> 0;
				return this.#use(header.sequenceNumber);
			}
			if (step > 0 && step <= MAX_GAP && ticks >= 0 && ticks <= MAX_GAP * 10 * this.#clockRate) {
				this.#sequence = (this.#sequence + step) & 0xffff;
				this.#timestamp = (this.#timestamp + ticks) >>> 0;
			} else {
				// RFC 3550 §5.1: the timestamp goes on with the sampling clock, which is real time when nothing was sent
				const elapsedMs = Math.max(FRAME_MS, Math.round((now - this.#lastSentAt) / FRAME_MS) * FRAME_MS);
				this.#sequence = (this.#sequence + 1) & 0xffff;
				this.#timestamp = (this.#timestamp + (elapsedMs * this.#clockRate) / 1000) >>> 0;
				header.marker = true;
			}
			last.sequence = frame.sequence;
			last.timestamp = frame.timestamp;
		}
		header.sequenceNumber = this.#sequence;
		header.timestamp = this.#timestamp;
		return this.#use(this.#sequence);
	}

	#use(sequence: number): boolean {
		const place = sequence % REMEMBERED;
		if (this.#used[place] === sequence) return false;
		this.#used[place] = sequence;
		return true;
	}
}

/** RFC 8285 §4.2 */
const ONE_BYTE_PROFILE = 0xbede;

/** An RTP header that writes itself into one buffer of its own: no extension objects, no allocation. */
class UplinkHeader {
	marker = false;
	sequenceNumber = 0;
	timestamp = 0;
	/** -dBov, 0 … 127 */
	level = 127;
	readonly #payloadType: number;
	readonly #bytes: Buffer<ArrayBuffer>;
	readonly #hasLevel: boolean;

	constructor({ ssrc, payloadType, audioLevelId }: UplinkStream) {
		this.#payloadType = payloadType;
		this.#hasLevel = audioLevelId !== undefined;
		this.#bytes = Buffer.alloc(this.#hasLevel ? 20 : 12);
		this.#bytes[0] = this.#hasLevel ? 0x90 : 0x80;
		this.#bytes.writeUInt32BE(ssrc, 8);
		if (audioLevelId !== undefined) {
			// one-byte headers, one word: id and length 1, the level, two bytes of padding
			this.#bytes.writeUInt16BE(ONE_BYTE_PROFILE, 12);
			this.#bytes.writeUInt16BE(1, 14);
			this.#bytes[16] = audioLevelId << 4;
		}
	}

	bytes(): Buffer<ArrayBuffer> {
		const bytes = this.#bytes;
		bytes[1] = (this.marker ? 0x80 : 0) | this.#payloadType;
		bytes.writeUInt16BE(this.sequenceNumber, 2);
		bytes.writeUInt32BE(this.timestamp, 4);
		// RFC 6464 §3: V, the voice activity bit, stays 0: nobody here detects voice
		if (this.#hasLevel) bytes[17] = this.level & 0x7f;
		return bytes;
	}
}
