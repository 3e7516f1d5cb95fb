import { type AudioCodec, codecIndex } from "./audio-codec.ts";

/** Where a sink's packets leave: one peer connection. */
export interface RtpOutput {
	readonly rtpOverhead: number | undefined;
	sendRtp(out: Buffer, headerLength: number, payload: Uint8Array): void;
	/** sends what `sendRtp` has protected already once more, byte for byte */
	resend(packet: Buffer): void;
}

/** What a subscriber's section negotiated. */
export interface AudioSinkFormat {
	payloadTypes: ReadonlyMap<AudioCodec, number>;
	/** RFC 6464 extension id, 0 when not negotiated */
	levelExtension: number;
}

const PLAIN_HEADER_BYTES = 12;
/** RFC 8285 §4.2: one 4 byte extension header and one word with the level */
const LEVEL_HEADER_BYTES = 20;

/** One track on its way to one subscriber: own SSRC and payload types, the publisher's sequence and timestamps kept continuous. */
export class AudioSink {
	readonly kind = "audio";
	readonly ssrc: number;
	paused = false;
	readonly #output: RtpOutput;
	readonly #payloadTypes = new Int16Array(3).fill(-1);
	#levelExtension = 0;
	#sequenceOffset = 0;
	#timestampOffset = 0;
	#lastSequence = -1;
	#lastTimestamp = 0;
	#wasPaused = false;

	constructor(output: RtpOutput, ssrc: number) {
		this.#output = output;
		this.ssrc = ssrc;
	}

	configure(format: AudioSinkFormat): void {
		this.#payloadTypes.fill(-1);
		for (const [codec, payloadType] of format.payloadTypes) this.#payloadTypes[codecIndex(codec)] = payloadType;
		this.#levelExtension = format.levelExtension;
	}

	/** The publisher's stream starts anew at these numbers: the subscriber's goes on `timestampStep` after the last packet. */
	rebase(sequence: number, timestamp: number, timestampStep: number): void {
		if (this.#lastSequence === -1) return;
		this.#sequenceOffset = (this.#lastSequence + 1 - sequence) & 0xffff;
		this.#timestampOffset = (this.#lastTimestamp + timestampStep - timestamp) >>> 0;
	}

	write(codec: number, marker: boolean, sequence: number, timestamp: number, level: number, payload: Buffer): void {
		const payloadType = this.#payloadTypes[codec] ?? -1;
		const overhead = this.#output.rtpOverhead;
		if (payloadType === -1 || overhead === undefined) return;
		if (this.paused) {
			this.#wasPaused = true;
			return;
		}
		if (this.#wasPaused) {
			// what was held back must not look like loss
			this.#wasPaused = false;
			if (this.#lastSequence !== -1) this.#sequenceOffset = (this.#lastSequence + 1 - sequence) & 0xffff;
		}
		const withLevel = this.#levelExtension !== 0 && level >= 0;
		const headerLength = withLevel ? LEVEL_HEADER_BYTES : PLAIN_HEADER_BYTES;
		const out = Buffer.allocUnsafe(headerLength + payload.length + overhead);
		const outSequence = (sequence + this.#sequenceOffset) & 0xffff;
		const outTimestamp = (timestamp + this.#timestampOffset) >>> 0;
		out[0] = withLevel ? 0x90 : 0x80;
		out[1] = marker ? payloadType | 0x80 : payloadType;
		out.writeUInt16BE(outSequence, 2);
		out.writeUInt32BE(outTimestamp, 4);
		out.writeUInt32BE(this.ssrc, 8);
		if (withLevel) {
			out.writeUInt32BE(0xbede0001, 12);
			out.writeUInt32BE(((this.#levelExtension << 28) | (level << 16)) >>> 0, 16);
		}
		if (((outSequence - this.#lastSequence) & 0xffff) < 0x8000 || this.#lastSequence === -1) {
			this.#lastSequence = outSequence;
			this.#lastTimestamp = outTimestamp;
		}
		this.#output.sendRtp(out, headerLength, payload);
	}
}
