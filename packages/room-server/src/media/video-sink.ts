import type { RtpOutput } from "./audio-sink.ts";
import type { VideoCodec } from "./video-codec.ts";

/** sent packets kept for a subscriber that lost some: half a second of 3 Mbit/s */
const KEPT_PACKETS = 256;
const HEADER_BYTES = 12;

/** What a video sink asks of its source. */
export interface VideoOrigin {
	requestKeyFrame(): void;
	requestAgain(sequences: readonly number[]): void;
}

/** One video track on its way to one subscriber: own SSRC and payload types, numbers kept continuous, lost packets sent again as they were. */
export class VideoSink {
	readonly kind = "video";
	readonly ssrc: number;
	readonly #output: RtpOutput;
	readonly #payloadTypes = new Map<string, number>();
	readonly #kept: (Buffer | undefined)[] = Array.from({ length: KEPT_PACKETS });
	#origin: VideoOrigin | undefined;
	#sequenceOffset = 0;
	#timestampOffset = 0;
	#lastSequence = -1;
	#lastTimestamp = 0;
	#paused = false;
	#resumed = false;

	constructor(output: RtpOutput, ssrc: number) {
		this.#output = output;
		this.ssrc = ssrc;
	}

	get paused(): boolean {
		return this.#paused;
	}

	set paused(paused: boolean) {
		if (this.#paused && !paused) {
			this.#resumed = true;
			this.#origin?.requestKeyFrame();
		}
		this.#paused = paused;
	}

	configure(payloadTypes: ReadonlyMap<number, VideoCodec>): void {
		this.#payloadTypes.clear();
		for (const [payloadType, { key }] of payloadTypes) if (!this.#payloadTypes.has(key)) this.#payloadTypes.set(key, payloadType);
	}

	/** A subscriber begins with a key frame. */
	attach(origin: VideoOrigin): void {
		this.#origin = origin;
		origin.requestKeyFrame();
	}

	/** The publisher's stream starts anew at these numbers. */
	rebase(sequence: number, timestamp: number): void {
		if (this.#lastSequence === -1) return;
		this.#sequenceOffset = (this.#lastSequence + 1 - sequence) & 0xffff;
		// a thirtieth of a second of RTP's 90 kHz
		this.#timestampOffset = (this.#lastTimestamp + 3_000 - timestamp) >>> 0;
	}

	requestKeyFrame(): void {
		this.#origin?.requestKeyFrame();
	}

	/** The subscriber lost these: what is kept goes again, byte for byte; what never came here is asked for upstream. */
	sendAgain(sequences: readonly number[]): void {
		const unknown: number[] = [];
		for (const sequence of sequences) {
			const packet = this.#kept[sequence % KEPT_PACKETS];
			if (packet !== undefined && packet.readUInt16BE(2) === sequence) this.#output.resend(packet);
			else unknown.push((sequence - this.#sequenceOffset) & 0xffff);
		}
		if (unknown.length > 0) this.#origin?.requestAgain(unknown);
	}

	write(codec: VideoCodec, marker: boolean, sequence: number, timestamp: number, payload: Buffer): void {
		const payloadType = this.#payloadTypes.get(codec.key);
		const overhead = this.#output.rtpOverhead;
		if (payloadType === undefined || overhead === undefined || this.#paused) return;
		if (this.#resumed) {
			this.#resumed = false;
			// what was held back must not look like loss
			if (this.#lastSequence !== -1) this.#sequenceOffset = (this.#lastSequence + 1 - sequence) & 0xffff;
		}
		const out = Buffer.allocUnsafe(HEADER_BYTES + payload.length + overhead);
		const outSequence = (sequence + this.#sequenceOffset) & 0xffff;
		const outTimestamp = (timestamp + this.#timestampOffset) >>> 0;
		out[0] = 0x80;
		out[1] = marker ? payloadType | 0x80 : payloadType;
		out.writeUInt16BE(outSequence, 2);
		out.writeUInt32BE(outTimestamp, 4);
		out.writeUInt32BE(this.ssrc, 8);
		if (((outSequence - this.#lastSequence) & 0xffff) < 0x8000 || this.#lastSequence === -1) {
			this.#lastSequence = outSequence;
			this.#lastTimestamp = outTimestamp;
		}
		this.#output.sendRtp(out, HEADER_BYTES, payload);
		this.#kept[outSequence % KEPT_PACKETS] = out;
	}
}
