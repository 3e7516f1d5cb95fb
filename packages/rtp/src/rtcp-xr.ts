import { writeUint16, writeUint32 } from "./bytes.ts";

/** RFC 3611 §2 */
const XR = 207;
/** §4.7 */
const VOIP_METRICS = 7;
const BLOCK_WORDS = 8;
const BYTES = 8 + 4 + BLOCK_WORDS * 4;
/** what cannot be told */
const UNKNOWN = 127;
/** §4.7.2: packets without a loss that end a burst; the value that everybody uses */
const G_MIN = 16;
/** §4.7.6: packet loss concealment standard, no adaptive buffer of ours */
const RX_CONFIG = 0b11_00_0000;

/** Losses of a stream, told apart into bursts and the gaps between them (RFC 3611 §4.7.2), by the counters of its appendix A.2. Nothing is done while nothing is lost. */
export class LossBursts {
	#c11 = 0;
	#c13 = 0;
	#c14 = 0;
	#c22 = 0;
	#c23 = 0;
	#c33 = 0;
	/** in the burst that may be going on */
	#lost = 1;

	/** `count` packets in a row were lost after `received` that came. */
	lost(count: number, received: number): void {
		if (received >= G_MIN) {
			if (this.#lost === 1) this.#c14 += 1;
			else this.#c13 += 1;
			this.#lost = 1;
			this.#c11 += received;
		} else {
			this.#lost += 1;
			if (received === 0) this.#c33 += 1;
			else {
				this.#c23 += 1;
				this.#c22 += received - 1;
			}
		}
		this.#lost += count - 1;
		this.#c33 += count - 1;
	}

	/** Densities are shares of 256; durations ms, of packets of `packetMs`; `since`: packets that came after the last loss. */
	summary(packetMs: number, since: number): { burstDensity: number; gapDensity: number; burstMs: number; gapMs: number } {
		const [c31, c32] = [this.#c13, this.#c23];
		const gaps = this.#c11 + this.#c14 + this.#c13 + since;
		if (c32 + this.#c33 === 0) {
			// losses, if there are any, stand alone: one gap
			const alone = this.#c14 + this.#c13;
			return { burstDensity: 0, gapDensity: gaps === 0 ? 0 : (256 * alone) / gaps, burstMs: 0, gapMs: gaps * packetMs };
		}
		const total = gaps + this.#c22 + this.#c23 + c31 + c32 + this.#c33;
		const p32 = c32 / (c31 + c32 + this.#c33);
		const p23 = this.#c22 + this.#c23 < 1 ? 1 : 1 - this.#c22 / (this.#c22 + this.#c23);
		const gapMs = (gaps * packetMs) / Math.max(1, this.#c13);
		return {
			burstDensity: (256 * p23) / (p23 + p32),
			gapDensity: (256 * this.#c14) / Math.max(1, this.#c11 + since + this.#c14),
			burstMs: (total * packetMs) / Math.max(1, this.#c13) - gapMs,
			gapMs,
		};
	}
}

/** What a VoIP metrics report block tells (RFC 3611 §4.7); what is undefined is told as unknown. */
export interface VoipMetrics {
	/** of whom it is told */
	sourceSsrc: number;
	/** shares of 256 since the beginning */
	lossRate: number;
	discardRate: number;
	burstDensity: number;
	gapDensity: number;
	burstMs: number;
	gapMs: number;
	roundTripMs: number | undefined;
	/** ours, one way: buffers and coding */
	endSystemMs: number;
	/** 0..100 (§4.7.5) */
	rFactor: number | undefined;
	/** 1..5; listening, and conversation with its delay */
	mosListening: number | undefined;
	mosConversation: number | undefined;
	/** of the buffer in use, ms; 0 = there is none */
	bufferMs: number;
}

/** An extended report with one VoIP metrics block, to stand behind SR or RR and SDES in a compound. */
export function writeVoipMetrics(ssrc: number, metrics: VoipMetrics): Uint8Array {
	const bytes = new Uint8Array(BYTES);
	bytes[0] = 0x80;
	bytes[1] = XR;
	writeUint16(bytes, 2, BYTES / 4 - 1);
	writeUint32(bytes, 4, ssrc);
	bytes[8] = VOIP_METRICS;
	writeUint16(bytes, 10, BLOCK_WORDS);
	writeUint32(bytes, 12, metrics.sourceSsrc);
	bytes[16] = byte(metrics.lossRate);
	bytes[17] = byte(metrics.discardRate);
	bytes[18] = byte(metrics.burstDensity);
	bytes[19] = byte(metrics.gapDensity);
	writeUint16(bytes, 20, word(metrics.burstMs));
	writeUint16(bytes, 22, word(metrics.gapMs));
	writeUint16(bytes, 24, word(metrics.roundTripMs ?? 0));
	writeUint16(bytes, 26, word(metrics.endSystemMs));
	// signal and noise level, residual echo return loss: not measured
	bytes[28] = bytes[29] = bytes[30] = UNKNOWN;
	bytes[31] = G_MIN;
	bytes[32] = metrics.rFactor === undefined ? UNKNOWN : Math.min(100, byte(metrics.rFactor));
	// R of an external network: none is known
	bytes[33] = UNKNOWN;
	bytes[34] = tenths(metrics.mosListening);
	bytes[35] = tenths(metrics.mosConversation);
	bytes[36] = RX_CONFIG;
	writeUint16(bytes, 38, word(metrics.bufferMs));
	writeUint16(bytes, 40, word(metrics.bufferMs));
	writeUint16(bytes, 42, word(metrics.bufferMs));
	return bytes;
}

const byte = (value: number): number => Math.max(0, Math.min(255, Math.round(value)));
const word = (value: number): number => Math.max(0, Math.min(65_535, Math.round(value)));
/** §4.7.5: 10 to 50, or 127 */
const tenths = (mos: number | undefined): number => (mos === undefined ? UNKNOWN : Math.max(10, Math.min(50, Math.round(mos * 10))));
