import { decodeG711, encodeG711 } from "@trunkline/audio";
import { describe, expect, test } from "vitest";
import { BurstListener, BurstSpeaker, matchBursts, PERIOD_MS } from "./bursts.ts";

/** What a speaker says in `frames` frames of 20 ms, the frame at index i leaving at i × 20 ms. */
function say(startMs: number, frames: number): { speaker: BurstSpeaker; said: Int16Array[] } {
	const speaker = new BurstSpeaker(8_000, 20, startMs);
	const said = Array.from({ length: frames }, (_, index) => {
		const frame = new Int16Array(160).fill(99);
		speaker.fill(frame, index * 20);
		return frame;
	});
	return { speaker, said };
}

/** The same after G.711, as a telephone hears it. */
function throughPcmu(frame: Int16Array): Int16Array {
	const payload = new Uint8Array(frame.length);
	encodeG711("PCMU", frame, payload);
	const heard = new Int16Array(frame.length);
	decodeG711("PCMU", payload, heard);
	return heard;
}

describe("a speaker of bursts", () => {
	test("begins one each half second, and notes when", () => {
		expect(say(0, 80).speaker.sentAt).toEqual([0, 500, 1_000, 1_500]);
		expect(say(130, 80).speaker.sentAt, "after 120 ms of silence: whole frames").toEqual([120, 620, 1_120]);
	});
	test("60 ms of tone, then silence", () => {
		const loud = say(0, 28).said.map((frame) => frame.some((sample) => Math.abs(sample) > 10_000));
		expect(loud.flatMap((is, index) => (is ? [index] : []))).toEqual([0, 1, 2, 25, 26, 27]);
		expect(say(0, 4).said[3]).toEqual(new Int16Array(160));
	});
	test("the tone is loud from its first packet on, at any frame length", () => {
		const speaker = new BurstSpeaker(48_000, 10, 0);
		const frame = new Int16Array(480);
		speaker.fill(frame, 7);
		expect(Math.max(...frame.subarray(0, 48)), "in its first millisecond").toBeGreaterThan(10_000);
		expect(speaker.sentAt).toEqual([7]);
	});
});

describe("a listener", () => {
	test("hears each burst once, when its first packet arrives", () => {
		const listener = new BurstListener();
		say(100, 60).said.forEach((frame, index) => listener.hear(throughPcmu(frame), index * 20 + 3));
		expect(listener.heardAt).toEqual([103, 603, 1_103]);
	});
	test("silence and a codec's noise are nothing", () => {
		const listener = new BurstListener();
		listener.hear(new Int16Array(160), 0);
		listener.hear(
			Int16Array.from({ length: 160 }, (_, index) => (index % 2 === 0 ? 1_999 : -2_000)),
			20,
		);
		expect(listener.heardAt).toEqual([]);
	});
	test("a packet lost inside a burst does not make two", () => {
		const listener = new BurstListener();
		const [first, , third] = say(0, 3).said;
		listener.hear(first ?? new Int16Array(), 0);
		listener.hear(third ?? new Int16Array(), 40);
		expect(listener.heardAt).toEqual([0]);
	});
});

describe("matching", () => {
	const sent = [0, 500, 1_000, 1_500];
	test("each burst with the next one heard", () => {
		expect(matchBursts(sent, [1, 505, 1_499, 1_530], 0, 2_000)).toEqual({ delays: [1, 5, 499, 30], missed: 0 });
	});
	test("one that is not heard before the next is said is missed, and does not shift the others", () => {
		expect(matchBursts(sent, [2, 1_002, 1_502], 0, 2_000)).toEqual({ delays: [2, 2, 2], missed: 1 });
	});
	test("only those said within the time count", () => {
		expect(matchBursts(sent, [1, 502, 1_003, 1_504], 500, 1_499)).toEqual({ delays: [2, 3], missed: 0 });
	});
	test("the last one may be heard after the time is over", () => {
		expect(matchBursts([1_990], [1_990 + PERIOD_MS - 1], 0, 2_000)).toEqual({ delays: [PERIOD_MS - 1], missed: 0 });
	});
});
