import { decodeG711, encodeG711, G722Decoder, G722Encoder, tone } from "@trunkline/audio";
import type { PhoneCodec } from "../../call/ports.ts";
import { OpusFromPcm, OpusToPcm } from "../opus.ts";

/** ITU-T E.180 and its national forms: 1,400 Hz for half a second, every 15 s. */
const HZ = 1_400;
const ON_MS = 500;
const EVERY_MS = 15_000;
/** loud enough under speech, dBov */
const LEVEL_DBOV = -27;
const MAX_PAYLOAD = 1_500;

/** Lays the beep of a recorded call over packets of one direction; the bytes that it gives are reused. */
export class NoticeTone {
	readonly #beeps = new Map<number, Int16Array>();
	readonly #pcm = new Int16Array(MAX_PAYLOAD * 2);
	readonly #out = new Uint8Array(MAX_PAYLOAD);
	#wide: { decoder: G722Decoder; encoder: G722Encoder } | undefined;
	#opus: { decoder: OpusToPcm; encoder: OpusFromPcm } | undefined;

	/** The payload as it is to be heard at this time since the beginning. */
	over(codec: PhoneCodec, payload: Uint8Array, elapsedMs: number): Uint8Array {
		const at = elapsedMs % EVERY_MS;
		if (at >= ON_MS || payload.length > MAX_PAYLOAD) return payload;
		if (codec === "opus") return this.#overOpus(payload, at);
		const out = this.#out.subarray(0, payload.length);
		if (codec !== "G722") {
			const pcm = this.#pcm.subarray(0, payload.length);
			decodeG711(codec, payload, pcm);
			this.#add(pcm, 8_000, at);
			encodeG711(codec, pcm, out);
			return out;
		}
		this.#wide ??= { decoder: new G722Decoder(), encoder: new G722Encoder() };
		const pcm = this.#pcm.subarray(0, payload.length * 2);
		this.#wide.decoder.decode(payload, pcm);
		this.#add(pcm, 16_000, at);
		this.#wide.encoder.encode(pcm, out);
		return out;
	}

	/** The telephone's decoder goes on from one encoder's packets to another's: that is what it does where packets are lost, too. */
	#overOpus(payload: Uint8Array, at: number): Uint8Array {
		this.#opus ??= { decoder: new OpusToPcm(16_000), encoder: new OpusFromPcm(16_000) };
		const pcm = this.#opus.decoder.decode(payload);
		if (pcm === undefined) return payload;
		this.#add(pcm, 16_000, at);
		let heard = payload;
		// packets of more than 20 ms become several, of which none fits: they stay as they are
		if (pcm.length === 320) this.#opus.encoder.encode(pcm, (packet) => (heard = packet));
		return heard;
	}

	#add(pcm: Int16Array, rate: number, atMs: number): void {
		let beep = this.#beeps.get(rate);
		if (beep === undefined) {
			beep = tone(rate, HZ, ON_MS, LEVEL_DBOV);
			this.#beeps.set(rate, beep);
		}
		// By whole packets, which follow each other without gaps whatever the exact time of each
		const start = Math.floor(atMs / 20) * (rate / 50);
		for (let i = 0; i < pcm.length; i++) pcm[i] = Math.max(-32_768, Math.min(32_767, (pcm[i] ?? 0) + (beep[start + i] ?? 0)));
	}
}
