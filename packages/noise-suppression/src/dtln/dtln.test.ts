import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { RealFft } from "./fft.ts";
import { createKernel } from "./kernel.ts";
import { DtlnNetwork, HOP } from "./network.ts";
import { DtlnSuppressor } from "./suppressor.ts";
import { DTLN_WEIGHTS } from "./weights.ts";

const weights = readFileSync(DTLN_WEIGHTS);

/** mulberry32 */
function random(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
	};
}

test("the kernel is a matrix times a vector plus a bias", () => {
	const [rows, columns] = [8, 12];
	const { memory, multiply } = createKernel(4096);
	const floats = new Float32Array(memory);
	const draw = random(1);
	const [w, x, y, b] = [0, 200, 300, 400];
	for (let index = 0; index < 500; index++) floats[index] = draw();
	const expected = Array.from({ length: rows }, (_, row) => {
		let sum = floats[b + row] ?? 0;
		for (let column = 0; column < columns; column++) sum += (floats[w + row * columns + column] ?? 0) * (floats[x + column] ?? 0);
		return sum;
	});
	multiply(4 * w, 4 * x, 4 * y, 4 * b, rows / 4, 4 * columns);
	for (const [row, value] of expected.entries()) expect(floats[y + row]).toBeCloseTo(value, 5);
});

test("the transform of a cosine is its bin, and the inverse gives it back", () => {
	const fft = new RealFft(512);
	const samples = Float32Array.from({ length: 512 }, (_, n) => Math.cos((2 * Math.PI * 37 * n) / 512 + 0.5) + 0.25);
	const [re, im, back] = [new Float32Array(257), new Float32Array(257), new Float32Array(512)];
	fft.forward(samples, re, im);
	expect(re[0]).toBeCloseTo(128, 2);
	expect(Math.hypot(re[37] ?? 0, im[37] ?? 0)).toBeCloseTo(256, 2);
	expect(Math.atan2(im[37] ?? 0, re[37] ?? 0)).toBeCloseTo(0.5, 4);
	expect(Math.hypot(re[36] ?? 0, im[36] ?? 0)).toBeCloseTo(0, 2);
	fft.inverse(re, im, back);
	for (const [n, value] of samples.entries()) expect(back[n]).toBeCloseTo(value, 5);
});

test("steady noise is gone after a second, and two signals of one network do not know each other", () => {
	const network = new DtlnNetwork(weights);
	const [noisy, silent] = [new DtlnSuppressor(network), new DtlnSuppressor(network)];
	const draw = random(2);
	const [input, output, zero] = [new Float32Array(HOP), new Float32Array(HOP), new Float32Array(HOP)];
	let [before, after, fromSilence] = [0, 0, 0];
	for (let hop = 0; hop < 250; hop++) {
		for (let index = 0; index < HOP; index++) input[index] = 0.1 * draw();
		noisy.process(input, output);
		if (hop >= 125)
			for (let index = 0; index < HOP; index++) [before, after] = [before + (input[index] ?? 0) ** 2, after + (output[index] ?? 0) ** 2];
		silent.process(zero, output);
		for (const sample of output) fromSilence = Math.max(fromSilence, Math.abs(sample));
	}
	expect(10 * Math.log10(after / before)).toBeLessThan(-20);
	expect(fromSilence).toBeLessThan(1e-3);
});

test("what is silent for long is silent, and what comes after it is heard", () => {
	const suppressor = new DtlnSuppressor(new DtlnNetwork(weights));
	const [input, output] = [new Float32Array(HOP), new Float32Array(HOP).fill(1)];
	for (let hop = 0; hop < 20; hop++) suppressor.process(input, output);
	expect(output).toEqual(new Float32Array(HOP));
	const draw = random(3);
	let power = 0;
	for (let hop = 0; hop < 20; hop++) {
		for (let index = 0; index < HOP; index++) input[index] = 0.3 * draw();
		suppressor.process(input, output);
		for (const sample of output) power += sample ** 2;
	}
	expect(power / (20 * HOP)).toBeGreaterThan(1e-6);
});

test("a model of another size is refused", () => {
	expect(() => new DtlnNetwork(weights.subarray(2))).toThrow(/bytes, not/);
});
