import { decodeG711, G722Decoder, Resampler } from "@trunkline/audio";
import { timestampDelta } from "@trunkline/rtp";
import type { AudioCodec } from "@trunkline/sdp";
import { OpusListener } from "./opus.ts";

const RATE = 8000;
/** of its clock in one sample (RFC 7587 §4.1) */
const OPUS_TICKS = 6;
/** A jump of the sender's time line by more than this is not a gap to be filled with silence. */
const MAX_GAP_SAMPLES = 5 * RATE;

/** One packet of audio as it came. */
export interface ReceivedPacket {
	/** `performance.now()` when the socket gave it */
	arrivalMs: number;
	sequence: number;
	timestamp: number;
	/** where its first sample lies in the recording */
	offset: number;
	samples: number;
}

/**
 * What was heard: PCM at 8 kHz, each packet at the place that its RTP timestamp tells, silence where packets are missing. Memory is
 * bounded: what is older than `maxMs` makes room.
 */
export class Recording {
	readonly #maxSamples: number;
	#pcm = new Int16Array(RATE);
	#wide: { decoder: G722Decoder; narrow: Resampler } | undefined;
	#opus: OpusListener | undefined;
	#length = 0;
	/** samples that had to make room */
	#dropped = 0;
	#packets: ReceivedPacket[] = [];
	/** timestamp and offset that the time line hangs on */
	#anchor: { ssrc: number; timestamp: number; offset: number } | undefined;

	constructor(maxMs: number) {
		this.#maxSamples = Math.max(RATE, Math.round((maxMs * RATE) / 1000));
	}

	/** How long the recording is, with what made room, ms. */
	get durationMs(): number {
		return ((this.#dropped + this.#length) * 1000) / RATE;
	}

	/** Every packet that is still in the recording, in order of arrival; offsets count from the beginning of `pcm()`. */
	get packets(): readonly ReceivedPacket[] {
		return this.#packets.map((packet) => ({ ...packet, offset: packet.offset - this.#dropped }));
	}

	/** All samples; a copy. */
	pcm(): Int16Array {
		return this.#pcm.slice(0, this.#length);
	}

	/** The last `ms` of what was heard; shorter when there is less. */
	last(ms: number): Int16Array {
		return this.#pcm.slice(Math.max(0, this.#length - Math.round((ms * RATE) / 1000)), this.#length);
	}

	/** Forgets what was heard until now. */
	clear(): void {
		this.#dropped += this.#length;
		this.#length = 0;
		this.#packets = [];
	}

	add(codec: AudioCodec, payload: Uint8Array, packet: { ssrc: number; sequence: number; timestamp: number }, arrivalMs: number): void {
		const heard = codec === "opus" ? (this.#opus ??= new OpusListener()).decode(payload) : undefined;
		const samples = heard?.length ?? payload.length;
		const offset = this.#place(packet.ssrc, packet.timestamp, codec === "opus" ? OPUS_TICKS : 1);
		this.#reserve(offset - this.#dropped + samples);
		const at = offset - this.#dropped;
		if (at < 0) return; // older than what is kept
		this.#pcm.fill(0, this.#length, Math.max(this.#length, at));
		if (heard !== undefined) this.#pcm.set(heard, at);
		else if (codec !== "opus") this.#decode(codec, payload, this.#pcm.subarray(at));
		this.#length = Math.max(this.#length, at + samples);
		this.#packets.push({ arrivalMs, sequence: packet.sequence, timestamp: packet.timestamp, offset, samples });
	}

	#decode(codec: Exclude<AudioCodec, "opus">, payload: Uint8Array, into: Int16Array): void {
		if (codec !== "G722") return void decodeG711(codec, payload, into);
		this.#wide ??= { decoder: new G722Decoder(), narrow: new Resampler(16_000, RATE) };
		const pcm = new Int16Array(payload.length * 2);
		this.#wide.decoder.decode(payload, pcm);
		this.#wide.narrow.process(pcm, into);
	}

	/** `ticks` of the RTP clock are one sample. */
	#place(ssrc: number, timestamp: number, ticks: number): number {
		const end = this.#dropped + this.#length;
		if (this.#anchor !== undefined && this.#anchor.ssrc === ssrc) {
			const offset = this.#anchor.offset + Math.round(timestampDelta(this.#anchor.timestamp, timestamp) / ticks);
			if (Math.abs(offset - end) <= MAX_GAP_SAMPLES) {
				if (offset > this.#anchor.offset) this.#anchor = { ssrc, timestamp, offset };
				return offset;
			}
		}
		this.#anchor = { ssrc, timestamp, offset: end };
		return end;
	}

	#reserve(length: number): void {
		if (length > this.#maxSamples) {
			// half of it at once, so that this is rare
			const drop = Math.min(this.#length, Math.max(length - this.#maxSamples, this.#maxSamples >> 1));
			this.#pcm.copyWithin(0, drop, this.#length);
			this.#length -= drop;
			this.#dropped += drop;
			this.#packets = this.#packets.filter((packet) => packet.offset >= this.#dropped);
			length -= drop;
		}
		if (length <= this.#pcm.length) return;
		const grown = new Int16Array(Math.max(length, this.#pcm.length * 2));
		grown.set(this.#pcm.subarray(0, this.#length));
		this.#pcm = grown;
	}
}
