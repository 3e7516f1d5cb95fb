import { Decoder, Encoder } from "@evan/opus";

const SAMPLES_8K = 160;

/** Opus packets → PCM at 8 kHz. The decoder itself brings any Opus bandwidth down to 8 kHz, cheaper than resampling afterwards. */
export class OpusTo8k {
	readonly #decoder = new Decoder({ channels: 1, sample_rate: 8000 });

	/** Samples of one packet; undefined for bytes that are no Opus packet (a peer's mistake, heard as a gap). */
	decode(packet: Uint8Array): Int16Array | undefined {
		try {
			const bytes = this.#decoder.decode(packet);
			return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
		} catch {
			return undefined;
		}
	}
}

/** PCM at 8 kHz → narrow-band Opus in packets of 20 ms, for rooms that take no G.711. */
export class OpusFrom8k {
	readonly #encoder = new Encoder({ channels: 1, sample_rate: 8000, application: "voip" });
	readonly #frame = new Int16Array(SAMPLES_8K);
	#filled = 0;

	constructor() {
		// Telephone speech gains nothing above this, and it costs a third.
		this.#encoder.complexity = 5;
		this.#encoder.bitrate = 24_000;
		this.#encoder.inband_fec = true;
		this.#encoder.packet_loss = 5;
	}

	/** Takes any number of samples; calls back for each full 20 ms. */
	encode(pcm: Int16Array, onPacket: (packet: Uint8Array) => void): void {
		let offset = 0;
		while (offset < pcm.length) {
			const take = Math.min(SAMPLES_8K - this.#filled, pcm.length - offset);
			this.#frame.set(pcm.subarray(offset, offset + take), this.#filled);
			this.#filled += take;
			offset += take;
			if (this.#filled < SAMPLES_8K) return;
			this.#filled = 0;
			onPacket(this.#encoder.encode(this.#frame));
		}
	}
}
