import { limits } from "../limits.ts";
import { nack, pictureLoss, reportWithLimit } from "./rtcp.ts";
import type { VideoCodec } from "./video-codec.ts";
import type { VideoOrigin, VideoSink } from "./video-sink.ts";

/** ms between two requests for a key frame: many subscribers ask at once */
const KEY_FRAME_INTERVAL_MS = 500;
/** ms between two receiver reports */
const REPORT_INTERVAL_MS = 1_000;
const OUR_SSRC = 1;

/** One published video track: every packet goes to each sink as it is; what subscribers ask for goes back to the publisher. */
export class VideoSource implements VideoOrigin {
	readonly kind = "video";
	readonly #sendRtcp: (packet: Buffer) => void;
	readonly #now: () => number;
	readonly #sinks: VideoSink[] = [];
	#muted = false;
	#codecs: ReadonlyMap<number, VideoCodec> = new Map();
	#ssrc = -1;
	#keyFrameAt = Number.NEGATIVE_INFINITY;
	#wantsKeyFrame = false;
	#reportAt = Number.NEGATIVE_INFINITY;
	#bytes = 0;
	#packets = 0;
	#reportedHighest = -1;
	#highest = -1;

	/** `now`: ms of any steady clock */
	constructor(sendRtcp: (packet: Buffer) => void, now: () => number) {
		this.#sendRtcp = sendRtcp;
		this.#now = now;
	}

	get muted(): boolean {
		return this.#muted;
	}

	set muted(muted: boolean) {
		if (this.#muted && !muted) this.requestKeyFrame();
		this.#muted = muted;
	}

	configure(codecs: ReadonlyMap<number, VideoCodec>): void {
		this.#codecs = codecs;
	}

	addSink(sink: VideoSink): void {
		if (this.#sinks.includes(sink)) return;
		this.#sinks.push(sink);
		sink.attach(this);
	}

	removeSink(sink: VideoSink): void {
		const at = this.#sinks.indexOf(sink);
		if (at !== -1) this.#sinks.splice(at, 1);
	}

	get sinkCount(): number {
		return this.#sinks.length;
	}

	requestKeyFrame(): void {
		this.#wantsKeyFrame = true;
		const now = this.#now();
		if (this.#ssrc === -1 || now - this.#keyFrameAt < KEY_FRAME_INTERVAL_MS) return;
		this.#wantsKeyFrame = false;
		this.#keyFrameAt = now;
		this.#sendRtcp(pictureLoss(OUR_SSRC, this.#ssrc));
	}

	requestAgain(sequences: readonly number[]): void {
		if (this.#ssrc !== -1) this.#sendRtcp(nack(OUR_SSRC, this.#ssrc, sequences));
	}

	/** An authenticated packet of this track. */
	write(packet: Buffer, _headerLength: number, decrypted: Buffer): void {
		const second = packet[1] ?? 0;
		const codec = this.#codecs.get(second & 0x7f);
		if (codec === undefined) return;
		const sequence = packet.readUInt16BE(2);
		const timestamp = packet.readUInt32BE(4);
		const ssrc = packet.readUInt32BE(8);
		if (ssrc !== this.#ssrc) {
			if (this.#ssrc !== -1) for (const sink of this.#sinks) sink.rebase(sequence, timestamp);
			this.#ssrc = ssrc;
			this.#highest = sequence;
			this.#reportedHighest = sequence;
			this.requestKeyFrame();
		}
		this.#count(sequence, packet.length);
		if (this.#wantsKeyFrame) this.requestKeyFrame();
		// twice what it has been told (REMB) is no peer that heeds it
		if (this.#muted || this.#bytes * 8 > limits.videoBitsPerSecond * 2) return;
		const padding = ((packet[0] ?? 0) & 0x20) === 0 ? 0 : (decrypted[decrypted.length - 1] ?? 0);
		// RFC 3550 §5.1: the last byte counts the padding. Packets of nothing else keep their number: it must not look lost
		if (padding > decrypted.length) return;
		const payload = padding === 0 ? decrypted : decrypted.subarray(0, decrypted.length - padding);
		for (const sink of this.#sinks) sink.write(codec, second >= 0x80, sequence, timestamp, payload);
	}

	/** Reports what came once per second: without reports the publisher would stay at its first rate. */
	#count(sequence: number, bytes: number): void {
		this.#bytes += bytes;
		this.#packets++;
		const ahead = (sequence - (this.#highest & 0xffff)) & 0xffff;
		if (ahead < 0x8000) this.#highest += ahead;
		const now = this.#now();
		if (now - this.#reportAt < REPORT_INTERVAL_MS) return;
		const expected = Math.max(1, this.#highest - this.#reportedHighest);
		const fractionLost = Math.min(255, Math.max(0, Math.floor(((expected - this.#packets) * 256) / expected)));
		this.#sendRtcp(reportWithLimit(OUR_SSRC, this.#ssrc, { fractionLost, lost: 0, highest: this.#highest }, limits.videoBitsPerSecond));
		this.#reportAt = now;
		this.#reportedHighest = this.#highest;
		this.#bytes = 0;
		this.#packets = 0;
	}
}
