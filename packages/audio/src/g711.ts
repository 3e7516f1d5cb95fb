/** ITU-T G.711 by look-up tables; the formulas are those of the ITU reference code (G.191, g711.c). */
export type G711 = "PCMU" | "PCMA";

/** What silence is on the wire: µ-law positive zero, A-law smallest positive step. */
export const ULAW_SILENCE = 0xff;
export const ALAW_SILENCE = 0xd5;

const ulawToPcm = Int16Array.from({ length: 256 }, (_, byte) => expandUlaw(byte));
const alawToPcm = Int16Array.from({ length: 256 }, (_, byte) => expandAlaw(byte));
/** µ-law looks at the upper 14 bits, A-law at the upper 12: the tables are indexed by those */
const pcmToUlaw = Uint8Array.from({ length: 1 << 14 }, (_, index) => compressUlaw((index - (1 << 13)) << 2));
const pcmToAlaw = Uint8Array.from({ length: 1 << 12 }, (_, index) => compressAlaw((index - (1 << 11)) << 4));
const ulawToAlawTable = Uint8Array.from({ length: 256 }, (_, byte) => compressAlaw(expandUlaw(byte)));
const alawToUlawTable = Uint8Array.from({ length: 256 }, (_, byte) => compressUlaw(expandAlaw(byte)));

/** Decodes into `out` from `outOffset` on; gives the number of samples. Throws RangeError when `out` is too short. */
export function decodeG711(codec: G711, payload: Uint8Array, out: Int16Array, outOffset = 0): number {
	if (outOffset + payload.length > out.length) throw new RangeError("G.711 decode: output too short");
	const table = codec === "PCMU" ? ulawToPcm : alawToPcm;
	for (let i = 0; i < payload.length; i++) out[outOffset + i] = table[payload[i] ?? 0] ?? 0;
	return payload.length;
}

/** Encodes into `out` from `outOffset` on; gives the number of bytes. Throws RangeError when `out` is too short. */
export function encodeG711(codec: G711, pcm: Int16Array, out: Uint8Array, outOffset = 0): number {
	if (outOffset + pcm.length > out.length) throw new RangeError("G.711 encode: output too short");
	if (codec === "PCMU") for (let i = 0; i < pcm.length; i++) out[outOffset + i] = pcmToUlaw[((pcm[i] ?? 0) >> 2) + (1 << 13)] ?? 0;
	else for (let i = 0; i < pcm.length; i++) out[outOffset + i] = pcmToAlaw[((pcm[i] ?? 0) >> 4) + (1 << 11)] ?? 0;
	return pcm.length;
}

/** Turns one law into the other byte by byte, by way of the linear value; `out` may be `payload` itself. */
export function transcodeG711(from: G711, payload: Uint8Array, out: Uint8Array): void {
	if (payload.length > out.length) throw new RangeError("G.711 transcode: output too short");
	const table = from === "PCMU" ? ulawToAlawTable : alawToUlawTable;
	for (let i = 0; i < payload.length; i++) out[i] = table[payload[i] ?? 0] ?? 0;
}

/** The byte that stands for silence. */
export function g711Silence(codec: G711): number {
	return codec === "PCMU" ? ULAW_SILENCE : ALAW_SILENCE;
}

/** One sample's linear value. */
export function g711Sample(codec: G711, byte: number): number {
	return (codec === "PCMU" ? ulawToPcm[byte & 0xff] : alawToPcm[byte & 0xff]) ?? 0;
}

/** ulaw_expand of the ITU reference */
function expandUlaw(byte: number): number {
	const inverted = ~byte & 0xff;
	const exponent = (inverted >> 4) & 0x07;
	const step = 4 << (exponent + 1);
	const magnitude = (0x80 << exponent) + step * (inverted & 0x0f) + step / 2 - 4 * 33;
	return byte < 0x80 ? -magnitude : magnitude;
}

/** ulaw_compress of the ITU reference: 14 significant bits, ones' complement for negative values */
function compressUlaw(sample: number): number {
	const magnitude = Math.min(((sample < 0 ? ~sample : sample) >> 2) + 33, 0x1fff);
	let segment = 1;
	for (let rest = magnitude >> 6; rest !== 0; rest >>= 1) segment += 1;
	const code = ((8 - segment) << 4) | (0x0f - ((magnitude >> segment) & 0x0f));
	return sample >= 0 ? code | 0x80 : code;
}

/** alaw_expand of the ITU reference */
function expandAlaw(byte: number): number {
	const code = (byte ^ 0x55) & 0x7f;
	const exponent = code >> 4;
	let mantissa = (code & 0x0f) + (exponent > 0 ? 16 : 0);
	mantissa = (mantissa << 4) + 8;
	if (exponent > 1) mantissa <<= exponent - 1;
	return byte > 127 ? mantissa : -mantissa;
}

/** alaw_compress of the ITU reference: 12 significant bits, ones' complement for negative values */
function compressAlaw(sample: number): number {
	let code = (sample < 0 ? ~sample : sample) >> 4;
	if (code > 15) {
		let exponent = 1;
		while (code > 16 + 15) {
			code >>= 1;
			exponent += 1;
		}
		code = code - 16 + (exponent << 4);
	}
	return (sample >= 0 ? code | 0x80 : code) ^ 0x55;
}
