import { ComfortNoise, encodeG711, type G711, G722Encoder, g711Silence } from "@trunkline/audio";
import type { NegotiatedAudio } from "../call/ports.ts";
import { OpusFromPcm, type PcmRate } from "./opus.ts";

/** 20 ms */
const G711_FRAME = 160;
/** a second of noise is enough: nobody hears that it repeats */
const NOISE_FRAMES = 50;
const MAX_OPUS_PACKET = 1_275;
/** What other participants send goes on as it is only to telephones that take so much: LiveKit's clients stay below it but for music. */
const MAX_UNGOVERNED_BITRATE = 64_000;

/** Frames of 20 ms of what is mixed, as the telephone wants them. */
export interface PhoneEncoder {
	/** of the PCM that `encode` takes: 20 ms of it */
	readonly rate: PcmRate;
	/** the RTP clock's ticks of 20 ms */
	readonly frameTicks: number;
	/** Bytes of this frame; they are the encoder's, until the next call. Empty: nothing need be sent. */
	encode(pcm: Int16Array): Uint8Array;
	/** undefined = what silence looks like depends on what was before */
	readonly silence: Uint8Array | undefined;
	/** The next frame of quiet noise: a line that is dead silent sounds as if the call were over. Undefined where the codec or the telephone has its own. */
	comfort?(): Uint8Array | undefined;
}

export function phoneEncoder(negotiated: NegotiatedAudio): PhoneEncoder {
	const { codec } = negotiated;
	if (codec === "opus") return opusEncoder(negotiated);
	const out = new Uint8Array(G711_FRAME);
	if (codec === "G722") {
		const encoder = new G722Encoder();
		return { rate: 16_000, frameTicks: G711_FRAME, silence: undefined, encode: (pcm) => (encoder.encode(pcm, out), out) };
	}
	const silence = new Uint8Array(G711_FRAME).fill(g711Silence(codec));
	const noise = noiseOf(codec);
	let next = 0;
	return {
		...{ rate: 8_000, frameTicks: G711_FRAME, silence },
		encode: (pcm) => (encodeG711(codec, pcm, out), out),
		comfort: () => noise[next++ % NOISE_FRAMES],
	};
}

const noises = new Map<G711, readonly Uint8Array[]>();

/** Made once for all calls of the thread. */
function noiseOf(law: G711): readonly Uint8Array[] {
	const known = noises.get(law);
	if (known !== undefined) return known;
	const noise = new ComfortNoise(1);
	const pcm = new Int16Array(G711_FRAME);
	const frames = Array.from({ length: NOISE_FRAMES }, () => {
		const frame = new Uint8Array(G711_FRAME);
		encodeG711(law, noise.fill(pcm), frame);
		return frame;
	});
	noises.set(law, frames);
	return frames;
}

/** Nothing in what the telephone says about Opus speaks against packets as others made them. */
export function takesAnyOpus({ opus }: NegotiatedAudio): boolean {
	return opus === undefined || (!opus.cbr && (opus.maxAverageBitrate ?? MAX_UNGOVERNED_BITRATE) >= MAX_UNGOVERNED_BITRATE);
}

/** RFC 7587 §6.1: no wider, no faster than the telephone would like. Mixed speech gains nothing above wide band, and costs twice as much. */
function opusEncoder({ opus }: NegotiatedAudio): PhoneEncoder {
	const rate = (opus?.maxPlaybackRate ?? 48_000) < 16_000 ? 8_000 : 16_000;
	const usual = rate === 8_000 ? 24_000 : 32_000;
	const encoder = new OpusFromPcm(rate, {
		bitrate: Math.min(usual, opus?.maxAverageBitrate ?? usual),
		fec: opus?.useInbandFec ?? false,
		dtx: opus?.useDtx ?? false,
		cbr: opus?.cbr ?? false,
	});
	const out = new Uint8Array(MAX_OPUS_PACKET);
	let length = 0;
	const keep = (packet: Uint8Array): void => {
		out.set(packet);
		length = packet.length;
	};
	return {
		rate,
		frameTicks: 960,
		silence: undefined,
		encode: (pcm) => {
			length = 0;
			encoder.encode(pcm, keep);
			return out.subarray(0, length);
		},
	};
}
