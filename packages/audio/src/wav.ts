import { decodeG711, type G711 } from "./g711.ts";

export interface Wav {
	sampleRate: number;
	channels: 1 | 2;
	/** left and right in turn when there are two channels */
	samples: Int16Array;
}

export type WavResult = { ok: true; wav: Wav } | { ok: false; reason: string };

const MAX_BYTES = 200 * 1024 * 1024;
const MIN_RATE = 4_000;
const MAX_RATE = 192_000;
const PCM = 1;
const A_LAW = 6;
const MU_LAW = 7;
const EXTENSIBLE = 0xfffe;

interface Format {
	kind: "PCM16" | G711;
	sampleRate: number;
	channels: 1 | 2;
}

/** Reads a WAV file: PCM of 16 bits, A-law or µ-law, one or two channels, 4 to 192 kHz, at most 200 MB. Says in words what is wrong. */
export function parseWav(bytes: Uint8Array): WavResult {
	if (bytes.length > MAX_BYTES) return fail(`WAV file of ${bytes.length} bytes; at most ${MAX_BYTES}`);
	if (bytes.length < 12 || ascii(bytes, 0, 4) !== "RIFF" || ascii(bytes, 8, 4) !== "WAVE")
		return fail("not a WAV file (no RIFF/WAVE header)");
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
	let format: Format | undefined;
	let offset = 12;
	while (offset + 8 <= bytes.length) {
		const id = ascii(bytes, offset, 4);
		const length = view.getUint32(offset + 4, true);
		const start = offset + 8;
		if (id === "fmt ") {
			const read = parseFormat(view, start, length);
			if (typeof read === "string") return fail(read);
			format = read;
		} else if (id === "data") {
			if (format === undefined) return fail("WAV file without a format before its data");
			// recorders that were cut off, or wrote to a pipe, leave a length that is too long
			return decode(bytes.subarray(start, Math.min(bytes.length, start + length)), format);
		}
		offset = start + length + (length & 1); // chunks are padded to even lengths
	}
	return fail("WAV file without audio data");
}

function parseFormat(view: DataView, start: number, length: number): Format | string {
	if (length < 16 || start + length > view.byteLength) return "WAV file with a broken format chunk";
	let code = view.getUint16(start, true);
	const channels = view.getUint16(start + 2, true);
	const sampleRate = view.getUint32(start + 4, true);
	const bits = view.getUint16(start + 14, true);
	// WAVEFORMATEXTENSIBLE: the real code begins the sub-format GUID
	if (code === EXTENSIBLE && length >= 40) code = view.getUint16(start + 24, true);
	if (channels !== 1 && channels !== 2) return `WAV file with ${channels} channels; one or two can be played`;
	if (sampleRate < MIN_RATE || sampleRate > MAX_RATE) return `WAV file at ${sampleRate} Hz; ${MIN_RATE} to ${MAX_RATE} Hz can be played`;
	if (code === PCM && bits === 16) return { kind: "PCM16", sampleRate, channels };
	if (code === A_LAW && bits === 8) return { kind: "PCMA", sampleRate, channels };
	if (code === MU_LAW && bits === 8) return { kind: "PCMU", sampleRate, channels };
	return `WAV file in format ${code} with ${bits} bits; PCM of 16 bits, A-law and µ-law can be played`;
}

function decode(data: Uint8Array, format: Format): WavResult {
	const { kind, sampleRate, channels } = format;
	const perSample = kind === "PCM16" ? 2 : 1;
	const count = Math.floor(data.length / (perSample * channels)) * channels;
	const samples = new Int16Array(count);
	if (kind === "PCM16") {
		const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
		for (let i = 0; i < count; i++) samples[i] = view.getInt16(i * 2, true);
	} else {
		decodeG711(kind, data.subarray(0, count), samples);
	}
	return { ok: true, wav: { sampleRate, channels, samples } };
}

/** A WAV file of 16-bit PCM; with two channels the samples are left and right in turn. */
export function writeWav(samples: Int16Array, sampleRate: number, channels: 1 | 2 = 1): Uint8Array {
	const bytes = new Uint8Array(44 + samples.length * 2);
	const view = new DataView(bytes.buffer);
	put(bytes, 0, "RIFF");
	view.setUint32(4, 36 + samples.length * 2, true);
	put(bytes, 8, "WAVEfmt ");
	view.setUint32(16, 16, true);
	view.setUint16(20, PCM, true);
	view.setUint16(22, channels, true);
	view.setUint32(24, sampleRate, true);
	view.setUint32(28, sampleRate * channels * 2, true);
	view.setUint16(32, channels * 2, true);
	view.setUint16(34, 16, true);
	put(bytes, 36, "data");
	view.setUint32(40, samples.length * 2, true);
	for (let i = 0; i < samples.length; i++) view.setInt16(44 + i * 2, samples[i] ?? 0, true);
	return bytes;
}

/** Left and right averaged; one channel comes back as it is. */
export function toMono(wav: Wav): Int16Array {
	if (wav.channels === 1) return wav.samples;
	return Int16Array.from({ length: wav.samples.length / 2 }, (_, i) => ((wav.samples[2 * i] ?? 0) + (wav.samples[2 * i + 1] ?? 0)) >> 1);
}

function ascii(bytes: Uint8Array, offset: number, length: number): string {
	return String.fromCharCode(...bytes.subarray(offset, offset + length));
}

function put(bytes: Uint8Array, offset: number, text: string): void {
	for (let i = 0; i < text.length; i++) bytes[offset + i] = text.charCodeAt(i);
}

function fail(reason: string): WavResult {
	return { ok: false, reason };
}
