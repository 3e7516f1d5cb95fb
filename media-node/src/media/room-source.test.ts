import { encodeG711, tone } from "@trunkline/audio";
import { describe, expect, it } from "vitest";
import { OpusFromPcm, OpusToPcm } from "./opus.ts";
import { holdsCopyOfLast } from "./opus-wasm.ts";
import { RoomSource } from "./room-source.ts";

const RATE = 8_000;
const FRAME = 160;
const MINUTES_10 = 30_000;

/** Steepest bend of a curve: what a click is. */
function bend(pcm: Int16Array): number {
	let most = 0;
	for (let i = 2; i < pcm.length; i++) most = Math.max(most, Math.abs((pcm[i] ?? 0) - 2 * (pcm[i - 1] ?? 0) + (pcm[i - 2] ?? 0)));
	return most;
}

/** By its zero crossings upwards, each placed between its two samples. */
function frequency(pcm: Int16Array): number {
	let first = -1;
	let last = -1;
	let crossings = -1;
	for (let i = 1; i < pcm.length; i++) {
		const [before = 0, after = 0] = [pcm[i - 1], pcm[i]];
		if (before >= 0 || after < 0) continue;
		last = i - 1 + before / (before - after);
		if (crossings < 0) first = last;
		crossings += 1;
	}
	return (crossings * RATE) / (last - first);
}

describe("ten minutes of a speaker whose clock is not ours", () => {
	it.each([
		["200 ppm fast", 200],
		["200 ppm slow", -200],
		["as ours", 0],
	])("%s", (_, driftPpm) => {
		const hz = 437;
		const sent = tone(RATE, hz, MINUTES_10 * 20, -15);
		const source = new RoomSource();
		const heard = new Int16Array(MINUTES_10 * FRAME);
		const payload = new Uint8Array(FRAME);
		let next = 0;
		let started = -1;
		let delayAfterStart = 0;
		for (let tick = 0; tick < MINUTES_10 - 50; tick++) {
			const now = 1_000 + tick * 20 + 13;
			for (; next < MINUTES_10 && 1_000 + next * 20 * (1 - driftPpm / 1e6) <= now; next++) {
				encodeG711("PCMU", sent.subarray(next * FRAME, (next + 1) * FRAME), payload);
				source.push(
					{ codec: "PCMU", payload, sequence: next & 0xffff, timestamp: next * FRAME, marker: false },
					1_000 + next * 20 * (1 - driftPpm / 1e6),
				);
			}
			const out = heard.subarray(tick * FRAME, (tick + 1) * FRAME);
			if (source.pull(out, now)) started = started < 0 ? tick : started;
			else expect(started, `nothing to play at tick ${tick}`).toBe(-1);
			if (tick > 500) delayAfterStart = Math.max(delayAfterStart, source.reception().delayMs);
		}
		expect(started).toBeLessThan(5);
		expect(source.reception()).toMatchObject({ missing: 0, late: 0 });
		expect(delayAfterStart).toBeLessThan(45);
		const played = heard.subarray(started * FRAME, (MINUTES_10 - 50) * FRAME);
		expect(bend(played)).toBeLessThan(bend(sent) * 1.5);
		expect(Math.abs(frequency(played) / hz - 1)).toBeLessThan(0.001);
		// what the clocks are apart in ten minutes, and what it took to find the right delay at the beginning
		const apart = source.stretched.out - source.stretched.in;
		expect(Math.abs(apart - (driftPpm / 1e6) * 600_000)).toBeLessThan(40);
	});
});

/** Speech-like: a voice of changing pitch. */
function voice(ms: number): Int16Array {
	let phase = 0;
	return Int16Array.from({ length: (RATE * ms) / 1_000 }, (_, i) => {
		phase += (2 * Math.PI * (140 + 40 * Math.sin(i / 1_500))) / RATE;
		const loud = 0.4 + 0.6 * Math.abs(Math.sin(i / 2_300));
		return Math.round(4_000 * loud * [1, 2, 3, 5, 8].reduce((sum, harmonic) => sum + Math.sin(harmonic * phase) / harmonic, 0));
	});
}

function opus(pcm: Int16Array, fec: boolean): Uint8Array[] {
	const packets: Uint8Array[] = [];
	new OpusFromPcm(8_000, { fec }).encode(pcm, (packet) => packets.push(packet.slice()));
	return packets;
}

function errorDb(heard: Int16Array, wanted: Int16Array): number {
	let error = 0;
	let power = 0;
	for (let i = 0; i < wanted.length; i++) {
		error += ((heard[i] ?? 0) - (wanted[i] ?? 0)) ** 2;
		power += (wanted[i] ?? 0) ** 2;
	}
	return 10 * Math.log10(error / power);
}

describe("a lost Opus packet", () => {
	const withCopies = opus(voice(2_000), true);
	const without = opus(voice(2_000), false);

	it("the head of a packet tells whether it holds a copy of the one before", () => {
		expect(withCopies.slice(5).filter(holdsCopyOfLast).length).toBeGreaterThan(40);
		expect(without.filter(holdsCopyOfLast)).toEqual([]);
		expect(holdsCopyOfLast(new Uint8Array())).toBe(false);
	});

	it("is taken from the next one where that holds a copy, and made up by the codec where not", () => {
		const errors = [withCopies, without].map((packets) => {
			const whole = new OpusToPcm(8_000);
			const wanted = packets.map((packet) => whole.decode(packet)?.slice() ?? new Int16Array());
			const lossy = new OpusToPcm(8_000);
			const lost = [20, 33, 47, 60, 75];
			return lost.map((at, i) => {
				for (let index = (lost[i - 1] ?? -1) + 1; index < at; index++) lossy.decode(packets[index] ?? new Uint8Array());
				const next = packets[at + 1] ?? new Uint8Array();
				return errorDb(
					(holdsCopyOfLast(next) ? lossy.recover(next, FRAME) : lossy.conceal(FRAME)) ?? new Int16Array(),
					wanted[at] ?? new Int16Array(),
				);
			});
		});
		const [copied = [], madeUp = []] = errors.map((each) => each.toSorted((a, b) => a - b));
		expect(copied[2]).toBeLessThan(-8);
		expect(madeUp[2]).toBeGreaterThan((copied[2] ?? 0) + 3);
	});

	it("the buffer waits for the next packet while much is lost, and no longer when nothing is", () => {
		const source = new RoomSource();
		const packets = opus(voice(40_000), true);
		const one = (index: number) => ({ index, at: index * 20 });
		const lossy = Array.from({ length: 600 }, (_, i) => one(i)).filter(({ index }) => (index * 7) % 10 !== 3);
		const rest = Array.from({ length: packets.length - 600 }, (_, i) => one(600 + i));
		const delays: number[] = [];
		const out = new Int16Array(FRAME);
		let next = 0;
		const all = [...lossy, ...rest];
		for (let tick = 0; tick < packets.length; tick++) {
			const now = tick * 20 + 7;
			for (let arrival = all[next]; arrival !== undefined && arrival.at <= now; arrival = all[++next])
				source.push(
					{
						codec: "opus",
						payload: packets[arrival.index] ?? new Uint8Array(),
						sequence: arrival.index,
						timestamp: arrival.index * 960,
						marker: false,
					},
					arrival.at,
				);
			source.pull(out, now);
			delays.push(source.reception().delayMs);
		}
		expect(delays[590]).toBeGreaterThan(20);
		expect(delays.at(-5)).toBeLessThan(20);
	});
});

it("bytes that are no Opus are a gap, and a closed decoder says nothing", () => {
	const decoder = new OpusToPcm(8_000);
	expect(decoder.decode(Uint8Array.of(255, 255, 255, 1))).toBeUndefined();
	expect(decoder.decode(new Uint8Array())).toBeUndefined();
	expect(decoder.conceal(FRAME)).toHaveLength(FRAME);
	decoder.close();
	decoder.close();
	expect(decoder.conceal(FRAME)).toBeUndefined();
});
