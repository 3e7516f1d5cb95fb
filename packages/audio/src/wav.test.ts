import fc from "fast-check";
import { expect, it } from "vitest";
import { parseWav, toMono, writeWav } from "./wav.ts";

const chunk = (id: string, body: number[]): number[] => [...Buffer.from(id)].concat([body.length & 0xff, body.length >> 8, 0, 0], body);
const file = (...chunks: number[][]): Uint8Array =>
	Uint8Array.from([...chunk("RIFF", []).slice(0, 8), ...Buffer.from("WAVE"), ...chunks.flat()]);
const format = (code: number, channels: number, rate: number, bits: number): number[] =>
	chunk("fmt ", [code, code >> 8, channels, 0, rate & 0xff, (rate >> 8) & 0xff, rate >> 16, 0, 0, 0, 0, 0, 0, 0, bits, 0]);

it("reads back what it wrote", () => {
	fc.assert(
		fc.property(
			fc.array(fc.integer({ min: -32768, max: 32767 }), { maxLength: 100 }),
			fc.constantFrom(8000, 16000, 48000),
			(values, rate) => {
				const samples = Int16Array.from(values);
				expect(parseWav(writeWav(samples, rate))).toEqual({ ok: true, wav: { sampleRate: rate, channels: 1, samples } });
			},
		),
	);
});

it("the header's bytes", () => {
	const bytes = writeWav(Int16Array.of(1, -1), 8000, 2);
	expect(Buffer.from(bytes).toString("hex")).toBe(
		"524946462800000057415645666d74201000000001000200401f0000007d0000040010006461746104000000" + "0100ffff",
	);
});

it("reads µ-law and A-law, skips other chunks of odd length, averages two channels", () => {
	const ulaw = parseWav(file(format(7, 1, 8000, 8), chunk("LIST", [1, 2, 3]).concat(0), chunk("data", [0xff, 0x80])));
	expect(ulaw.ok && [...ulaw.wav.samples]).toEqual([0, 32124]);
	const alaw = parseWav(file(format(6, 2, 8000, 8), chunk("data", [0xaa, 0x2a])));
	expect(alaw.ok && [...toMono(alaw.wav)]).toEqual([0]);
});

it("a length beyond the end, as recorders to a pipe leave it, means up to the end", () => {
	const bytes = writeWav(Int16Array.of(5, 6, 7), 8000);
	bytes.set([0xff, 0xff, 0xff, 0xff], 40);
	const result = parseWav(bytes);
	expect(result.ok && [...result.wav.samples]).toEqual([5, 6, 7]);
});

it.each([
	["no WAV", Uint8Array.of(1, 2, 3), /not a WAV file/],
	["MP3 inside", file(format(0x55, 1, 44100, 0), chunk("data", [])), /format 85 with 0 bits/],
	["24 bits", file(format(1, 1, 48000, 24), chunk("data", [])), /24 bits/],
	["five channels", file(format(1, 5, 48000, 16), chunk("data", [])), /5 channels/],
	["1 Hz", file(format(1, 1, 1, 16), chunk("data", [])), /1 Hz/],
	["data first", file(chunk("data", [1, 2])), /without a format/],
	["no data", file(format(1, 1, 8000, 16)), /without audio data/],
	["short format", file(chunk("fmt ", [1, 0])), /broken format/],
])("says what is wrong: %s", (_what, bytes, reason) => {
	const result = parseWav(bytes);
	expect(result.ok ? "" : result.reason).toMatch(reason);
});

it("never throws on any bytes", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
			expect(typeof parseWav(file([...bytes])).ok).toBe("boolean");
		}),
	);
});
