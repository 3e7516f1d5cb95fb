import { describe, expect, it } from "vitest";
import { Deframer, framed } from "./framing.ts";

describe("RFC 4571 framing", () => {
	it("writes the length, most significant byte first", () => {
		expect([...framed(Uint8Array.of(7, 8, 9))]).toEqual([0, 3, 7, 8, 9]);
		expect([...framed(new Uint8Array(258)).subarray(0, 2)]).toEqual([1, 2]);
	});

	it.each([1, 2, 3, 5, 1000])("gives the same packets however the stream is cut: pieces of %i", (size) => {
		const packets = [1, 700, 3, 0, 5_000].map((length, i) => new Uint8Array(length).fill(i + 1));
		const stream = packets.flatMap((packet) => [...framed(packet)]);
		const deframer = new Deframer();
		const read: Uint8Array[] = [];
		for (let at = 0; at < stream.length; at += size) read.push(...deframer.take(Uint8Array.from(stream.slice(at, at + size))));
		expect(read.map((packet) => [packet.length, packet[0]])).toEqual([
			[1, 1],
			[700, 2],
			[3, 3],
			[5_000, 5],
		]);
	});
});
