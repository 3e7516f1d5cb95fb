import { describe, expect, it } from "vitest";
import { AudioSink } from "./audio-sink.ts";
import { AudioSource } from "./audio-source.ts";
import { findExtension, rtpHeaderLength } from "./rtp-header.ts";

interface Sent {
	payloadType: number;
	marker: boolean;
	sequence: number;
	timestamp: number;
	ssrc: number;
	level: number | undefined;
	payload: string;
}

function setUp(): { source: AudioSource; sink: AudioSink; sent: Sent[] } {
	const sent: Sent[] = [];
	const sink = new AudioSink(
		{
			rtpOverhead: 0,
			resend: () => undefined,
			sendRtp(out, headerLength, payload) {
				const at = findExtension(out, headerLength, 5);
				sent.push({
					payloadType: (out[1] ?? 0) & 0x7f,
					marker: (out[1] ?? 0) >= 0x80,
					sequence: out.readUInt16BE(2),
					timestamp: out.readUInt32BE(4),
					ssrc: out.readUInt32BE(8),
					level: at === -1 ? undefined : (out[at] ?? 0) & 0x7f,
					payload: Buffer.from(payload).toString(),
				});
			},
		},
		4242,
	);
	sink.configure({
		payloadTypes: new Map([
			["PCMU", 0],
			["opus", 109],
		]),
		levelExtension: 5,
	});
	const source = new AudioSource();
	source.configure({
		codecs: new Map([
			[0, "PCMU"],
			[111, "opus"],
			[8, "PCMA"],
		]),
		levelExtension: 3,
	});
	source.addSink(sink);
	return { source, sink, sent };
}

function write(
	source: AudioSource,
	packet: {
		payloadType?: number;
		sequence: number;
		timestamp: number;
		ssrc?: number;
		level?: number;
		payload?: string;
		padding?: number;
		marker?: boolean;
	},
): void {
	const extended = packet.level !== undefined;
	const header = Buffer.alloc(extended ? 20 : 12);
	header[0] = 0x80 | (extended ? 0x10 : 0) | (packet.padding === undefined ? 0 : 0x20);
	header[1] = (packet.payloadType ?? 0) | (packet.marker === true ? 0x80 : 0);
	header.writeUInt16BE(packet.sequence, 2);
	header.writeUInt32BE(packet.timestamp, 4);
	header.writeUInt32BE(packet.ssrc ?? 1, 8);
	if (extended) {
		header.writeUInt32BE(0xbede0001, 12);
		header[16] = 0x30;
		header[17] = packet.level ?? 0;
	}
	const padding = Buffer.alloc(packet.padding ?? 0, packet.padding);
	expect(rtpHeaderLength(header)).toBe(header.length);
	source.write(header, header.length, Buffer.concat([Buffer.from(packet.payload ?? "audio"), padding]));
}

describe("forwarding", () => {
	it("keeps numbers, payload, marker and level; puts the subscriber's SSRC and payload type on", () => {
		const { source, sent } = setUp();
		write(source, { payloadType: 111, sequence: 65_535, timestamp: 0xffff_fc40, level: 30, payload: "one", marker: true });
		write(source, { payloadType: 111, sequence: 0, timestamp: 0, level: 127, payload: "two" });
		write(source, { payloadType: 0, sequence: 1, timestamp: 160, payload: "three" });
		expect(sent).toEqual([
			{ payloadType: 109, marker: true, sequence: 65_535, timestamp: 0xffff_fc40, ssrc: 4242, level: 30, payload: "one" },
			{ payloadType: 109, marker: false, sequence: 0, timestamp: 0, ssrc: 4242, level: 127, payload: "two" },
			{ payloadType: 0, marker: false, sequence: 1, timestamp: 160, ssrc: 4242, level: undefined, payload: "three" },
		]);
	});

	it("drops what the subscriber or nobody takes, what is muted, and padding", () => {
		const { source, sent } = setUp();
		write(source, { payloadType: 8, sequence: 1, timestamp: 160 });
		write(source, { payloadType: 63, sequence: 2, timestamp: 320 });
		source.muted = true;
		write(source, { sequence: 3, timestamp: 480 });
		source.muted = false;
		write(source, { sequence: 4, timestamp: 640, padding: 4 });
		write(source, { sequence: 5, timestamp: 800, padding: 4, payload: "" });
		expect(sent.map(({ sequence, payload }) => [sequence, payload])).toEqual([[4, "audio"]]);
	});

	it("goes on without a gap when the publisher's stream starts anew", () => {
		const { source, sent } = setUp();
		write(source, { sequence: 10, timestamp: 1600 });
		write(source, { sequence: 50_000, timestamp: 9_999_999, ssrc: 2 });
		write(source, { sequence: 50_001, timestamp: 10_000_159, ssrc: 2 });
		expect(sent.map(({ sequence, timestamp }) => [sequence, timestamp])).toEqual([
			[10, 1600],
			[11, 1760],
			[12, 1920],
		]);
	});

	it("shows no loss for what was held back, and time goes on meanwhile", () => {
		const { source, sink, sent } = setUp();
		write(source, { sequence: 10, timestamp: 1600 });
		sink.paused = true;
		for (let i = 11; i < 60; i++) write(source, { sequence: i, timestamp: i * 160 });
		sink.paused = false;
		write(source, { sequence: 60, timestamp: 9600 });
		expect(sent.map(({ sequence, timestamp }) => [sequence, timestamp])).toEqual([
			[10, 1600],
			[11, 9600],
		]);
	});

	it("hands a late packet on in its place", () => {
		const { source, sent } = setUp();
		for (const sequence of [10, 12, 11, 13]) write(source, { sequence, timestamp: sequence * 160 });
		expect(sent.map(({ sequence }) => sequence)).toEqual([10, 12, 11, 13]);
	});

	it("counts speech by level", () => {
		const { source } = setUp();
		for (const [sequence, level] of [20, 40, 35, 127].entries()) write(source, { sequence, timestamp: 0, level });
		expect(source.takeActivity()).toEqual({ frames: 4, loudFrames: 2, loudest: 20 });
		expect(source.takeActivity()).toEqual({ frames: 0, loudFrames: 0, loudest: 127 });
	});
});

describe("RTP headers", () => {
	it("of any length and any content are read or refused, never overrun", () => {
		const packet = Buffer.from("bfe0000100000001000000020000000a0000000bbede00023111411122003344aabb", "hex");
		for (let length = 0; length <= packet.length; length++) {
			for (let at = 0; at < length; at++) {
				for (const value of [0, 0x7f, 0xff]) {
					const changed = Buffer.from(packet.subarray(0, length));
					changed[at] = value;
					const headerLength = rtpHeaderLength(changed);
					if (headerLength === undefined) continue;
					expect(headerLength).toBeLessThanOrEqual(length);
					for (const id of [1, 3, 14]) expect(findExtension(changed, headerLength, id)).toBeLessThan(headerLength);
				}
			}
		}
	});
});
