import { Decoder, Encoder } from "@evan/opus";
import { Resampler } from "@trunkline/audio";

const WIDE_RATE = 16_000;
const RATE = 8_000;

/** 20 ms of 8 kHz → one wide-band Opus packet. */
export class OpusPacketizer {
	readonly #encoder = new Encoder({ channels: 1, sample_rate: WIDE_RATE, application: "voip" });
	readonly #widen = new Resampler(RATE, WIDE_RATE);

	constructor() {
		this.#encoder.complexity = 5;
		this.#encoder.bitrate = 32_000;
		this.#encoder.inband_fec = true;
		this.#encoder.packet_loss = 5;
	}

	encode(frame: Int16Array): Uint8Array {
		return this.#encoder.encode(this.#widen.process(frame));
	}
}

/** Opus packets of any kind → 8 kHz. */
export class OpusListener {
	readonly #decoder = new Decoder({ channels: 1, sample_rate: RATE });

	/** Nothing for what is no Opus packet. */
	decode(packet: Uint8Array): Int16Array {
		try {
			const bytes = this.#decoder.decode(packet);
			return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
		} catch {
			return new Int16Array(0);
		}
	}
}
