import { decodeG711, LossConcealment, Resampler } from "@trunkline/audio";
import { JitterBuffer } from "@trunkline/rtp";
import type { EncodedFrame, RoomCodec } from "../call/ports.ts";
import { OpusToPcm, type PcmRate } from "./opus.ts";

/** audio that is decoded but not played yet: the longest Opus packet (120 ms) and a frame */
const MAX_QUEUED_MS = 140;
/** A track that has been still for so long does not keep another one from going straight through. */
const STILL_AFTER_MS = 500;

interface Queued {
	codec: RoomCodec;
	payload: Uint8Array;
}

/** One participant's track on its way down to the telephone: jitter buffer and decoder, used only while its audio is decoded at all. */
export class RoomSource {
	muted = false;
	/** monotonic ms of the latest frame, -Infinity before the first */
	lastFrameAt = Number.NEGATIVE_INFINITY;
	/** what jitter buffers before this one had to do without */
	readonly #before = { missing: 0, late: 0 };
	#codec: RoomCodec | undefined;
	#jitter: JitterBuffer<Queued> | undefined;
	#opus: OpusToPcm | undefined;
	#rate: PcmRate;
	#pcm: Int16Array;
	#filled = 0;
	#concealment: LossConcealment;
	/** G.711 on its way to a wide-band telephone */
	#narrow: { pcm: Int16Array; widen: Resampler } | undefined;

	/** `rate` is that of what `pull` gives. */
	constructor(rate: PcmRate = 8_000) {
		this.#rate = rate;
		this.#pcm = new Int16Array((rate * MAX_QUEUED_MS) / 1000);
		this.#concealment = new LossConcealment(rate);
	}

	/** From now on `pull` gives this rate; what is buffered is lost. */
	retune(rate: PcmRate): void {
		this.#rate = rate;
		this.#pcm = new Int16Array((rate * MAX_QUEUED_MS) / 1000);
		this.#concealment = new LossConcealment(rate);
		this.#opus = this.#narrow = undefined;
		this.bypassed();
	}

	active(now: number): boolean {
		return !this.muted && now - this.lastFrameAt < STILL_AFTER_MS;
	}

	/** How its packets came, as far as they were decoded; `delayMs` is what they wait now. */
	reception(): { missing: number; late: number; delayMs: number } {
		const stats = this.#jitter?.stats();
		return {
			missing: this.#before.missing + (stats?.missing ?? 0),
			late: this.#before.late + (stats?.late ?? 0),
			delayMs: stats?.delayMs ?? 0,
		};
	}

	/** Keeps a copy: the frame's bytes are reused by whoever gives them. */
	push(frame: EncodedFrame, now: number): void {
		if (this.#jitter === undefined || this.#codec !== frame.codec) {
			const { missing, late } = this.reception();
			Object.assign(this.#before, { missing, late });
			this.#codec = frame.codec;
			this.#jitter = new JitterBuffer<Queued>({ clockRate: frame.codec === "opus" ? 48_000 : 8_000 });
		}
		this.#jitter.push(frame.sequence, frame.timestamp, { codec: frame.codec, payload: frame.payload.slice() }, now);
	}

	/** The frames go straight through now; what is buffered is old. */
	bypassed(): void {
		this.#jitter?.reset();
		this.#filled = 0;
	}

	/** Fills `out` with the next 20 ms; false when there is nothing to hear. */
	pull(out: Int16Array, now: number): boolean {
		while (this.#filled < out.length) {
			const next = this.#jitter?.pull(now);
			if (next === undefined) break;
			if (next === "missing") this.#conceal();
			else this.#decode(next);
		}
		if (this.#filled === 0) return false;
		const samples = Math.min(out.length, this.#filled);
		out.fill(0);
		out.set(this.#pcm.subarray(0, samples));
		this.#pcm.copyWithin(0, samples, this.#filled);
		this.#filled -= samples;
		return true;
	}

	#decode({ codec, payload }: Queued): void {
		const room = this.#pcm.length - this.#filled;
		if (codec === "opus") {
			this.#opus ??= new OpusToPcm(this.#rate);
			const pcm = this.#opus.decode(payload);
			if (pcm === undefined) return this.#conceal();
			const usable = pcm.subarray(0, room);
			this.#pcm.set(usable, this.#filled);
			return this.#received(usable.length);
		}
		const usable = payload.subarray(0, Math.floor((room * 8_000) / this.#rate));
		if (this.#rate === 8_000) {
			decodeG711(codec, usable, this.#pcm, this.#filled);
			return this.#received(usable.length);
		}
		this.#narrow ??= { pcm: new Int16Array(this.#pcm.length), widen: new Resampler(8_000, this.#rate) };
		const { pcm, widen } = this.#narrow;
		decodeG711(codec, usable, pcm);
		this.#received(widen.process(pcm.subarray(0, usable.length), this.#pcm.subarray(this.#filled)).length);
	}

	#received(samples: number): void {
		this.#concealment.received(this.#pcm.subarray(this.#filled, this.#filled + samples));
		this.#filled += samples;
	}

	#conceal(): void {
		// a lost packet of 60 ms is a gap of 60 ms
		const samples = Math.min(Math.round((this.#jitter?.packetMs ?? 20) * (this.#rate / 1000)), this.#pcm.length - this.#filled);
		this.#concealment.conceal(this.#pcm.subarray(this.#filled, this.#filled + samples));
		this.#filled += samples;
	}
}
