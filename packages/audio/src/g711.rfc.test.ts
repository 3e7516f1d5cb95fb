import { describe, expect, it } from "vitest";
import { ALAW_SILENCE, decodeG711, encodeG711, g711Silence, transcodeG711, ULAW_SILENCE } from "./g711.ts";

const ALL = Uint8Array.from({ length: 256 }, (_, i) => i);
const decode = (codec: "PCMU" | "PCMA", bytes: Uint8Array): Int16Array => {
	const pcm = new Int16Array(bytes.length);
	decodeG711(codec, bytes, pcm);
	return pcm;
};
const encode = (codec: "PCMU" | "PCMA", ...samples: number[]): number[] => {
	const bytes = new Uint8Array(samples.length);
	encodeG711(codec, Int16Array.from(samples), bytes);
	return [...bytes];
};

describe("ITU-T G.711", () => {
	it("µ-law decision values of Table 2a (8031, 4063, ... 0 of 8159, times 4)", () => {
		// Table 2a/G.711, column 6 (decoder output) at the segment ends, in units of 14 bits
		const outputs = [0x80, 0x8f, 0x9f, 0xaf, 0xbf, 0xcf, 0xdf, 0xef, 0xff].map((byte) => (decode("PCMU", Uint8Array.of(byte))[0] ?? 0) / 4);
		expect(outputs).toEqual([8031, 4191, 2079, 1023, 495, 231, 99, 33, 0]);
		expect(decode("PCMU", Uint8Array.of(0x00))[0]).toBe(-32124);
	});

	it("A-law outputs of Table 1a (4032, 2112, ... 1 of 4096, times 8)", () => {
		// character signals before the even bits are inverted: 11111111, 11110000, ...
		const outputs = [0xff, 0xf0, 0xe0, 0xd0, 0xc0, 0xb0, 0xa0, 0x90, 0x80].map(
			(code) => (decode("PCMA", Uint8Array.of(code ^ 0x55))[0] ?? 0) / 8,
		);
		expect(outputs).toEqual([4032, 2112, 1056, 528, 264, 132, 66, 33, 1]);
		expect(decode("PCMA", Uint8Array.of(0x7f ^ 0x55))[0]).toBe(-32256);
	});

	it("known bytes", () => {
		expect(encode("PCMU", 0, -1, 32767, -32768, 1000, -1000, 3, 4)).toEqual([0xff, 0x7f, 0x80, 0x00, 0xce, 0x4e, 0xff, 0xfe]);
		expect(encode("PCMA", 0, -1, 32767, -32768, 1000, -1000)).toEqual([0xd5, 0x55, 0xaa, 0x2a, 0xfa, 0x7a]);
	});

	it.each(["PCMU", "PCMA"] as const)("%s: every code comes back from its own value", (codec) => {
		const back = new Uint8Array(256);
		encodeG711(codec, decode(codec, ALL), back);
		const expected = [...ALL];
		// µ-law has two zeros; minus zero (0x7f) decodes to 0, which is plus zero
		if (codec === "PCMU") expected[0x7f] = 0xff;
		expect([...back]).toEqual(expected);
	});

	it.each(["PCMU", "PCMA"] as const)("%s: encoding picks a neighbour within one step for every 16-bit value", (codec) => {
		for (let sample = -32768; sample < 32768; sample += 7) {
			const back = decode(codec, Uint8Array.from(encode(codec, sample)))[0] ?? 0;
			expect(Math.abs(back - sample)).toBeLessThanOrEqual(Math.max(16, Math.abs(sample) / 16 + 4));
		}
	});

	it("transcodes as decode and encode do, in place, and silence stays silence", () => {
		const expected = new Uint8Array(256);
		encodeG711("PCMA", decode("PCMU", ALL), expected);
		const bytes = ALL.slice();
		transcodeG711("PCMU", bytes, bytes);
		expect(bytes).toEqual(expected);
		const silence = Uint8Array.of(ULAW_SILENCE);
		transcodeG711("PCMU", silence, silence);
		expect(silence[0]).toBe(ALAW_SILENCE);
		transcodeG711("PCMA", Uint8Array.of(g711Silence("PCMA")), silence);
		expect(Math.abs(decode("PCMU", silence)[0] ?? 99)).toBeLessThanOrEqual(8);
	});

	it("refuses an output that is too short", () => {
		expect(() => decodeG711("PCMU", ALL, new Int16Array(255))).toThrow(RangeError);
		expect(() => encodeG711("PCMU", new Int16Array(3), new Uint8Array(3), 1)).toThrow(RangeError);
	});
});
