import { readFileSync } from "node:fs";
import { measureTone, tone } from "@trunkline/audio";
import { describe, expect, test } from "vitest";
import { DtlnNetwork } from "./dtln/network.ts";
import { DtlnSuppressor } from "./dtln/suppressor.ts";
import { SuppressedStream } from "./stream.ts";
import type { NoiseSuppressor } from "./suppressor.ts";

/** Holds back as long as DTLN and turns the sign, so that the mix shows. */
class Inverter implements NoiseSuppressor {
	readonly sampleRate = 16_000;
	readonly frameSamples = 128;
	readonly delaySamples = 384;
	readonly #held = new Float32Array(384 + 128);

	process(input: Float32Array, output: Float32Array): void {
		this.#held.copyWithin(0, 128);
		this.#held.set(input, 384);
		for (let index = 0; index < 128; index++) output[index] = -(this.#held[index] ?? 0);
	}
}

describe.each([8_000, 16_000, 48_000])("at %i Hz", (sampleRate) => {
	test.each([
		[0, 1],
		[1, -1],
	])("a mix of %i gives the tone at its level, delayMs later, times %i", (mix, sign) => {
		const stream = new SuppressedStream({ suppressor: new Inverter(), sampleRate, mix });
		const input = tone(sampleRate, 500, 600, -12);
		const output = new Int16Array(input.length);
		for (let at = 0; at < input.length; at += 7) stream.process(input.subarray(at, at + 7), output.subarray(at, at + 7));
		const delay = Math.round((stream.delayMs * sampleRate) / 1000);
		const from = Math.round(0.2 * sampleRate);
		let [product, power] = [0, 0];
		for (let at = from; at < input.length; at++) {
			product += (output[at] ?? 0) * (input[at - delay] ?? 0);
			power += (input[at - delay] ?? 0) ** 2;
		}
		expect(product / power).toBeGreaterThan(sign - 0.06);
		expect(product / power).toBeLessThan(sign + 0.06);
	});
});

test("half of each cancels them: wet and dry are in step", () => {
	const stream = new SuppressedStream({ suppressor: new Inverter(), sampleRate: 16_000, mix: 0.5 });
	const input = tone(16_000, 1_000, 400, -6);
	const output = new Int16Array(input.length);
	stream.process(input, output);
	expect(measureTone(output.subarray(1_600), 16_000, 1_000).levelDb).toBeLessThan(-80);
});

test("a change of the mix is a ramp of 40 ms", () => {
	const stream = new SuppressedStream({ suppressor: new Inverter(), sampleRate: 16_000, mix: 0 });
	const [input, output] = [new Int16Array(4_800).fill(10_000), new Int16Array(4_800)];
	stream.process(input.subarray(0, 1_600), output.subarray(0, 1_600));
	stream.setMix(1);
	stream.process(input.subarray(1_600), output.subarray(1_600));
	expect(output[1_500]).toBe(10_000);
	expect(output[4_700]).toBe(-10_000);
	const steps = output.subarray(1_500).map((value, index, all) => Math.abs(value - (all[index - 1] ?? value)));
	expect(Math.max(...steps)).toBeLessThan(40);
});

test.each([8_000, 11_025, 16_000, 48_000])("as many samples as go in come out at %i Hz, whatever the pieces", (sampleRate) => {
	const stream = new SuppressedStream({ suppressor: new Inverter(), sampleRate });
	for (const length of [1, 2, 3, 160, 159, 0, 1_000, 7, 8_000, 80, 33])
		for (let time = 0; time < 5; time++) expect(() => stream.process(new Int16Array(length), new Int16Array(length))).not.toThrow();
});

test("silence stays silent through DTLN", () => {
	const network = new DtlnNetwork(readFileSync(new URL("../model/dtln.f16", import.meta.url)));
	const stream = new SuppressedStream({ suppressor: new DtlnSuppressor(network), sampleRate: 8_000 });
	const output = new Int16Array(8_000);
	stream.process(new Int16Array(8_000), output);
	expect(Math.max(...output.map(Math.abs))).toBeLessThan(40);
});

test.each([-0.1, 1.1, Number.NaN])("a mix of %f is refused", (mix) => {
	expect(() => new SuppressedStream({ suppressor: new Inverter(), sampleRate: 8_000, mix })).toThrow(/mix/);
});
