import { decodeG711, lengthen, LossConcealment, Resampler, shorten } from "@trunkline/audio";
import { JitterBuffer } from "@trunkline/rtp";
import type { EncodedFrame, RoomCodec } from "../call/ports.ts";
import { OpusToPcm, type PcmRate } from "./opus.ts";
import { holdsCopyOfLast } from "./opus-wasm.ts";

/** audio that is decoded but not played yet: the longest Opus packet (120 ms), a frame, and what stretching adds */
const MAX_QUEUED_MS = 160;
/** A track that has been still for so long does not keep another one from going straight through. */
const STILL_AFTER_MS = 500;
/** `pull` is called this often */
const TICK_MS = 20;
/** A clock's tick moves what is taken for its true time by so much of its difference. */
const TICK_SMOOTHING = 0.05;
const TICK_JUMP_MS = 60;
/** Between two changes of the tempo, so that they are not heard as one sound; the first looks for periods that are alike, later ones take what is there. */
const STRETCH_EVERY_MS = 60;
const ALIKE = 0.95;
const LESS_ALIKE_PER_MS = 0.0004;
const LEAST_ALIKE = 0.4;
/** When so much is lost, the copies in later packets are worth the wait for them; and until so little is. */
const LOSSY = 0.015;
const LOSSLESS = 0.004;
/** Not every packet has one: none where nothing is said. */
const COPIES_WITHIN_MS = 3_000;

interface Queued {
	codec: RoomCodec;
	payload: Uint8Array;
}

/**
 * One participant's track on its way down to the telephone, used only while its audio is decoded at all: jitter buffer, decoder, and a clock of its own:
 * the speaker's, which is not ours, is followed by leaving out and repeating periods of the sound.
 */
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
	/** of G.711; Opus has its own */
	#concealment: LossConcealment;
	/** G.711 on its way to a wide-band telephone */
	#narrow: { pcm: Int16Array; widen: Resampler } | undefined;
	#clock = Number.NEGATIVE_INFINITY;
	#stretchedAt = Number.NEGATIVE_INFINITY;
	#copySeenAt = Number.NEGATIVE_INFINITY;
	/** since when the tempo is to change */
	#offSince: number | undefined;
	/** ms of audio that were left out and repeated */
	readonly stretched = { out: 0, in: 0 };

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
		this.close();
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
			this.#jitter = new JitterBuffer<Queued>({ clockRate: frame.codec === "opus" ? 48_000 : 8_000, stretches: true });
		}
		this.#jitter.push(frame.sequence, frame.timestamp, { codec: frame.codec, payload: frame.payload.slice() }, now);
	}

	/** The frames go straight through now; what is buffered is old. */
	bypassed(): void {
		this.#jitter?.reset();
		this.#filled = 0;
	}

	/** Frees the decoder; the next packet gets a new one. */
	close(): void {
		this.#opus?.close();
		this.#opus = this.#narrow = undefined;
	}

	/** Fills `out` with the next 20 ms; false when there is nothing to hear. To be called every 20 ms. */
	pull(out: Int16Array, now: number): boolean {
		const clock = this.#tick(now);
		this.#fill(out.length, now);
		if (this.#filled === 0) return false;
		if (this.#filled >= out.length && this.#follow(clock)) this.#fill(out.length, now);
		const samples = Math.min(out.length, this.#filled);
		out.fill(0, samples);
		out.set(this.#pcm.subarray(0, samples));
		this.#pcm.copyWithin(0, samples, this.#filled);
		this.#filled -= samples;
		return true;
	}

	#fill(samples: number, now: number): void {
		while (this.#filled < samples) {
			const next = this.#jitter?.pull(now, this.#queuedMs);
			if (next === undefined) return;
			if (next === "missing") this.#conceal(this.#jitter?.successor);
			else this.#decode(next);
			this.#lookAhead(now);
		}
	}

	get #queuedMs(): number {
		return (this.#filled * 1000) / this.#rate;
	}

	/** When this tick should have been: timers are late by turns. */
	#tick(now: number): number {
		const expected = this.#clock + TICK_MS;
		const off = now - expected;
		this.#clock = Math.abs(off) < TICK_JUMP_MS ? expected + off * TICK_SMOOTHING : now;
		return this.#clock;
	}

	/** Leaves out or repeats a period of what is about to be played, when the delay is not what it should be; true when it did. */
	#follow(clock: number): boolean {
		const jitter = this.#jitter;
		if (jitter === undefined) return false;
		const adjustment = (jitter.adjustmentMs(clock, this.#queuedMs - TICK_MS, TICK_MS) * this.#rate) / 1000;
		if (Math.abs(adjustment) < this.#rate / 400) {
			this.#offSince = undefined;
			return false;
		}
		this.#offSince ??= clock;
		if (clock - this.#stretchedAt < STRETCH_EVERY_MS) return false;
		const least = Math.max(LEAST_ALIKE, ALIKE - (clock - this.#offSince) * LESS_ALIKE_PER_MS);
		const change =
			adjustment > 0
				? lengthen(this.#pcm, this.#filled, this.#rate, this.#pcm.length, least)
				: -shorten(this.#pcm, this.#filled, this.#rate, -adjustment, least);
		if (change === 0) return false;
		this.#filled += change;
		this.#stretchedAt = clock;
		this.stretched[change > 0 ? "in" : "out"] += (Math.abs(change) * 1000) / this.#rate;
		return true;
	}

	/** Where much is lost, and the speaker's encoder puts a copy of each packet into the next one, that one is waited for. */
	#lookAhead(now: number): void {
		const jitter = this.#jitter;
		if (jitter === undefined || this.#codec !== "opus") return;
		const copies = now - this.#copySeenAt < COPIES_WITHIN_MS;
		if (!copies || jitter.missingShare < LOSSLESS) jitter.extraMs = 0;
		else if (jitter.missingShare > LOSSY) jitter.extraMs = jitter.packetMs;
	}

	#decode({ codec, payload }: Queued): void {
		const room = this.#pcm.length - this.#filled;
		if (codec === "opus") {
			if (holdsCopyOfLast(payload)) this.#copySeenAt = this.#clock;
			this.#opus ??= new OpusToPcm(this.#rate);
			const pcm = this.#opus.decode(payload);
			if (pcm === undefined) return this.#conceal();
			const usable = pcm.subarray(0, room);
			this.#pcm.set(usable, this.#filled);
			this.#filled += usable.length;
			return;
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

	/** In the place of a packet that is not there; `successor` may hold a copy of it. */
	#conceal(successor?: Queued): void {
		// a lost packet of 60 ms is a gap of 60 ms
		const samples = Math.min(Math.round((this.#jitter?.packetMs ?? 20) * (this.#rate / 1000)), this.#pcm.length - this.#filled);
		if (this.#codec === "opus" && this.#opus !== undefined) {
			const holds = successor?.codec === "opus" && holdsCopyOfLast(successor.payload);
			const pcm = holds ? this.#opus.recover(successor.payload, samples) : this.#opus.conceal(samples);
			if (pcm !== undefined) {
				this.#pcm.set(pcm, this.#filled);
				this.#filled += samples;
				return;
			}
		}
		this.#concealment.conceal(this.#pcm.subarray(this.#filled, this.#filled + samples));
		this.#filled += samples;
	}
}
