import { audioLevelPcm } from "@trunkline/audio";
import { OpusToPcm } from "./opus.ts";

/** packets; five changes of the level each half second, which is what a server tells active speakers from */
const DECODED_EVERY = 5;
const SILENCE = 127;

/** How loud Opus is that goes straight through: some packets are decoded for it, a quarter of what decoding all would cost. */
export class OpusLevel {
	#decoder: OpusToPcm | undefined;
	#count = 0;
	#level = SILENCE;

	/** -dBov 0..127 (RFC 6464) of one of the last packets */
	of(packet: Uint8Array): number {
		if (this.#count++ % DECODED_EVERY !== 0) return this.#level;
		this.#decoder ??= new OpusToPcm(8_000);
		const pcm = this.#decoder.decode(packet);
		if (pcm !== undefined) this.#level = audioLevelPcm(pcm);
		return this.#level;
	}

	close(): void {
		this.#decoder?.close();
		this.#decoder = undefined;
	}
}
