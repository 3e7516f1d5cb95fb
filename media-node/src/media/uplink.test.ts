import { decodeG711, encodeG711, G722Encoder, measureTone, tone } from "@trunkline/audio";
import { expect, it } from "vitest";
import type { AudioUplink, EncodedFrame, RoomCodec } from "../call/ports.ts";
import { OpusToPcm } from "./opus.ts";
import { Uplink } from "./uplink.ts";

interface Written extends EncodedFrame {
	level: number;
}

function room(codec: RoomCodec) {
	const written: Written[] = [];
	const target: AudioUplink = { codec, write: (frame, level) => void written.push({ ...frame, payload: frame.payload.slice(), level }) };
	return { written, uplink: new Uplink(target) };
}

const second = tone(8_000, 440, 1_000, -20);

function send(uplink: Uplink, codec: "PCMU" | "PCMA"): void {
	const payload = new Uint8Array(160);
	for (let i = 0; i < 50; i++) {
		encodeG711(codec, second.subarray(i * 160, (i + 1) * 160), payload);
		uplink.write(codec, payload, i * 160, i, i === 0);
	}
}

it("the telephone's own law goes through byte for byte, with its level", () => {
	const { written, uplink } = room("PCMU");
	send(uplink, "PCMU");
	const expected = new Uint8Array(160);
	encodeG711("PCMU", second.subarray(160, 320), expected);
	expect(written[1]).toMatchObject({ codec: "PCMU", payload: expected, timestamp: 160, sequence: 1, marker: false });
	expect(written[1]?.level).toBe(20);
});

it("A-law becomes µ-law where the room takes only that", () => {
	const { written, uplink } = room("PCMU");
	send(uplink, "PCMA");
	const pcm = new Int16Array(8_000);
	for (const [i, frame] of written.entries()) decodeG711("PCMU", frame.payload, pcm, i * 160);
	expect(measureTone(pcm, 8_000, 440).levelDb).toBeCloseTo(-20, 0);
});

it("becomes Opus in 20 ms packets where the room takes no G.711", () => {
	const { written, uplink } = room("opus");
	send(uplink, "PCMU");
	expect(written).toHaveLength(50);
	expect(written.map((frame) => frame.timestamp)).toEqual(Array.from({ length: 50 }, (_, i) => i * 960));
	const decoder = new OpusToPcm(8_000);
	const pcm = new Int16Array(8_000);
	for (const [i, frame] of written.entries()) pcm.set(decoder.decode(frame.payload) ?? [], i * 160);
	expect(measureTone(pcm.subarray(1_600), 8_000, 440).levelDb).toBeCloseTo(-20, 0);
});

it("bytes that are no Opus packet are nothing, not an error", () => {
	expect(new OpusToPcm(8_000).decode(new Uint8Array([0xff, 0xff, 0xff]))).toBeUndefined();
});

/** A second of a tone as a wide-band telephone sends it. */
function sendWide(uplink: Uplink, hz: number): void {
	const pcm = tone(16_000, hz, 1_000, -20);
	const encoder = new G722Encoder();
	const payload = new Uint8Array(160);
	for (let i = 0; i < 50; i++) {
		encoder.encode(pcm.subarray(i * 320, (i + 1) * 320), payload);
		uplink.write("G722", payload, i * 160, i, i === 0);
	}
}

it("G.722 reaches a room with Opus in its whole width", () => {
	const { written, uplink } = room("opus");
	sendWide(uplink, 5_500);
	expect(written.map((frame) => frame.timestamp)).toEqual(Array.from({ length: 50 }, (_, i) => i * 960));
	const decoder = new OpusToPcm(16_000);
	const pcm = new Int16Array(16_000);
	for (const [i, frame] of written.entries()) pcm.set(decoder.decode(frame.payload) ?? [], i * 320);
	expect(Math.abs(measureTone(pcm.subarray(3_200), 16_000, 5_500).levelDb + 20)).toBeLessThan(2);
	expect(written[40]?.level).toBe(20);
});

it.each([
	["a room of G.711", { codec: "PCMA" }, "PCMA"],
	["the other telephone of a bridge, which takes both laws", { codec: "PCMU", takesG711: true }, "PCMU"],
] as const)("G.722 to %s", (_name, target, codec) => {
	const written: Written[] = [];
	const uplink = new Uplink({ ...target, write: (frame, level) => void written.push({ ...frame, payload: frame.payload.slice(), level }) });
	sendWide(uplink, 1_000);
	expect(written).toHaveLength(50);
	expect(written[7]).toMatchObject({ codec, timestamp: 7 * 160, sequence: 7 });
	const pcm = new Int16Array(8_000);
	for (const [i, frame] of written.entries()) decodeG711(codec, frame.payload, pcm, i * 160);
	expect(measureTone(pcm.subarray(1_600), 8_000, 1_000).levelDb).toBeCloseTo(-20, 0);
});

it("digits take none of the room's numbers: each of their packets once, though it comes twice; one that is late or lost is a gap", () => {
	const { written, uplink } = room("PCMU");
	const payload = new Uint8Array(160);
	uplink.write("PCMU", payload, 0, 100, false);
	for (const number of [101, 103, 103, 102, 101]) uplink.passOver(number);
	uplink.write("PCMU", payload, 640, 104, false);
	uplink.write("PCMU", payload, 960, 106, false);
	expect(written.map(({ sequence }) => sequence)).toEqual([100, 102, 104]);
});
