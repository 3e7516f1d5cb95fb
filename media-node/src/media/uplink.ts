import { audioLevelG711, decodeG711, encodeG711, transcodeG711 } from "@trunkline/audio";
import type { AudioUplink, EncodedFrame, PhoneCodec } from "../call/ports.ts";
import { OpusFrom8k } from "./opus.ts";

const MAX_PAYLOAD = 1_500;

/**
 * Telephone → room. G.711 goes straight through where the room takes the telephone's law, by table where it takes the other one, and as
 * narrow-band Opus where it takes neither. Buffers are reused: nothing is allocated per packet but by the Opus encoder.
 */
export class Uplink {
	readonly #uplink: AudioUplink;
	readonly #scratch = new Uint8Array(MAX_PAYLOAD);
	readonly #pcm = new Int16Array(MAX_PAYLOAD);
	readonly #frame: EncodedFrame;
	/** what frames of G.711 are sent as; undefined = as they come */
	readonly #law: PhoneCodec | undefined;
	readonly #opus: OpusFrom8k | undefined;
	#opusSequence = 0;
	#opusTimestamp = 0;

	constructor(uplink: AudioUplink) {
		this.#uplink = uplink;
		this.#frame = { codec: uplink.codec, payload: this.#scratch, timestamp: 0, sequence: 0, marker: false };
		this.#law = uplink.takesG711 === true || uplink.codec === "opus" ? undefined : uplink.codec;
		this.#opus = uplink.codec === "opus" ? new OpusFrom8k() : undefined;
	}

	/** One packet from the telephone; `timestamp` and `sequence` are the telephone's own. */
	write(codec: PhoneCodec, payload: Uint8Array, timestamp: number, sequence: number, marker: boolean): void {
		if (payload.length === 0 || payload.length > MAX_PAYLOAD) return;
		const level = audioLevelG711(codec, payload);
		const frame = this.#frame;
		if (this.#opus !== undefined) return this.#writeOpus(this.#opus, codec, payload, level);
		frame.timestamp = timestamp;
		frame.sequence = sequence;
		frame.marker = marker;
		if (this.#law === undefined || codec === this.#law) {
			frame.codec = codec;
			frame.payload = payload;
		} else {
			const out = this.#scratch.subarray(0, payload.length);
			transcodeG711(codec, payload, out);
			frame.codec = this.#law;
			frame.payload = out;
		}
		this.#uplink.write(frame, level);
	}

	/** Audio that we make ourselves (ringback), 8 kHz. */
	writePcm(pcm: Int16Array, timestamp: number, sequence: number, level: number): void {
		const frame = this.#frame;
		if (this.#opus !== undefined) return this.#encodeOpus(this.#opus, pcm, level);
		const out = this.#scratch.subarray(0, pcm.length);
		const law = this.#law ?? "PCMU";
		encodeG711(law, pcm, out);
		frame.codec = law;
		frame.payload = out;
		frame.timestamp = timestamp;
		frame.sequence = sequence;
		frame.marker = false;
		this.#uplink.write(frame, level);
	}

	#writeOpus(opus: OpusFrom8k, codec: PhoneCodec, payload: Uint8Array, level: number): void {
		const pcm = this.#pcm.subarray(0, payload.length);
		decodeG711(codec, payload, pcm);
		this.#encodeOpus(opus, pcm, level);
	}

	#encodeOpus(opus: OpusFrom8k, pcm: Int16Array, level: number): void {
		opus.encode(pcm, (packet) => {
			const frame = this.#frame;
			frame.payload = packet;
			frame.sequence = this.#opusSequence;
			frame.timestamp = this.#opusTimestamp;
			frame.marker = false;
			this.#opusSequence = (this.#opusSequence + 1) & 0xffff;
			// RFC 7587 §4.1: the RTP clock of Opus is 48 kHz whatever it encodes
			this.#opusTimestamp = (this.#opusTimestamp + 960) >>> 0;
			this.#uplink.write(frame, level);
		});
	}
}
