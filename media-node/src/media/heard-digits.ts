import { decodeG711, DtmfDetector, G722Decoder, Resampler } from "@trunkline/audio";
import type { PhoneCodec } from "../call/ports.ts";

const MAX_PAYLOAD = 1_500;

/** Digits that a telephone without telephone-event sends as tones in its audio. */
export class HeardDigits {
	readonly #detector = new DtmfDetector();
	readonly #pcm = new Int16Array(MAX_PAYLOAD);
	#wide: { decoder: G722Decoder; pcm: Int16Array; narrow: Resampler } | undefined;

	/** Gives the digits that begin in this packet, in order. */
	process(codec: PhoneCodec, payload: Uint8Array): string {
		if (payload.length > MAX_PAYLOAD) return "";
		if (codec === "G722") return this.#detector.process(this.#narrowed(payload));
		// Whoever speaks Opus has telephone-event.
		if (codec === "opus") return "";
		const pcm = this.#pcm.subarray(0, payload.length);
		decodeG711(codec, payload, pcm);
		return this.#detector.process(pcm);
	}

	#narrowed(payload: Uint8Array): Int16Array {
		this.#wide ??= { decoder: new G722Decoder(), pcm: new Int16Array(MAX_PAYLOAD * 2), narrow: new Resampler(16_000, 8_000) };
		const pcm = this.#wide.pcm.subarray(0, payload.length * 2);
		this.#wide.decoder.decode(payload, pcm);
		return this.#wide.narrow.process(pcm, this.#pcm);
	}
}
