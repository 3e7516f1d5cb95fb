import { audioLevelG711, audioLevelPcm, CallProgressGenerator, type G711, mix, Resampler, transcodeG711 } from "@trunkline/audio";
import { dtmfCode, DtmfSender, sequenceDelta, timestampDelta } from "@trunkline/rtp";
import type { EncodedFrame, NegotiatedAudio, PhoneCodec, RemoteAudioTrack } from "../call/ports.ts";
import type { EndlessAudio } from "./hold-music.ts";
import { LevelMeter } from "./level-meter.ts";
import { InBandDigits } from "./in-band-digits.ts";
import type { SuppressedPath } from "./noise/call-suppression.ts";
import type { PcmRate } from "./opus.ts";
import { OpusLevel } from "./opus-level.ts";
import { type PhoneEncoder, phoneEncoder, takesAnyOpus } from "./phone-encoder.ts";
import { RoomSource } from "./room-source.ts";
import type { RtpSender } from "./rtp-sender.ts";

/** samples of 20 ms at 8 kHz */
const FRAME = 160;
const TICK_MS = 20;
/** packets */
const LEVEL_EVERY = 8;
/** Straight-through audio that pauses longer than this is filled with silence, so that carriers see a living stream. */
const FILL_AFTER_MS = 100;
/** The same while an Opus speaker is silent, who sends a packet each 400 ms then (RFC 7587 §3.1.3). */
const FILL_DTX_AFTER_MS = 1_000;
const MAX_DTX_BYTES = 2;
/** Audio that is late by no more than so many frames had stalled on its way; by more, the speaker had paused his stream. */
const MAX_STALL_FRAMES = 10;
/** RFC 3550 A.1, packets */
const MAX_DROPOUT = 3_000;
const MAX_MISORDER = 100;
/** Without a pause of packets no time is left out. */
const MAX_AHEAD_MS = 10_000;
const DIGITS = { toneMs: 250, pauseMs: 250 };
/** While so much of digits waits, others are not taken: whoever leans on the keys of one telephone would have the others hear nothing else. */
const MAX_DIGITS_WAITING_MS = 5_000;

/**
 * Room → telephone. One active track goes straight through where it is G.711 or Opus and the telephone is the same, re-stamped packet by packet; everything else is decoded, mixed and encoded
 * on the 20 ms clock, and so is all of it while noise is suppressed; each digit takes the place of audio while it lasts, and so does ringback. Whatever the source, sequence numbers and timestamps continue.
 */
export class Downlink {
	readonly #sender: RtpSender;
	readonly #now: () => number;
	readonly #noise: SuppressedPath | undefined;
	/** of what the telephone hears: of some packets, which is enough for a mean */
	readonly levels = new LevelMeter();
	/** of tracks that are gone */
	readonly #gone = { missing: 0, late: 0 };
	readonly #sources = new Map<string, RoomSource>();
	#digits = new DtmfSender(DIGITS);
	readonly #inBand = new InBandDigits(DIGITS);
	#digitWaiters: (() => void)[] = [];
	#negotiated: NegotiatedAudio | undefined;
	/** what the telephone hears in the place of the room: the latest one plays */
	readonly #instead: EndlessAudio[] = [];

	#sequence: number;
	#timestamp: number;
	/** when the packet with #timestamp went out, monotonic ms */
	#sentAt = Number.NEGATIVE_INFINITY;
	/** the last packet was sent by the clock: the next tick's is exactly one frame later, however late the tick comes */
	#ticked = false;
	/** the straight-through source whose offsets hold, undefined = the next packet sets them anew */
	#through: RoomSource | undefined;
	#throughSequence = 0;
	#throughTimestamp = 0;
	/** the straight-through source whose gap is being filled with silence */
	#stalled: RoomSource | undefined;

	/** the last packet that went straight through said that silence follows */
	#quiet = false;
	readonly #opusLevel = new OpusLevel();

	#encoder: PhoneEncoder | undefined;
	/** everything that is mixed has 16 kHz */
	#widen: Resampler | undefined;
	/** audio of our own, which has 8 kHz */
	readonly #narrow = new Int16Array(FRAME);
	#mixed = new Int16Array(FRAME);
	#pulled = [new Int16Array(FRAME)];
	readonly #inputs: Int16Array[] = [];
	readonly #converted = new Uint8Array(1_500);

	/** `sequence` and `timestamp` are the random starting points (RFC 3550 §5.1); `now` is monotonic ms. */
	constructor(sender: RtpSender, sequence: number, timestamp: number, now: () => number, noise?: SuppressedPath) {
		this.#noise = noise;
		this.#sender = sender;
		this.#sequence = sequence;
		this.#timestamp = timestamp;
		this.#now = now;
	}

	negotiated(negotiated: NegotiatedAudio): void {
		const before = this.#negotiated;
		this.#negotiated = negotiated;
		if (before?.telephoneEventClockRate !== negotiated.telephoneEventClockRate)
			this.#digits = new DtmfSender({ ...DIGITS, clockRate: negotiated.telephoneEventClockRate ?? 8_000 });
		if (before?.codec === negotiated.codec && !changed(before.opus, negotiated.opus)) return;
		const rate = this.#encoder?.rate;
		this.#encoder = phoneEncoder(negotiated);
		this.#through = this.#stalled = undefined;
		if (this.#encoder.rate === (rate ?? 8_000)) return;
		this.#widen = this.#rate === 16_000 ? new Resampler(8_000, 16_000) : undefined;
		const samples = this.#rate / 50;
		this.#mixed = new Int16Array(samples);
		this.#pulled = [new Int16Array(samples)];
		for (const source of this.#sources.values()) source.retune(this.#rate);
	}

	get #rate(): PcmRate {
		return this.#encoder?.rate ?? 8_000;
	}

	get #frameTicks(): number {
		return this.#encoder?.frameTicks ?? FRAME;
	}

	addTrack(track: RemoteAudioTrack): void {
		if (this.#sources.has(track.trackSid)) return;
		const source = new RoomSource(this.#rate);
		this.#sources.set(track.trackSid, source);
		track.onFrame((frame) => {
			if (this.#sources.get(track.trackSid) === source) this.#onFrame(source, frame);
		});
	}

	removeTrack(trackSid: string): void {
		const source = this.#sources.get(trackSid);
		if (source !== undefined) {
			const { missing, late } = source.reception();
			this.#gone.missing += missing;
			this.#gone.late += late;
			source.close();
		}
		if (source !== undefined && source === this.#through) this.#through = undefined;
		this.#sources.delete(trackSid);
	}

	muteTrack(trackSid: string, muted: boolean): void {
		const source = this.#sources.get(trackSid);
		if (source !== undefined) source.muted = muted;
	}

	/** Digits 0-9 * # A-D and `w`; others are passed over (LiveKit: 250 ms of silence). Resolves when they are out, or at `close`; at once where too many wait already. */
	sendDigits(digits: string): Promise<void> {
		const known = [...digits].filter((digit) => dtmfCode(digit) !== undefined || digit === "w" || digit === "W").join("");
		const queue = this.#negotiated?.telephoneEventPayloadType === undefined ? this.#inBand : this.#digits;
		if (known === "" || queue.waitingMs > MAX_DIGITS_WAITING_MS || !queue.enqueue(known)) return Promise.resolve();
		return new Promise((resolve) => this.#digitWaiters.push(resolve));
	}

	/** That country's ringback in the place of the room until it is stopped; gives the stop. */
	ring(country?: string): () => void {
		return this.play(new CallProgressGenerator("ringback", 8_000, country));
	}

	/** In the place of the room until it is stopped; gives the stop. */
	play(audio: EndlessAudio): () => void {
		this.#instead.push(audio);
		return () => {
			const index = this.#instead.indexOf(audio);
			if (index >= 0) this.#instead.splice(index, 1);
		};
	}

	/** The RTP timestamp of a sample that would be sent now. */
	mediaTime(now: number): number {
		if (this.#sentAt === Number.NEGATIVE_INFINITY) return this.#timestamp;
		return (this.#timestamp + Math.round(((now - this.#sentAt) * this.#frameTicks) / TICK_MS)) >>> 0;
	}

	/** How the room's audio came, as far as it was decoded: what came too late, what was made up, and the longest of the delays now. */
	roomReception(): { missing: number; late: number; delayMs: number } {
		const all = { ...this.#gone, delayMs: 0 };
		for (const source of this.#sources.values()) {
			const { missing, late, delayMs } = source.reception();
			all.missing += missing;
			all.late += late;
			all.delayMs = Math.max(all.delayMs, delayMs);
		}
		return all;
	}

	/** Every 20 ms. */
	tick(): void {
		const { codec, sends } = this.#negotiated ?? {};
		if (codec === undefined || sends !== true) return;
		const now = this.#now();
		if (this.#digits.busy || this.#inBand.busy) {
			// The room is to be heard between two digits, as it is then: what is said during one is left out.
			this.#through = this.#stalled = undefined;
			if (this.#sendDigit()) return void this.#pullActive(now);
		} else if (this.#digitWaiters.length > 0) this.#digitsDone();
		const instead = this.#instead.at(-1);
		if (instead !== undefined) return this.#sendNarrow(instead.fill(this.#narrow));
		const inputs = this.#pullActive(now);
		if (inputs.length > 0) return this.#sendMix(inputs);
		if (this.#through !== undefined) {
			if (now - this.#sentAt < (this.#quiet ? FILL_DTX_AFTER_MS : FILL_AFTER_MS)) return;
			this.#stalled = this.#through;
		} else if (this.#stalled !== undefined && this.#isTimeTaken(this.#stalled, now)) return;
		this.#sendSilence();
	}

	close(): void {
		for (const source of this.#sources.values()) source.close();
		this.#sources.clear();
		this.#opusLevel.close();
		this.#digitsDone();
	}

	#onFrame(source: RoomSource, frame: EncodedFrame): void {
		const now = this.#now();
		source.lastFrameAt = now;
		const negotiated = this.#negotiated;
		if (source.muted || negotiated === undefined || !negotiated.sends || this.#instead.length > 0) return;
		if (goesThrough(frame, negotiated) && !this.#digits.busy && !this.#inBand.busy && this.#alone(source, now))
			return this.#passThrough(source, frame, negotiated, now);
		if (this.#through === source) this.#through = undefined;
		this.#stalled = undefined;
		source.push(frame, now);
	}

	/** It may go straight through: nobody else is to be heard, and nothing is to be done to it. */
	#alone(source: RoomSource, now: number): boolean {
		if (this.#noise?.active === true) return false;
		for (const other of this.#sources.values()) if (other !== source && other.active(now)) return false;
		return true;
	}

	#passThrough(source: RoomSource, frame: EncodedFrame, { payloadType, codec }: NegotiatedAudio, now: number): void {
		const anew = this.#through !== source || this.#hasJumped(frame);
		if (anew) {
			const ahead = (frame.timestamp + this.#throughTimestamp - this.#timestamp) | 0;
			const resumes = this.#stalled === source && Math.abs(ahead) <= MAX_STALL_FRAMES * this.#frameTicks;
			// Its time went out as silence already. Sent behind that, it would push back all that follows: a telephone that hears the room
			// later after each stall.
			if (resumes && ahead <= 0) return;
			this.#stalled = undefined;
			source.bypassed();
			this.#through = source;
			this.#throughSequence = this.#sequence + 1 - frame.sequence;
			if (!resumes) this.#throughTimestamp = this.#timestamp + this.#ticksSince(now) - frame.timestamp;
		}
		const sequence = (frame.sequence + this.#throughSequence) & 0xffff;
		const timestamp = (frame.timestamp + this.#throughTimestamp) >>> 0;
		if (frame.payload.length > this.#converted.length) return;
		const payload = this.#asWanted(frame, codec);
		this.#quiet = codec === "opus" && payload.length <= MAX_DTX_BYTES;
		if (sequence % LEVEL_EVERY === 0) this.levels.add(isG711(codec) ? audioLevelG711(codec, payload) : this.#opusLevel.of(payload));
		this.#sender.send(payloadType, sequence, timestamp, anew || frame.marker, payload);
		// A late packet must not set the stream back.
		if (((sequence - this.#sequence) << 16) >> 16 > 0) {
			this.#sequence = sequence;
			this.#timestamp = timestamp;
			this.#ticked = false;
			this.#sentAt = now;
		}
	}

	/**
	 * Another stream under the same track, with numbers of its own: the telephone behind a bridge has a new SSRC (RFC 3550 §8). Carried over, its numbers
	 * would be the past, which SRTP sends no second time, or a time that is far off.
	 */
	#hasJumped({ sequence, timestamp }: EncodedFrame): boolean {
		const packets = sequenceDelta(this.#sequence, sequence + this.#throughSequence);
		if (packets <= 0) return packets <= -MAX_MISORDER;
		const ticks = timestampDelta(this.#timestamp, timestamp + this.#throughTimestamp);
		return packets > MAX_DROPOUT || ticks < 0 || ticks > (MAX_AHEAD_MS / TICK_MS) * this.#frameTicks;
	}

	/** Either law becomes the telephone's; everything else stays. */
	#asWanted(frame: EncodedFrame, codec: PhoneCodec): Uint8Array {
		if (!isG711(codec) || frame.codec === codec || frame.codec === "opus") return frame.payload;
		const out = this.#converted.subarray(0, frame.payload.length);
		transcodeG711(frame.codec, frame.payload, out);
		return out;
	}

	/** Silence is not needed now: the source is back, or this tick makes up for one that came late. */
	#isTimeTaken(stalled: RoomSource, now: number): boolean {
		return now - stalled.lastFrameAt < FILL_AFTER_MS || now - this.#sentAt < TICK_MS / 2;
	}

	/** Timestamp ticks from the last packet to one sent now: whole frames, at least one. */
	#ticksSince(now: number): number {
		if (this.#sentAt === Number.NEGATIVE_INFINITY) return this.#frameTicks;
		return Math.max(1, Math.round((now - this.#sentAt) / TICK_MS)) * this.#frameTicks;
	}

	#pullActive(now: number): Int16Array[] {
		const inputs = this.#inputs;
		inputs.length = 0;
		for (const source of this.#sources.values()) {
			if (source === this.#through || source.muted) continue;
			let buffer = this.#pulled[inputs.length];
			if (buffer === undefined) {
				buffer = new Int16Array(this.#mixed.length);
				this.#pulled.push(buffer);
			}
			if (source.pull(buffer, now)) inputs.push(buffer);
		}
		return inputs;
	}

	#sendMix(inputs: readonly Int16Array[]): void {
		const [only] = inputs;
		if (inputs.length === 1 && only !== undefined) return this.#sendRoom(only);
		mix(inputs, this.#mixed);
		this.#sendRoom(this.#mixed);
	}

	/** The buffer is ours. */
	#sendRoom(pcm: Int16Array): void {
		this.#noise?.process(pcm, this.#rate);
		this.#sendPcm(pcm);
	}

	/** Audio of our own, 8 kHz. */
	#sendNarrow(pcm: Int16Array): void {
		this.#sendPcm(this.#widen === undefined ? pcm : this.#widen.process(pcm, this.#mixed));
	}

	#sendPcm(pcm: Int16Array): void {
		if (this.#sequence % LEVEL_EVERY === 0) this.levels.add(audioLevelPcm(pcm));
		if (this.#encoder !== undefined) this.#sendFrame(this.#encoder.encode(pcm));
	}

	#sendSilence(): void {
		const silence = this.#encoder?.silence;
		// A suppressor still has the end of what was said.
		if (silence === undefined || this.#noise?.active === true) return this.#sendRoom(this.#mixed.fill(0));
		this.#sendFrame((this.#roomPauses && this.#encoder?.comfort?.()) || silence);
	}

	/** Somebody is there and says nothing just now (DTX, muted), which is not the silence of a room with nobody in it. */
	get #roomPauses(): boolean {
		for (const { lastFrameAt } of this.#sources.values()) if (lastFrameAt > Number.NEGATIVE_INFINITY) return true;
		return false;
	}

	#sendFrame(payload: Uint8Array): void {
		const first = this.#sentAt === Number.NEGATIVE_INFINITY || this.#through !== undefined;
		this.#through = undefined;
		this.#advance();
		if (payload.length === 0) this.#sequence = (this.#sequence - 1) & 0xffff;
		else this.#sender.send(this.#negotiated?.payloadType ?? 0, this.#sequence, this.#timestamp, first, payload);
	}

	#advance(): void {
		const now = this.#now();
		this.#sequence = (this.#sequence + 1) & 0xffff;
		this.#timestamp = (this.#timestamp + (this.#ticked ? this.#frameTicks : this.#ticksSince(now))) >>> 0;
		this.#ticked = true;
		this.#sentAt = now;
	}

	/** False: there is a pause between two. */
	#sendDigit(): boolean {
		if (this.#inBand.busy) {
			if (!this.#inBand.next(this.#narrow)) return false;
			this.#sendNarrow(this.#narrow);
			return true;
		}
		const payloadType = this.#negotiated?.telephoneEventPayloadType;
		const before = this.#timestamp;
		this.#advance();
		const packet = this.#digits.next(this.#timestamp);
		if (packet === undefined || payloadType === undefined) {
			this.#timestamp = before;
			this.#sequence = (this.#sequence - 1) & 0xffff;
			return false;
		}
		this.#sender.send(payloadType, this.#sequence, packet.timestamp, packet.marker, packet.payload);
		return true;
	}

	#digitsDone(): void {
		const waiters = this.#digitWaiters;
		this.#digitWaiters = [];
		for (const resolve of waiters) resolve();
	}
}

const isG711 = (codec: PhoneCodec): codec is G711 => codec === "PCMU" || codec === "PCMA";

/** As it is, but for the law of G.711. */
function goesThrough(frame: EncodedFrame, negotiated: NegotiatedAudio): boolean {
	if (frame.codec === "opus") return negotiated.codec === "opus" && takesAnyOpus(negotiated);
	return isG711(negotiated.codec);
}

/** What the telephone would like to get (RFC 7587 §6.1). */
function changed(before: NegotiatedAudio["opus"], after: NegotiatedAudio["opus"]): boolean {
	return (
		before?.maxPlaybackRate !== after?.maxPlaybackRate ||
		before?.maxAverageBitrate !== after?.maxAverageBitrate ||
		before?.cbr !== after?.cbr ||
		before?.useInbandFec !== after?.useInbandFec ||
		before?.useDtx !== after?.useDtx
	);
}
