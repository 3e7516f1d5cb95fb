import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { G722Decoder, G722Encoder } from "./g722.ts";
import { measureTone } from "./measure.ts";

const RATE = 16_000;

function* noise(seed: number): Generator<number, never> {
	let state = seed;
	for (;;) {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		yield (state >>> 16) - 32_768;
	}
}

/** Noise and square waves in turn, loud, soft and silent: what a predictor likes least. */
function hard(loudness: number): Int16Array {
	const random = noise(1);
	const levels = [1, 1 / 2, 1 / 10, 1 / 100, 1, 0, 0.3, 1];
	return Int16Array.from({ length: RATE }, (_, i) => {
		const part = Math.floor((i * 8) / RATE);
		const value = random.next().value;
		const level = (levels[part] ?? 0) * loudness;
		if (part % 2 === 0) return Math.floor(value * level);
		return Math.floor(i / (5 + part)) % 2 === 1 ? Math.trunc(32_767 * level) : -Math.trunc(32_767 * level);
	});
}

/** A voice's harmonics with their formants, syllable by syllable. */
function speech(): Int16Array {
	return Int16Array.from({ length: RATE * 2 }, (_, i) => {
		const t = i / RATE;
		const pitch = 130 + 20 * Math.sin(2 * Math.PI * 1.3 * t);
		let sum = 0;
		for (let k = 1; k * pitch < 7_000; k++) {
			const hz = k * pitch;
			const formants = [600, 1_700, 2_600, 3_900].reduce((gain, at) => gain + Math.exp(-(((hz - at) / 180) ** 2)), 0.02);
			sum += formants * Math.sin(2 * Math.PI * hz * t + k * k);
		}
		return Math.round(2_500 * sum * Math.max(0, Math.sin(2 * Math.PI * 3 * t)) ** 0.5);
	});
}

const encode = (pcm: Int16Array): Uint8Array => {
	const bytes = new Uint8Array(pcm.length / 2);
	new G722Encoder().encode(pcm, bytes);
	return bytes;
};
const decode = (bytes: Uint8Array): Int16Array => {
	const pcm = new Int16Array(bytes.length * 2);
	new G722Decoder().decode(bytes, pcm);
	return pcm;
};
const sha256 = (data: Uint8Array | Int16Array): string =>
	createHash("sha256")
		.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
		.digest("hex");

// What spandsp 0.0.6, which is held to the test sequences of ITU-T G.722 Appendix II, makes of the same samples.
describe("bit for bit as another implementation", () => {
	it.each([
		[1, "592448300a64b3293ef839872b1b9b245a3ee35d8ba72863ca0be08844591671"],
		[0.25, "adc9c35d4101842d31aebd4a20628acc43910585dcb4f01ce50c66ea9ae9077a"],
	])("encoder, loudness %d", (loudness, expected) => {
		expect(sha256(encode(hard(loudness)))).toBe(expected);
	});

	it("decoder", () => {
		expect(sha256(decode(encode(hard(0.25))))).toBe("fb478188a3648a6e0540c95b864f0e9bb41083434fb4ea4771e66b76efcf0dc4");
	});
});

it("speech comes back with its delay of 22 samples, 15 dB above the noise", () => {
	const pcm = speech();
	const heard = decode(encode(pcm));
	let signal = 0;
	let error = 0;
	for (let i = 100; i < pcm.length; i++) {
		const sent = pcm[i - 22] ?? 0;
		signal += sent ** 2;
		error += ((heard[i] ?? 0) - sent) ** 2;
	}
	expect(10 * Math.log10(signal / error)).toBeGreaterThan(15);
});

it.each([300, 1_000, 3_000, 5_000, 6_800])("a tone of %d Hz keeps its level", (hz) => {
	const pcm = Int16Array.from({ length: RATE }, (_, i) => Math.round(8_000 * Math.sin((2 * Math.PI * hz * i) / RATE)));
	const heard = measureTone(decode(encode(pcm)).subarray(1_600), RATE, hz).levelDb;
	expect(Math.abs(heard - measureTone(pcm.subarray(1_600), RATE, hz).levelDb)).toBeLessThan(1);
});

it("loud input is limited, it does not wrap", () => {
	const pcm = Int16Array.from({ length: RATE }, (_, i) => (i % 80 < 40 ? 32_767 : -32_768));
	const heard = decode(encode(pcm));
	// away from the edges the sign is the input's
	let wrong = 0;
	for (let i = 400; i < pcm.length; i++) {
		const phase = (i - 22) % 80;
		if (phase % 40 > 8 && phase % 40 < 32 && Math.sign(heard[i] ?? 0) !== (phase < 40 ? 1 : -1)) wrong += 1;
	}
	expect(wrong).toBe(0);
});

it("pieces are as good as the whole; any bytes can be decoded", () => {
	const pcm = speech();
	const whole = encode(pcm);
	const encoder = new G722Encoder();
	const pieces = new Uint8Array(whole.length);
	for (let at = 0; at < pcm.length; at += 320) encoder.encode(pcm.subarray(at, at + 320), pieces, at / 2);
	expect(pieces).toEqual(whole);
	const random = noise(7);
	const bytes = Uint8Array.from({ length: 4_000 }, () => random.next().value & 0xff);
	expect(decode(bytes)).toHaveLength(8_000);
	expect(() => new G722Encoder().encode(new Int16Array(3), new Uint8Array(9))).toThrow(RangeError);
	expect(() => new G722Decoder().decode(new Uint8Array(3), new Int16Array(5))).toThrow(RangeError);
});
