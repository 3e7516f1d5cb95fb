import { Encoder } from "@evan/opus";
import { rmsDbov } from "@trunkline/audio";
import { OpusDecoder } from "./opus-wasm.ts";

/** of PCM towards the telephone: narrow band, or wide band for G.722 and Opus */
export type PcmRate = 8_000 | 16_000;

/** Opus packets → PCM. The decoder itself brings any Opus bandwidth down to the rate, cheaper than resampling afterwards. */
export class OpusToPcm extends OpusDecoder {
	readonly rate: PcmRate;

	constructor(rate: PcmRate) {
		super(rate);
		this.rate = rate;
	}
}

export interface OpusEncoding {
	/** bit/s; default 24,000 for narrow band, 32,000 for wide band */
	bitrate?: number | undefined;
	/** each packet holds a coarse copy of the one before; default true */
	fec?: boolean;
	/** what is nearly silent is not sent, but for a packet now and then; default false */
	dtx?: boolean;
	/** default false */
	cbr?: boolean;
}

/** Longer than any packet of silence (RFC 6716 §3.4: one byte), and shorter than any of sound. */
const MAX_DTX_BYTES = 2;
const PACKET_TICKS = 960;
/** Louder than the noise of any telephone line, and quieter than any speech. */
const QUIET_DBOV = -58;

/** PCM → Opus of the same bandwidth in packets of 20 ms, for rooms that take no G.711 and for telephones that speak it. */
export class OpusFromPcm {
	readonly rate: PcmRate;
	readonly #encoder: Encoder;
	readonly #frame: Int16Array;
	readonly #dtx: boolean;
	#filled = 0;
	#silent = false;
	#ticks = -PACKET_TICKS;

	constructor(rate: PcmRate, { bitrate, fec = true, dtx = false, cbr = false }: OpusEncoding = {}) {
		this.rate = rate;
		this.#encoder = new Encoder({ channels: 1, sample_rate: rate, application: "voip" });
		this.#frame = new Int16Array(rate / 50);
		// Telephone speech gains nothing above this, and it costs a third.
		this.#encoder.complexity = 5;
		this.#encoder.bitrate = bitrate ?? (rate === 8_000 ? 24_000 : 32_000);
		this.#encoder.inband_fec = fec;
		this.#encoder.packet_loss = fec ? 5 : 0;
		this.#dtx = dtx;
		this.#encoder.vbr = !cbr;
	}

	/**
	 * Takes any number of samples; calls back for each full 20 ms that is to be sent. `ticks` are those of the 48 kHz clock (RFC 7587 §4.1), whatever is
	 * encoded, since the packet before: more than 20 ms where silence was not sent.
	 */
	encode(pcm: Int16Array, onPacket: (packet: Uint8Array, ticks: number, marker: boolean) => void): void {
		let offset = 0;
		while (offset < pcm.length) {
			const take = Math.min(this.#frame.length - this.#filled, pcm.length - offset);
			this.#frame.set(pcm.subarray(offset, offset + take), this.#filled);
			this.#filled += take;
			offset += take;
			if (this.#filled < this.#frame.length) return;
			this.#filled = 0;
			// The encoder takes a steady tone for noise, and would leave out dial tones, digits and music on hold as well.
			if (this.#dtx) this.#encoder.dtx = rmsDbov(this.#frame) < QUIET_DBOV;
			this.#give(this.#encoder.encode(this.#frame), onPacket);
		}
	}

	/** RFC 7587 §3.1.3: the first packet of silence tells the decoder so, the others say nothing new. */
	#give(packet: Uint8Array, onPacket: (packet: Uint8Array, ticks: number, marker: boolean) => void): void {
		this.#ticks += PACKET_TICKS;
		const wasSilent = this.#silent;
		this.#silent = packet.length <= MAX_DTX_BYTES;
		if (wasSilent && this.#silent) return;
		// RFC 3551 §4.1: the marker is for the first packet after silence
		onPacket(packet, this.#ticks, wasSilent);
		this.#ticks = 0;
	}
}
