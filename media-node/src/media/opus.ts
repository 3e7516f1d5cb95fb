import { Decoder, Encoder } from "@evan/opus";

/** of PCM towards the telephone: narrow band, or wide band for G.722 */
export type PcmRate = 8_000 | 16_000;

/** Opus packets → PCM. The decoder itself brings any Opus bandwidth down to the rate, cheaper than resampling afterwards. */
export class OpusToPcm {
	readonly #decoder: Decoder;

	constructor(rate: PcmRate) {
		this.#decoder = new Decoder({ channels: 1, sample_rate: rate });
	}

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

/** PCM → Opus of the same bandwidth in packets of 20 ms, for rooms that take no G.711 and for wide-band telephones. */
export class OpusFromPcm {
	readonly #encoder: Encoder;
	readonly #frame: Int16Array;
	#filled = 0;

	constructor(rate: PcmRate) {
		this.#encoder = new Encoder({ channels: 1, sample_rate: rate, application: "voip" });
		this.#frame = new Int16Array(rate / 50);
		// Telephone speech gains nothing above this, and it costs a third.
		this.#encoder.complexity = 5;
		this.#encoder.bitrate = rate === 8_000 ? 24_000 : 32_000;
		this.#encoder.inband_fec = true;
		this.#encoder.packet_loss = 5;
	}

	/** Takes any number of samples; calls back for each full 20 ms. */
	encode(pcm: Int16Array, onPacket: (packet: Uint8Array) => void): void {
		let offset = 0;
		while (offset < pcm.length) {
			const take = Math.min(this.#frame.length - this.#filled, pcm.length - offset);
			this.#frame.set(pcm.subarray(offset, offset + take), this.#filled);
			this.#filled += take;
			offset += take;
			if (this.#filled < this.#frame.length) return;
			this.#filled = 0;
			onPacket(this.#encoder.encode(this.#frame));
		}
	}
}
