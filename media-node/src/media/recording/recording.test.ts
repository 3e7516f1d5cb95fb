import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeG711, G722Encoder, measureTone, parseWav, ToneGenerator, type Wav } from "@trunkline/audio";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PhoneCodec } from "../../call/ports.ts";
import { CallRecording } from "./call-recording.ts";
import { NoticeTone } from "./notice-tone.ts";
import { StereoTimeline, StreamPosition } from "./timeline.ts";
import { WavFile } from "./wav-file.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "recording-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function wavOf(file: string): Wav {
	const read = parseWav(readFileSync(file));
	if (!read.ok) throw new Error(read.reason);
	return read.wav;
}

const channel = (wav: Wav, side: 0 | 1): Int16Array =>
	Int16Array.from({ length: wav.samples.length / 2 }, (_, i) => wav.samples[2 * i + side] ?? 0);
const levelOf = (pcm: Int16Array, rate: number, hz: number): number => Math.round(measureTone(pcm, rate, hz).levelDb);

/** Packets of 20 ms with a tone. */
function packets(codec: PhoneCodec, hz: number): () => Uint8Array {
	const rate = codec === "G722" ? 16_000 : 8_000;
	const tone = new ToneGenerator(rate, [hz], -20);
	const pcm = new Int16Array(rate / 50);
	const wide = new G722Encoder();
	return () => {
		const payload = new Uint8Array(160);
		tone.fill(pcm);
		if (codec === "G722") wide.encode(pcm, payload);
		else if (codec !== "opus") encodeG711(codec, pcm, payload);
		return payload;
	};
}

describe("a call's recording", () => {
	for (const codec of ["PCMU", "PCMA", "G722"] as const) {
		it(`${codec}: the telephone on the left, what it hears on the right, each with its pauses`, async () => {
			const file = join(directory, "call.wav");
			const recording = new CallRecording(file, codec, false, 1_000);
			const telephone = packets(codec, 440);
			const room = packets(codec, 1_000);
			let timestamp = 4_294_967_000;
			for (let ms = 0; ms < 3_000; ms += 20) {
				const now = 1_000 + ms;
				timestamp = (timestamp + 160) >>> 0;
				// the telephone is silent for the second second: it sends nothing then, and its timestamps go on
				if (ms < 1_000 || ms >= 2_000) recording.fromTelephone(codec, telephone(), timestamp, now);
				recording.toTelephone(codec, room(), 50_000 + ms * 8, now);
				recording.tick(now);
			}
			expect(await recording.finish(4_000)).toEqual({ durationMs: 3_000, bytes: 44 + 3 * (codec === "G722" ? 16_000 : 8_000) * 4 });
			const wav = wavOf(file);
			const rate = wav.sampleRate;
			const [left, right] = [channel(wav, 0), channel(wav, 1)];
			expect(left.length).toBe(3 * rate);
			const second = (pcm: Int16Array, index: number) => pcm.subarray((index + 0.1) * rate, (index + 0.9) * rate);
			expect([0, 1, 2].map((index) => levelOf(second(right, index), rate, 1_000))).toEqual([-20, -20, -20]);
			expect([levelOf(second(left, 0), rate, 440), levelOf(second(left, 2), rate, 440)]).toEqual([-20, -20]);
			expect(second(left, 1).every((sample) => Math.abs(sample) < 10)).toBe(true);
			expect(levelOf(left, rate, 1_000)).toBeLessThan(-45);
			expect(levelOf(right, rate, 440)).toBeLessThan(-45);
		});
	}

	it("both sides are in step though packets come late and out of order", async () => {
		const file = join(directory, "call.wav");
		const recording = new CallRecording(file, "PCMU", false, 0);
		const click = new Uint8Array(160).fill(0xff);
		click[0] = 0x80;
		const arrivals = Array.from({ length: 100 }, (_, i) => ({ i, at: i * 20 + ((i * 37) % 60) })).toSorted((a, b) => a.at - b.at);
		for (const { i, at } of arrivals) {
			recording.fromTelephone("PCMU", click, i * 160, at);
			recording.toTelephone("PCMU", click, 777 + i * 160, i * 20);
		}
		await recording.finish(2_100);
		const wav = wavOf(file);
		const clicks = (pcm: Int16Array) => Array.from(pcm.entries()).flatMap(([at, sample]) => (Math.abs(sample) > 20_000 ? [at] : []));
		const left = clicks(channel(wav, 0));
		const right = clicks(channel(wav, 1));
		expect(right).toEqual(Array.from({ length: 100 }, (_, i) => i * 160));
		expect(left).toEqual(right);
	});

	it("a stream whose clock drifts, or that jumps, stays within an eighth of a second", () => {
		const position = new StreamPosition(8_000);
		for (let i = 0; i < 50_000; i++) {
			const elapsed = i * 20;
			// 300 ppm fast
			const at = position.of(Math.round(i * 160 * 1.0003) >>> 0, 8_000, elapsed);
			expect(Math.abs(at - elapsed * 8)).toBeLessThanOrEqual(960);
		}
		expect(position.of(5, 8_000, 1_000_020)).toBe(8_000_160);
	});
});

describe("the time line", () => {
	it("holds no more than seconds, whatever is written", () => {
		const timeline = new StereoTimeline(8_000);
		timeline.write(0, 1_000_000_000, new Int16Array(160).fill(5));
		timeline.write(1, 0, Int16Array.of(1, 2, 3));
		timeline.write(0, -1, Int16Array.of(9, 8));
		expect([...timeline.take(3)]).toEqual([8, 1, 0, 2, 0, 3]);
		expect(timeline.take(3).length).toBe(0);
		timeline.write(0, 1, Int16Array.of(7, 7, 7));
		expect([...timeline.take(5)]).toEqual([7, 0, 0, 0]);
	});
});

describe("the file", () => {
	it("can be read while it is written: what a crash leaves", async () => {
		const path = join(directory, "call.wav");
		const file = new WavFile(path, 8_000);
		for (let i = 0; i < 50; i++) file.append(new Int16Array(8_000).fill(i));
		// not closed
		for (let tries = 0; tries < 200; tries++) {
			const read = existsSync(path) ? parseWav(readFileSync(path)) : undefined;
			if (read?.ok === true && read.wav.samples.length >= 240_000) break;
			await new Promise((resolve) => setTimeout(resolve, 5));
		}
		const { samples, channels, sampleRate } = wavOf(path);
		expect({ channels, sampleRate }).toEqual({ channels: 2, sampleRate: 8_000 });
		expect(samples.length).toBeGreaterThanOrEqual(240_000);
		expect(samples[8_000]).toBe(1);
		await file.close();
	});

	it("overwrites nothing, says so, and needs no memory for it", async () => {
		const path = join(directory, "call.wav");
		await new WavFile(path, 8_000).close();
		const again = new WavFile(path, 8_000);
		again.append(new Int16Array(100));
		expect(await again.close()).toMatchObject({ samples: 0, bytes: 0, problem: expect.stringContaining("EEXIST") });
	});

	it("a disk that does not keep up ends the recording, not the memory", async () => {
		const file = new WavFile(join(directory, "call.wav"), 8_000);
		for (let i = 0; i < 300; i++) file.append(new Int16Array(8_000));
		const { samples, problem } = await file.close();
		expect(problem).toContain("too slow");
		expect(samples).toBeLessThanOrEqual(300_000);
	});
});

it("the notice: 1,400 Hz for half a second, every 15 s, over what is said", () => {
	for (const codec of ["PCMU", "PCMA"] as const) {
		const notice = new NoticeTone();
		const speech = packets(codec, 440);
		const heard: number[] = [];
		for (let ms = 0; ms < 31_000; ms += 20) {
			const payload = speech();
			if (notice.over(codec, payload, ms) !== payload) heard.push(ms);
		}
		expect(heard.filter((ms) => !heard.includes(ms - 20))).toEqual([0, 15_000, 30_000]);
		expect(heard.length).toBe(75);
	}
});
