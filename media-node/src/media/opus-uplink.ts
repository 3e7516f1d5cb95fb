import { audioLevelPcm, decodeG711, G722Decoder, LossConcealment } from "@trunkline/audio";
import { sequenceDelta, timestampDelta } from "@trunkline/rtp";
import type { PhoneCodec } from "../call/ports.ts";
import type { SuppressedPath } from "./noise/call-suppression.ts";
import { OpusFromPcm, OpusToPcm, type PcmRate } from "./opus.ts";
import { holdsCopyOfLast } from "./opus-wasm.ts";

/** Longer gaps are pauses: what a concealment makes up has faded away by then. */
const MAX_CONCEALED_MS = 60;
const MAX_LATE = 100;
/** Samples of the longest packet: 120 ms at 16 kHz, or 1,500 bytes of G.722. */
const MAX_SAMPLES = 3_000;

export type OpusWriter = (packet: Uint8Array, sequence: number, timestamp: number, marker: boolean, level: number) => void;

/** One way from the telephone's codec to Opus, of the telephone's own bandwidth. */
interface Way {
	rate: PcmRate;
	/** RTP ticks of a millisecond */
	clock: number;
	decode(payload: Uint8Array): Int16Array | undefined;
	/** of so many samples, before `next` */
	conceal(samples: number, next: Uint8Array): Int16Array | undefined;
	encoder: OpusFromPcm;
	close(): void;
}

/**
 * Telephone → Opus: narrow band from G.711, wide band from G.722 (and from Opus that cannot go straight through). What is lost on the way is made up,
 * so that the room's time goes on as the telephone's does; nothing waits.
 */
export class OpusUplink {
	readonly #write: OpusWriter;
	readonly #noise: SuppressedPath | undefined;
	readonly #ways = new Map<PhoneCodec, Way>();
	readonly #encoders = new Map<PcmRate, OpusFromPcm>();
	#last: { codec: PhoneCodec; sequence: number; timestamp: number; ticks: number } | undefined;
	#sequence = 0xffff;
	#timestamp = 0;
	/** samples that were made up since the beginning, ms */
	concealedMs = 0;

	constructor(write: OpusWriter, noise?: SuppressedPath) {
		this.#write = write;
		this.#noise = noise;
	}

	/** One packet; `timestamp` and `sequence` are the telephone's. One that comes after its time was made up is dropped. */
	write(codec: PhoneCodec, payload: Uint8Array, timestamp: number, sequence: number): void {
		const way = this.#way(codec);
		if (!this.#fill(way, codec, payload, timestamp, sequence)) return;
		const pcm = way.decode(payload);
		if (pcm === undefined) return;
		this.#last = { codec, sequence, timestamp, ticks: (pcm.length * way.clock * 1_000) / way.rate };
		this.#encode(way.encoder, pcm);
	}

	/** Audio that is made here, 8 kHz. */
	writePcm(pcm: Int16Array): void {
		this.#encode(this.#encoder(8_000), pcm, false);
	}

	close(): void {
		for (const way of this.#ways.values()) way.close();
		this.#ways.clear();
	}

	/** False: the packet is late. */
	#fill(way: Way, codec: PhoneCodec, next: Uint8Array, timestamp: number, sequence: number): boolean {
		const last = this.#last;
		if (last === undefined || last.codec !== codec) return true;
		const packets = sequenceDelta(last.sequence, sequence);
		if (packets <= 0 && packets > -MAX_LATE) return false;
		const gapMs = (timestampDelta(last.timestamp, timestamp) - last.ticks) / way.clock;
		if (packets <= 0 || gapMs <= 0) return true;
		// Numbers without a gap: the telephone had nothing to say (RFC 3550 §5.1), and nothing is lost.
		if (packets > 1 && gapMs <= MAX_CONCEALED_MS) return this.#conceal(way, gapMs, next);
		this.#timestamp = (this.#timestamp + Math.round(gapMs * 48)) >>> 0;
		return true;
	}

	#conceal(way: Way, gapMs: number, next: Uint8Array): true {
		// Opus conceals multiples of 2.5 ms
		const samples = Math.floor(gapMs / 2.5) * 2.5 * (way.rate / 1_000);
		const pcm = samples === 0 ? undefined : way.conceal(samples, next);
		if (pcm !== undefined) {
			this.concealedMs += gapMs;
			this.#encode(way.encoder, pcm);
		}
		return true;
	}

	#encode(encoder: OpusFromPcm, pcm: Int16Array, suppresses = true): void {
		if (suppresses) this.#noise?.process(pcm, encoder.rate);
		const level = audioLevelPcm(pcm);
		encoder.encode(pcm, (packet, ticks, marker) => {
			this.#timestamp = (this.#timestamp + ticks) >>> 0;
			this.#sequence = (this.#sequence + 1) & 0xffff;
			this.#write(packet, this.#sequence, this.#timestamp, marker, level);
		});
	}

	#way(codec: PhoneCodec): Way {
		let way = this.#ways.get(codec);
		if (way === undefined) this.#ways.set(codec, (way = codec === "opus" ? this.#fromOpus() : this.#fromSamples(codec)));
		return way;
	}

	#fromSamples(codec: "PCMU" | "PCMA" | "G722"): Way {
		const rate = codec === "G722" ? 16_000 : 8_000;
		const g722 = codec === "G722" ? new G722Decoder() : undefined;
		const pcm = new Int16Array(MAX_SAMPLES);
		const concealment = new LossConcealment(rate);
		return {
			rate,
			// RFC 3551 §4.5.2: of G.722 as well
			clock: 8,
			decode: (payload) => {
				const samples = pcm.subarray(0, payload.length * (rate / 8_000));
				if (codec === "G722") g722?.decode(payload, samples);
				else decodeG711(codec, payload, samples);
				concealment.received(samples);
				return samples;
			},
			conceal: (samples) => concealment.conceal(pcm.subarray(0, samples)),
			encoder: this.#encoder(rate),
			close: () => {},
		};
	}

	#fromOpus(): Way {
		const rate = 16_000;
		const decoder = new OpusToPcm(rate);
		return {
			rate,
			clock: 48,
			decode: (payload) => decoder.decode(payload),
			conceal: (samples, next) => (holdsCopyOfLast(next) ? decoder.recover(next, samples) : decoder.conceal(samples)),
			encoder: this.#encoder(rate),
			close: () => decoder.close(),
		};
	}

	#encoder(rate: PcmRate): OpusFromPcm {
		let encoder = this.#encoders.get(rate);
		if (encoder === undefined) this.#encoders.set(rate, (encoder = new OpusFromPcm(rate, { dtx: true })));
		return encoder;
	}
}
