import { decodeG711, G722Decoder, Resampler } from "@trunkline/audio";
import type { PhoneCodec } from "../../call/ports.ts";
import { OpusToPcm } from "../opus.ts";
import { NoticeTone } from "./notice-tone.ts";
import { StereoTimeline, StreamPosition } from "./timeline.ts";
import { WavFile, type WavFileResult } from "./wav-file.ts";

/** Packets that come no later than this still find their place. */
const LATE_MS = 400;
const FLUSH_EVERY_MS = 500;
const MAX_PAYLOAD = 1_500;
const NO_PCM = new Int16Array(0);

/** One direction: its packets as samples in their places, with the beep where one is wanted. */
class Direction {
	readonly #channel: 0 | 1;
	readonly #timeline: StereoTimeline;
	readonly #rate: 8_000 | 16_000;
	readonly #position: StreamPosition;
	readonly #notice: NoticeTone | undefined;
	readonly #narrow = new Int16Array(MAX_PAYLOAD);
	readonly #wide = new Int16Array(MAX_PAYLOAD * 2);
	#g722: G722Decoder | undefined;
	#opus: OpusToPcm | undefined;
	#resampler: Resampler | undefined;

	constructor(channel: 0 | 1, timeline: StereoTimeline, rate: 8_000 | 16_000, hasNotice: boolean) {
		this.#channel = channel;
		this.#timeline = timeline;
		this.#rate = rate;
		this.#position = new StreamPosition(rate);
		this.#notice = hasNotice ? new NoticeTone() : undefined;
	}

	take(codec: PhoneCodec, payload: Uint8Array, timestamp: number, elapsedMs: number): Uint8Array {
		if (payload.length === 0 || payload.length > MAX_PAYLOAD) return payload;
		const heard = this.#notice?.over(codec, payload, elapsedMs) ?? payload;
		this.#timeline.write(
			this.#channel,
			this.#position.of(timestamp, codec === "opus" ? 48_000 : 8_000, elapsedMs),
			this.#decode(codec, heard),
		);
		return heard;
	}

	/** At the file's rate, which is that of the codec the recording began with. */
	#decode(codec: PhoneCodec, payload: Uint8Array): Int16Array {
		if (codec === "opus") {
			this.#opus ??= new OpusToPcm(this.#rate);
			return this.#opus.decode(payload) ?? NO_PCM;
		}
		if (codec === "G722") {
			this.#g722 ??= new G722Decoder();
			const pcm = this.#wide.subarray(0, payload.length * 2);
			this.#g722.decode(payload, pcm);
			if (this.#rate === 16_000) return pcm;
			this.#resampler ??= new Resampler(16_000, 8_000);
			return this.#resampler.process(pcm, this.#narrow);
		}
		const pcm = this.#narrow.subarray(0, payload.length);
		decodeG711(codec, payload, pcm);
		if (this.#rate === 8_000) return pcm;
		this.#resampler ??= new Resampler(8_000, 16_000);
		return this.#resampler.process(pcm, this.#wide);
	}
}

/**
 * A call into a stereo WAV file: what came from the telephone and was heard on the left, what the telephone heard on the right, both on the clock's time
 * line. Times are monotonic ms.
 */
export class CallRecording {
	readonly file: string;
	readonly #began: number;
	readonly #rate: 8_000 | 16_000;
	readonly #timeline: StereoTimeline;
	readonly #telephone: Direction;
	readonly #room: Direction;
	readonly #wav: WavFile;
	#flushedAt: number;

	constructor(file: string, codec: PhoneCodec, hasNotice: boolean, now: number) {
		this.file = file;
		this.#began = this.#flushedAt = now;
		this.#rate = codec === "G722" || codec === "opus" ? 16_000 : 8_000;
		this.#timeline = new StereoTimeline(this.#rate);
		this.#telephone = new Direction(0, this.#timeline, this.#rate, hasNotice);
		this.#room = new Direction(1, this.#timeline, this.#rate, hasNotice);
		this.#wav = new WavFile(file, this.#rate);
	}

	/** A packet of the telephone that is heard in the room; gives the payload that the room is to have. */
	fromTelephone(codec: PhoneCodec, payload: Uint8Array, timestamp: number, now: number): Uint8Array {
		return this.#telephone.take(codec, payload, timestamp, now - this.#began);
	}

	/** A packet on its way to the telephone; gives the payload that it is to have. */
	toTelephone(codec: PhoneCodec, payload: Uint8Array, timestamp: number, now: number): Uint8Array {
		return this.#room.take(codec, payload, timestamp, now - this.#began);
	}

	/** Every 20 ms. */
	tick(now: number): void {
		if (now - this.#flushedAt < FLUSH_EVERY_MS) return;
		this.#flushedAt = now;
		this.#wav.append(this.#timeline.take(this.#samples(now - this.#began - LATE_MS)));
	}

	/** Resolves when the file is complete. */
	async finish(now: number): Promise<{ durationMs: number } & Omit<WavFileResult, "samples">> {
		this.#wav.append(this.#timeline.take(this.#samples(now - this.#began)));
		const { samples, ...result } = await this.#wav.close();
		return { durationMs: Math.round((samples * 1000) / this.#rate), ...result };
	}

	#samples(ms: number): number {
		return Math.max(0, Math.floor((ms * this.#rate) / 1000));
	}
}
