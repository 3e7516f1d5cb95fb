import { type G711, g711Sample } from "./g711.ts";

/** Overload point: a square wave of this amplitude is 0 dBov (RFC 6464 §3), a full-scale sine −3.01 dBov. */
const OVERLOAD = 32768;
/** RFC 6464: 127 means digital silence or anything below −127 dBov */
const SILENCE_LEVEL = 127;

const ulawEnergy = energies("PCMU");
const alawEnergy = energies("PCMA");

function energies(codec: G711): Float64Array {
	return Float64Array.from({ length: 256 }, (_, byte) => (g711Sample(codec, byte) / OVERLOAD) ** 2);
}

/** RFC 6464 audio level of a G.711 payload: −dBov, 0 (loudest) .. 127 (silence), without decoding it. */
export function audioLevelG711(codec: G711, payload: Uint8Array): number {
	const table = codec === "PCMU" ? ulawEnergy : alawEnergy;
	let sum = 0;
	for (let i = 0; i < payload.length; i++) sum += table[payload[i] ?? 0] ?? 0;
	return fromMeanSquare(payload.length === 0 ? 0 : sum / payload.length);
}

/** RFC 6464 audio level of 16-bit PCM: −dBov, 0 (loudest) .. 127 (silence). */
export function audioLevelPcm(pcm: Int16Array): number {
	return fromMeanSquare(meanSquare(pcm));
}

/** Root mean square in dBov, not rounded; −Infinity for digital silence. */
export function rmsDbov(pcm: Int16Array): number {
	return 10 * Math.log10(meanSquare(pcm));
}

function meanSquare(pcm: Int16Array): number {
	let sum = 0;
	for (let i = 0; i < pcm.length; i++) sum += ((pcm[i] ?? 0) / OVERLOAD) ** 2;
	return pcm.length === 0 ? 0 : sum / pcm.length;
}

function fromMeanSquare(value: number): number {
	if (value <= 0) return SILENCE_LEVEL;
	return Math.max(0, Math.min(SILENCE_LEVEL, Math.round(-10 * Math.log10(value))));
}
