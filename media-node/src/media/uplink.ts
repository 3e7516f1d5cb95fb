import {
	audioLevelG711,
	audioLevelPcm,
	ComfortNoise,
	decodeG711,
	encodeG711,
	type G711,
	G722Decoder,
	Resampler,
	transcodeG711,
} from "@trunkline/audio";
import type { AudioUplink, EncodedFrame, PhoneCodec } from "../call/ports.ts";
import type { LevelMeter } from "./level-meter.ts";
import type { SuppressedPath } from "./noise/call-suppression.ts";
import { OpusToPcm } from "./opus.ts";
import { OpusLevel } from "./opus-level.ts";
import { OpusUplink } from "./opus-uplink.ts";

const MAX_PAYLOAD = 1_500;
/** packets */
const MAX_LATE = 100;
/** ticks of the clock of Opus in one of G.711 (RFC 7587 §4.1) */
const OPUS_CLOCKS = 6;
/** 20 ms at 8 kHz */
const COMFORT_SAMPLES = 160;
/** RFC 3389 §3: below this there is nothing */
const SILENCE = 127;

/** Where the telephone pauses and has said so (RFC 3389). */
interface Pause {
	level: number;
	noise: ComfortNoise;
	/** of the next made-up frame: numbers of their own, so that the room's stream goes on by the clock and not by the telephone's count */
	sequence: number;
	timestamp: number;
}

/**
 * Telephone → room. G.711 goes straight through where the room takes the telephone's law, by table where it takes the other one, and as
 * narrow-band Opus where it takes neither; Opus goes straight through where the room has it. Noise suppression is in the way only while it is on.
 * Buffers are reused: nothing is allocated per packet but by the Opus encoder.
 */
export class Uplink {
	readonly #uplink: AudioUplink;
	readonly #noise: SuppressedPath | undefined;
	readonly #levels: LevelMeter | undefined;
	#pause: Pause | undefined;
	readonly #comfort = new Int16Array(COMFORT_SAMPLES);
	/** the telephone's law, as it sent it last */
	#phoneLaw: G711 = "PCMU";
	/** the telephone's numbers that went to packets which are none of the room's, such as digits: in the room nothing is lost there */
	#passedOver = 0;
	#highest: number | undefined;
	readonly #scratch = new Uint8Array(MAX_PAYLOAD);
	readonly #pcm = new Int16Array(MAX_PAYLOAD);
	readonly #frame: EncodedFrame;
	/** what frames of G.711 are sent as; undefined = as they come */
	readonly #law: G711 | undefined;
	/** to a room that takes Opus alone */
	readonly #opus: OpusUplink | undefined;
	#opusLevel: OpusLevel | undefined;
	/** G.722 of the telephone: 16 kHz, to be narrowed for rooms of G.711 */
	#wide: { decoder: G722Decoder; pcm: Int16Array; narrow: Resampler } | undefined;
	/** Opus of the telephone, for rooms of G.711; `timestamp` is of their clock */
	#narrowed: { decoder: OpusToPcm; from: number; timestamp: number } | undefined;
	/** of the telephone, while noise is suppressed */
	#lastSequence: number | undefined;

	constructor(uplink: AudioUplink, noise?: SuppressedPath, levels?: LevelMeter) {
		this.#levels = levels;
		this.#uplink = uplink;
		this.#noise = noise;
		this.#frame = { codec: uplink.codec, payload: this.#scratch, timestamp: 0, sequence: 0, marker: false };
		this.#law = uplink.takesG711 === true || uplink.codec === "opus" ? undefined : uplink.codec;
		this.#opus = uplink.codec === "opus" ? new OpusUplink((...packet) => this.#sendOpus(...packet), noise) : undefined;
	}

	/** of sound that was made up in the place of lost packets, where it is decoded at all */
	get concealedMs(): number {
		return this.#opus?.concealedMs ?? 0;
	}

	/** One packet from the telephone; `timestamp` and `number` are the telephone's own. */
	write(codec: PhoneCodec, payload: Uint8Array, timestamp: number, number: number, marker: boolean): void {
		this.#pause = undefined;
		this.#isNewest(number);
		if (codec === "PCMU" || codec === "PCMA") this.#phoneLaw = codec;
		const sequence = (number - this.#passedOver) & 0xffff;
		if (payload.length === 0 || payload.length > MAX_PAYLOAD) return;
		const suppresses = this.#noise?.active === true;
		// The sound of a packet that comes after its successor is not the one that belongs in its place any more: it is as good as lost.
		if (suppresses && this.#isLate(sequence)) return;
		this.#lastSequence = suppresses ? sequence : undefined;
		if (codec === "opus" && !suppresses && this.#takesOpus) return this.#writeAsItIs(payload, timestamp, sequence, marker);
		if (this.#opus !== undefined) return this.#opus.write(codec, payload, timestamp, sequence);
		if (codec === "opus") return this.#narrowOpus(payload, timestamp, sequence, marker);
		if (codec === "G722") return this.#writeG722(payload, timestamp, sequence, marker);
		if (suppresses) return this.#writeSuppressed(codec, payload, timestamp, sequence, marker);
		this.#writeG711(codec, payload, timestamp, sequence, marker);
	}

	#writeG711(codec: G711, payload: Uint8Array, timestamp: number, sequence: number, marker: boolean): void {
		const level = audioLevelG711(codec, payload);
		const frame = this.#frame;
		frame.timestamp = timestamp;
		frame.sequence = sequence;
		frame.marker = marker;
		if (this.#law === undefined || codec === this.#law) {
			frame.codec = codec;
			frame.payload = payload;
		} else {
			const out = this.#scratch.subarray(0, payload.length);
			transcodeG711(codec, payload, out);
			frame.codec = this.#law;
			frame.payload = out;
		}
		this.#send(frame, level);
	}

	/** A packet of the telephone's stream that the room does not get: a digit, or audio while the telephone is not to be heard. */
	passOver(number: number): void {
		if (this.#isNewest(number)) this.#passedOver = (this.#passedOver + 1) & 0xffff;
	}

	/** The telephone stops sending and says how quiet it is there (RFC 3389): until it speaks again, `tick` makes that up. */
	comfortNoise(payload: Uint8Array, timestamp: number, number: number): void {
		this.passOver(number);
		const level = Math.min(SILENCE, payload[0] ?? SILENCE);
		if (this.#pause?.level === level) return;
		const { sequence, timestamp: next } = this.#pause ?? { sequence: number ^ 0x8000, timestamp };
		this.#pause = { level, noise: new ComfortNoise(number + 1, -level), sequence, timestamp: next };
	}

	/** Every 20 ms while the telephone may be heard. */
	tick(): void {
		const pause = this.#pause;
		if (pause === undefined) return;
		this.writePcm(pause.noise.fill(this.#comfort), pause.timestamp, pause.sequence, pause.level);
		pause.sequence = (pause.sequence + 1) & 0xffff;
		pause.timestamp = (pause.timestamp + COMFORT_SAMPLES) >>> 0;
	}

	#isNewest(number: number): boolean {
		const ahead = this.#highest === undefined ? 1 : ((number - this.#highest) << 16) >> 16;
		if (ahead <= 0 && ahead > -MAX_LATE) return false;
		this.#highest = number;
		return true;
	}

	#send(frame: EncodedFrame, level: number): void {
		this.#levels?.add(level);
		this.#uplink.write(frame, level);
	}

	/** Audio that we make ourselves (ringback), 8 kHz. */
	writePcm(pcm: Int16Array, timestamp: number, sequence: number, level: number): void {
		if (this.#opus !== undefined) return this.#opus.writePcm(pcm);
		this.#writeLaw(this.#law ?? this.#phoneLaw, pcm, timestamp, sequence, false, level);
	}

	#writeSuppressed(codec: G711, payload: Uint8Array, timestamp: number, sequence: number, marker: boolean): void {
		const pcm = this.#pcm.subarray(0, payload.length);
		decodeG711(codec, payload, pcm);
		if (this.#noise?.process(pcm, 8_000) !== true) return this.#writeG711(codec, payload, timestamp, sequence, marker);
		this.#writeLaw(this.#law ?? codec, pcm, timestamp, sequence, marker, audioLevelPcm(pcm));
	}

	/** A jump further back is a stream that began anew (RFC 3550 A.1 takes a hundred packets for that, too). */
	#isLate(sequence: number): boolean {
		if (this.#lastSequence === undefined) return false;
		const ahead = ((sequence - this.#lastSequence) << 16) >> 16;
		return ahead <= 0 && ahead > -MAX_LATE;
	}

	#writeLaw(law: G711, pcm: Int16Array, timestamp: number, sequence: number, marker: boolean, level: number): void {
		const frame = this.#frame;
		const out = this.#scratch.subarray(0, pcm.length);
		encodeG711(law, pcm, out);
		frame.codec = law;
		frame.payload = out;
		frame.timestamp = timestamp;
		frame.sequence = sequence;
		frame.marker = marker;
		this.#send(frame, level);
	}

	#writeG722(payload: Uint8Array, timestamp: number, sequence: number, marker: boolean): void {
		this.#wide ??= {
			decoder: new G722Decoder(),
			pcm: new Int16Array(MAX_PAYLOAD * 2),
			narrow: new Resampler(16_000, 8_000),
		};
		const { decoder, narrow } = this.#wide;
		const pcm = this.#wide.pcm.subarray(0, payload.length * 2);
		decoder.decode(payload, pcm);
		this.#noise?.process(pcm, 16_000);
		const level = audioLevelPcm(pcm);
		this.#writeLaw(this.#law ?? "PCMU", narrow.process(pcm, this.#pcm), timestamp, sequence, marker, level);
	}

	/** A bridge hands it on to the other telephone's side, which has the decoder where it needs one. */
	get #takesOpus(): boolean {
		return this.#uplink.codec === "opus" || this.#uplink.takesG711 === true;
	}

	#writeAsItIs(payload: Uint8Array, timestamp: number, sequence: number, marker: boolean): void {
		const frame = this.#frame;
		frame.codec = "opus";
		frame.payload = payload;
		frame.timestamp = timestamp;
		frame.sequence = sequence;
		frame.marker = marker;
		this.#opusLevel ??= new OpusLevel();
		this.#send(frame, this.#opusLevel.of(payload));
	}

	#narrowOpus(payload: Uint8Array, timestamp: number, sequence: number, marker: boolean): void {
		this.#narrowed ??= { decoder: new OpusToPcm(8_000), from: timestamp, timestamp };
		const narrowed = this.#narrowed;
		const decoded = narrowed.decoder.decode(payload);
		if (decoded === undefined) return;
		narrowed.timestamp = (narrowed.timestamp + ((timestamp - narrowed.from) | 0) / OPUS_CLOCKS) >>> 0;
		narrowed.from = timestamp;
		const pcm = this.#pcm.subarray(0, decoded.length);
		pcm.set(decoded);
		this.#noise?.process(pcm, 8_000);
		this.#writeLaw(this.#law ?? "PCMU", pcm, narrowed.timestamp, sequence, marker, audioLevelPcm(pcm));
	}

	#sendOpus(packet: Uint8Array, sequence: number, timestamp: number, marker: boolean, level: number): void {
		const frame = this.#frame;
		frame.codec = "opus";
		frame.payload = packet;
		frame.sequence = sequence;
		frame.timestamp = timestamp;
		frame.marker = marker;
		this.#send(frame, level);
	}

	/** Idempotent. */
	close(): void {
		this.#opus?.close();
		this.#opusLevel?.close();
		this.#narrowed?.decoder.close();
		this.#narrowed = this.#opusLevel = undefined;
	}
}
