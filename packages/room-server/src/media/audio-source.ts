import { type AudioCodec, codecIndex, clockRate, FRAMES_PER_SECOND } from "./audio-codec.ts";
import type { AudioSink } from "./audio-sink.ts";
import { findExtension } from "./rtp-header.ts";

/** RFC 6464 §3: the level of a packet whose publisher says none */
const UNKNOWN_LEVEL = -1;
const SILENCE = 127;
/** -dBov: frames at least this loud count as speech; LiveKit's own default (`active_level` 35) */
const SPEECH_LEVEL = 35;

/** What a published section negotiated. */
export interface AudioSourceFormat {
	/** payload type → codec, of what the publisher may send */
	codecs: ReadonlyMap<number, AudioCodec>;
	/** RFC 6464 extension id, 0 when not negotiated */
	levelExtension: number;
}

/**
 * One published audio track: every packet that comes in goes out to each sink as it is, never transcoded. This is the 20 ms path: no allocation
 * but the outgoing packets.
 */
export class AudioSource {
	readonly kind = "audio";
	muted = false;
	readonly #codecByPayloadType = new Int8Array(128).fill(-1);
	readonly #sinks: AudioSink[] = [];
	#levelExtension = 0;
	#ssrc = -1;
	#frames = 0;
	#loudFrames = 0;
	#loudest = SILENCE;

	configure(format: AudioSourceFormat): void {
		this.#codecByPayloadType.fill(-1);
		for (const [payloadType, codec] of format.codecs) this.#codecByPayloadType[payloadType & 0x7f] = codecIndex(codec);
		this.#levelExtension = format.levelExtension;
	}

	addSink(sink: AudioSink): void {
		if (!this.#sinks.includes(sink)) this.#sinks.push(sink);
	}

	removeSink(sink: AudioSink): void {
		const at = this.#sinks.indexOf(sink);
		if (at !== -1) this.#sinks.splice(at, 1);
	}

	get sinkCount(): number {
		return this.#sinks.length;
	}

	/** An authenticated packet of this track. */
	write(packet: Buffer, headerLength: number, decrypted: Buffer): void {
		const second = packet[1] ?? 0;
		const codec = this.#codecByPayloadType[second & 0x7f] ?? -1;
		if (codec === -1 || this.muted) return;
		let payload = decrypted;
		if (((packet[0] ?? 0) & 0x20) !== 0) {
			// RFC 3550 §5.1: the last byte counts the padding, itself included
			const padding = decrypted[decrypted.length - 1] ?? 0;
			if (padding === 0 || padding > decrypted.length) return;
			payload = decrypted.subarray(0, decrypted.length - padding);
		}
		if (payload.length === 0) return;
		const sequence = packet.readUInt16BE(2);
		const timestamp = packet.readUInt32BE(4);
		const ssrc = packet.readUInt32BE(8);
		if (ssrc !== this.#ssrc) {
			if (this.#ssrc !== -1) for (const sink of this.#sinks) sink.rebase(sequence, timestamp, clockRate(codec) / FRAMES_PER_SECOND);
			this.#ssrc = ssrc;
		}
		const level = this.#readLevel(packet, headerLength);
		for (const sink of this.#sinks) sink.write(codec, second >= 0x80, sequence, timestamp, level, payload);
	}

	/** What was heard since the last call: frames that said their level, how many of them were speech, and the loudest, in -dBov. */
	takeActivity(): { frames: number; loudFrames: number; loudest: number } {
		const activity = { frames: this.#frames, loudFrames: this.#loudFrames, loudest: this.#loudest };
		this.#frames = 0;
		this.#loudFrames = 0;
		this.#loudest = SILENCE;
		return activity;
	}

	#readLevel(packet: Buffer, headerLength: number): number {
		if (this.#levelExtension === 0) return UNKNOWN_LEVEL;
		const at = findExtension(packet, headerLength, this.#levelExtension);
		if (at === -1) return UNKNOWN_LEVEL;
		const element = packet[at] ?? SILENCE;
		const level = element & 0x7f;
		this.#frames++;
		if (level <= SPEECH_LEVEL) this.#loudFrames++;
		if (level < this.#loudest) this.#loudest = level;
		return element;
	}
}
