import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeG711, encodeG711, parseWav, tone, toMono } from "@trunkline/audio";
import { parseRtp } from "@trunkline/rtp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AudioUplink, EncodedFrame, NegotiatedAudio, RemoteAudioTrack, RoomCodec } from "../../call/ports.ts";
import { Downlink } from "../downlink.ts";
import { OpusToPcm } from "../opus.ts";
import { RtpSender } from "../rtp-sender.ts";
import { Uplink } from "../uplink.ts";
import { CallSuppression } from "./call-suppression.ts";
import { type NoiseSuppressorOptions, Suppressors } from "./suppressors.ts";

const ON = { uplink: true, downlink: true, mix: 1 };
const OFF = { uplink: false, downlink: false, mix: 1 };
const shared = new Suppressors();

/** mulberry32, steady noise of about -20 dBov */
function noise(samples: number): Int16Array {
	let state = 5;
	return Int16Array.from({ length: samples }, () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 - 0.5) * 11_000;
	});
}

const levelDb = (samples: Int16Array): number =>
	10 * Math.log10(samples.reduce((sum, sample) => sum + (sample / 32_768) ** 2, 1e-12) / samples.length);

async function suppression(options?: NoiseSuppressorOptions) {
	const problems: string[] = [];
	const call = new CallSuppression(options === undefined ? shared : new Suppressors(options), (message) => void problems.push(message));
	await shared.load();
	return {
		call,
		problems,
		/** resolves when it has taken effect */
		async set(wanted: typeof ON): Promise<void> {
			call.set(wanted);
			await Promise.allSettled([options === undefined ? shared.load() : new Suppressors(options).load()]);
			for (let turn = 0; turn < 10; turn++) await Promise.resolve();
		},
	};
}

function room(codec: RoomCodec, call: CallSuppression) {
	const written: (EncodedFrame & { level: number })[] = [];
	const target: AudioUplink = { codec, write: (frame, level) => void written.push({ ...frame, payload: frame.payload.slice(), level }) };
	return { written, uplink: new Uplink(target, call.uplink) };
}

/** µ-law packets of 20 ms */
function packets(pcm: Int16Array): Uint8Array[] {
	return Array.from({ length: Math.floor(pcm.length / 160) }, (_, index) => {
		const payload = new Uint8Array(160);
		encodeG711("PCMU", pcm.subarray(index * 160, (index + 1) * 160), payload);
		return payload;
	});
}

function decoded(frames: readonly EncodedFrame[]): Int16Array {
	const pcm = new Int16Array(frames.length * 160);
	for (const [index, { codec, payload }] of frames.entries()) if (codec !== "opus") decodeG711(codec, payload, pcm, index * 160);
	return pcm;
}

describe("telephone → room", () => {
	it("off is bit-exact, before it was on and after it", async () => {
		const { call, set } = await suppression();
		const { written, uplink } = room("PCMU", call);
		const sent = packets(noise(8_000 * 4));
		const exact: boolean[] = [];
		for (const [index, payload] of sent.entries()) {
			if (index === 50) await set(ON);
			if (index === 150) await set(OFF);
			uplink.write("PCMU", payload, (index * 160) >>> 0, index & 0xffff, index === 0);
			exact.push(Buffer.compare(written[index]?.payload ?? Buffer.alloc(0), payload) === 0);
		}
		// Two packets go by until the suppressor's delay is filled, and one while it is faded out.
		expect(exact.slice(0, 52)).toEqual(Array(52).fill(true));
		expect(exact.slice(52, 150).filter(Boolean).length).toBeLessThan(3);
		expect(exact.slice(151)).toEqual(Array(sent.length - 151).fill(true));
		expect(written.map(({ sequence, timestamp }) => [sequence, timestamp])).toEqual(sent.map((_, index) => [index, index * 160]));
		expect(levelDb(decoded(written.slice(0, 50))) - levelDb(decoded(written.slice(100, 150)))).toBeGreaterThan(15);
		// What is told of the level is what is heard.
		expect((written[140]?.level ?? 0) - (written[20]?.level ?? 0)).toBeGreaterThan(15);
	});

	it("speech stays, noise goes: a prompt comes out as it was, and 6 dB clearer out of noise as loud as itself", async () => {
		const parsed = parseWav(readFileSync(new URL("../../../assets/prompts/en/enter-pin.wav", import.meta.url)));
		if (!parsed.ok) throw new Error(parsed.reason);
		const speech = toMono(parsed.wav);
		const length = Math.floor(speech.length / 160) * 160;
		const street = noise(length).map((sample) => sample * 0.35);
		const heard = async (pcm: Int16Array): Promise<Int16Array> => {
			const { call, set } = await suppression();
			await set(ON);
			const { written, uplink } = room("PCMU", call);
			for (const [index, payload] of packets(pcm).entries()) uplink.write("PCMU", payload, index * 160, index, false);
			return decoded(written);
		};
		// 35.5 ms
		const delay = 284;
		const ratioDb = (pcm: Int16Array, late: number): number => {
			let [power, wrong] = [0, 0];
			for (let index = 800; index + late < length; index++) {
				const wanted = speech[index] ?? 0;
				power += wanted ** 2;
				wrong += ((pcm[index + late] ?? 0) - wanted) ** 2;
			}
			return 10 * Math.log10(power / wrong);
		};
		expect(ratioDb(await heard(speech), delay)).toBeGreaterThan(15);
		const noisy = speech.map((sample, index) => sample + (street[index] ?? 0));
		expect(ratioDb(noisy, 0)).toBeLessThan(3);
		expect(ratioDb(await heard(noisy), delay)).toBeGreaterThan(ratioDb(noisy, 0) + 6);
	});

	it("reaches a room of Opus, and one of the other law", async () => {
		const { call, set } = await suppression();
		await set(ON);
		const opus = room("opus", call);
		const sent = packets(noise(8_000 * 2));
		for (const [index, payload] of sent.entries()) opus.uplink.write("PCMU", payload, index * 160, index, false);
		const decoder = new OpusToPcm(8_000);
		const heard = Int16Array.from(opus.written.slice(60).flatMap(({ payload }) => [...(decoder.decode(payload) ?? [])]));
		// what is nearly silent now need not be sent
		expect(opus.written.length).toBeGreaterThan(sent.length * 0.9);
		expect(levelDb(heard)).toBeLessThan(-35);
		const other = room("PCMA", call);
		for (const [index, payload] of sent.entries()) other.uplink.write("PCMU", payload, index * 160, index, false);
		expect(new Set(other.written.map(({ codec }) => codec))).toEqual(new Set(["PCMA"]));
		expect(levelDb(decoded(other.written.slice(20)))).toBeLessThan(-35);
	});

	it("a packet that comes after its successor is lost while it is on, and a stream that begins anew is not", async () => {
		const { call, set } = await suppression();
		const { written, uplink } = room("PCMU", call);
		const payload = new Uint8Array(160).fill(0xff);
		const order = (numbers: readonly number[]): number[] => {
			written.length = 0;
			for (const sequence of numbers) uplink.write("PCMU", payload, sequence * 160, sequence, false);
			return written.map(({ sequence }) => sequence);
		};
		expect(order([1, 3, 2, 4])).toEqual([1, 3, 2, 4]);
		await set(ON);
		expect(order([5, 7, 6, 7, 8])).toEqual([5, 7, 8]);
		expect(order([30_000, 30_001])).toEqual([30_000, 30_001]);
		expect(order([65_534, 65_535, 0, 65_534, 1])).toEqual([65_534, 65_535, 0, 1]);
	});
});

const AUDIO: NegotiatedAudio = {
	codec: "PCMU",
	payloadType: 0,
	receivePayloadType: 0,
	remote: { address: "127.0.0.1", port: 4000 },
	sends: true,
	receives: true,
};

it("room → telephone: straight through while off, quieter by 15 dB while on, one continuous stream all the while", async () => {
	const { call, set } = await suppression();
	let now = 0;
	const sent: { sequence: number; timestamp: number; payload: Uint8Array }[] = [];
	const sender = new RtpSender(7, (bytes) => {
		const packet = parseRtp(bytes.slice());
		if (packet !== undefined) sent.push(packet);
	});
	const downlink = new Downlink(sender, 0, 0, () => now, call.downlink);
	downlink.negotiated(AUDIO);
	let hear: (frame: EncodedFrame) => void = () => {};
	const track: RemoteAudioTrack = {
		trackSid: "TR_1",
		participantIdentity: "agent",
		onFrame: (listener) => {
			hear = listener;
		},
	};
	downlink.addTrack(track);
	const given = packets(noise(8_000 * 5));
	for (const [index, payload] of given.entries()) {
		if (index === 50) await set(ON);
		if (index === 150) await set(OFF);
		hear({ codec: "PCMU", payload, timestamp: index * 160, sequence: index, marker: false });
		now += 20;
		downlink.tick();
	}
	const isGiven = ({ payload }: { payload: Uint8Array }): boolean => given.some((one) => Buffer.compare(one, payload) === 0);
	expect(sent.slice(0, 50).every(isGiven), "bit-exact before").toBe(true);
	expect(sent.slice(-60).every(isGiven), "bit-exact after").toBe(true);
	const asFrames = (list: typeof sent): EncodedFrame[] => list.map((one) => ({ ...one, codec: "PCMU", marker: false }));
	expect(levelDb(decoded(asFrames(sent.slice(0, 50)))) - levelDb(decoded(asFrames(sent.slice(100, 145))))).toBeGreaterThan(15);
	for (const [index, one] of sent.entries()) {
		const before = sent[index - 1];
		if (before === undefined) continue;
		expect((one.sequence - before.sequence) & 0xffff).toBe(1);
		expect((one.timestamp - before.timestamp) >>> 0).toBeLessThanOrEqual(5 * 160);
	}
});

it("a hundred suppressors share one copy of the weights", async () => {
	const create = await shared.load();
	const gc = (globalThis as { gc?: () => void }).gc ?? (() => {});
	gc();
	const before = process.memoryUsage();
	const made = Array.from({ length: 100 }, create);
	gc();
	const after = process.memoryUsage();
	expect(made).toHaveLength(100);
	expect(after.arrayBuffers - before.arrayBuffers, "bytes of buffers").toBeLessThan(100 * 100_000);
	expect(await shared.load()).toBe(create);
});

describe("what cannot be had", () => {
	let folder = "";
	beforeEach(() => {
		folder = mkdtempSync(join(tmpdir(), "trunkline-noise-"));
	});
	afterEach(() => rmSync(folder, { recursive: true }));

	async function through(options: NoiseSuppressorOptions) {
		const { call, problems, set } = await suppression(options);
		const { written, uplink } = room("PCMU", call);
		await set(ON);
		// Files are read by other threads.
		for (let wait = 0; wait < 200 && problems.length === 0 && !call.uplink.active; wait++)
			await new Promise((resolve) => setTimeout(resolve, 5));
		const sent = packets(tone(8_000, 440, 200, -20));
		for (const [index, payload] of sent.entries()) uplink.write("PCMU", payload, index * 160, index, false);
		return { problems, exact: written.map(({ payload }, index) => Buffer.compare(payload, sent[index] as Uint8Array) === 0), written };
	}

	const module = (text: string): NoiseSuppressorOptions => {
		const file = join(folder, `${Math.floor(text.length)}.mjs`);
		writeFileSync(file, text);
		return { module: file };
	};

	it("is told, and the audio goes on as it came: no file", async () => {
		const { problems, exact } = await through({ weights: join(folder, "none.f16") });
		expect(problems).toEqual([expect.stringContaining("no such file")]);
		expect(exact).toEqual(Array(10).fill(true));
	});

	it("is told, and the audio goes on as it came: no module", async () => {
		const { problems, exact } = await through({ module: join(folder, "none.mjs") });
		expect(problems).toEqual([expect.stringContaining("none.mjs")]);
		expect(exact).toEqual(Array(10).fill(true));
	});

	it("a suppressor of somebody else's: half as loud", async () => {
		const { problems, exact, written } = await through(
			module(`export const create = () => ({ sampleRate: 8000, frameSamples: 80, delaySamples: 0,
				process(input, output) { for (let i = 0; i < 80; i++) output[i] = input[i] / 2; } });`),
		);
		expect(problems).toEqual([]);
		expect(exact).toEqual([true, ...Array(9).fill(false)]);
		expect(levelDb(decoded(written.slice(4)))).toBeCloseTo(levelDb(decoded(written.slice(0, 1))) - 6.02, 0);
	});

	it("examples/noise-gate.mjs: steady noise is 15 dB quieter, and whoever speaks over it is heard", async () => {
		const { call, problems } = await suppression({ module: "examples/noise-gate.mjs" });
		call.set(ON);
		for (let wait = 0; wait < 200 && !call.uplink.active; wait++) await new Promise((resolve) => setTimeout(resolve, 5));
		const quiet = noise(8_000).map((sample) => sample / 20);
		const pcm = Int16Array.from([...quiet, ...tone(8_000, 440, 500, -20)]);
		for (let at = 0; at < pcm.length; at += 160) call.uplink.process(pcm.subarray(at, at + 160), 8_000);
		expect(problems).toEqual([]);
		expect(levelDb(pcm.subarray(4_000, 7_800))).toBeLessThan(levelDb(quiet) - 15);
		expect(levelDb(pcm.subarray(9_600, 11_900))).toBeCloseTo(-20, 0);
	});

	it.each([
		["export const other = 1;", /exports no function "create"/],
		["export const create = () => ({ sampleRate: 100, frameSamples: 80, delaySamples: 0, process() {} });", /sampleRate at least 8000/],
		[
			"export const create = () => ({ sampleRate: 8000, frameSamples: 8000, delaySamples: 0, process() {} });",
			/too long for a conversation/,
		],
		["export const create = () => ({ sampleRate: 8000, frameSamples: 80, delaySamples: 0 });", /no "process"/],
		[
			"export const create = () => ({ sampleRate: 8000, frameSamples: 80, delaySamples: 0, process() { throw new Error('out of ideas'); } });",
			/out of ideas/,
		],
	])("is told, and the audio goes on as it came: %s", async (text, problem) => {
		const { problems, exact } = await through(module(text));
		expect(problems).toEqual([expect.stringMatching(problem)]);
		expect(exact).toEqual(Array(10).fill(true));
	});
});
