import { RtpPacket } from "werift";
import { describe, expect, it } from "vitest";
import { Uplink, type UplinkParameters } from "./uplink.ts";

interface Sent {
	sequence: number;
	timestamp: number;
	marker: boolean;
	packet: RtpPacket;
}

function uplink(overrides: Partial<UplinkParameters> = {}) {
	const sent: Sent[] = [];
	let now = 1000;
	const track = new Uplink({
		codec: "PCMU",
		payloadType: 0,
		ssrc: 0x11223344,
		audioLevelId: 1,
		sequence: 65_534,
		timestamp: 4_294_967_136,
		now: () => now,
		send: (payload, header) => {
			// what SRTP does with them
			const packet = RtpPacket.deSerialize(Buffer.concat([header, payload]));
			const { sequenceNumber: sequence, timestamp, marker } = packet.header;
			sent.push({ sequence, timestamp, marker, packet });
		},
		...overrides,
	});
	let clock = { sequence: 100, timestamp: 5000 };
	const write = (sequence: number, timestamp: number, options: { marker?: boolean; level?: number } = {}) => {
		clock = { sequence, timestamp };
		const payload = Uint8Array.of(1, 2, 3);
		track.write({ codec: "PCMU", payload, sequence, timestamp, marker: options.marker ?? false }, options.level ?? 20);
	};
	const numbers = () => sent.map(({ sequence, timestamp }) => [sequence, timestamp]);
	return { track, sent, write, numbers, advance: (ms: number) => (now += ms), clock: () => clock };
}

describe("the uplink", () => {
	it("starts at its own numbers and wraps them", () => {
		const { write, numbers } = uplink();
		for (let i = 0; i < 4; i++) write(100 + i, 5000 + 160 * i);
		expect(numbers()).toEqual([
			[65_534, 4_294_967_136],
			[65_535, 0],
			[0, 160],
			[1, 320],
		]);
	});

	it("is silent while it is muted, and goes on without a gap in its numbers, at the time that has passed", () => {
		const { track, write, sent, numbers, advance } = uplink({ sequence: 0, timestamp: 0 });
		write(100, 5000);
		track.mute(true);
		for (let i = 1; i < 10; i++) write(100 + i, 5000 + 160 * i);
		expect(sent).toHaveLength(1);
		track.mute(false);
		advance(200);
		write(110, 5000 + 1600);
		write(111, 5000 + 1760);
		expect(numbers()).toEqual([
			[0, 0],
			[1, 1600],
			[2, 1760],
		]);
		expect(sent.map(({ marker }) => marker)).toEqual([false, true, false]);
	});

	it("carries loss and the source's wrap over", () => {
		const { write, numbers } = uplink({ sequence: 0, timestamp: 0 });
		write(65_534, 0xffff_ffff - 159);
		write(65_535, 0);
		write(2, 480);
		expect(numbers()).toEqual([
			[0, 0],
			[1, 160],
			[4, 640],
		]);
	});

	it("sends a late packet with the number it should have had, and goes on", () => {
		const { write, numbers } = uplink({ sequence: 10, timestamp: 1600 });
		write(100, 0);
		write(102, 320);
		write(101, 160);
		write(103, 480);
		expect(numbers()).toEqual([
			[10, 1600],
			[12, 1920],
			[11, 1760],
			[13, 2080],
		]);
	});

	// RFC 3711 §9.1: two packets under one number would be two encryptions under one keystream; and a repeat is no new audio
	it("sends a packet that comes twice once, whether the newest or a late one, and does not count it as a new source", () => {
		const { write, numbers } = uplink({ sequence: 10, timestamp: 1600 });
		write(100, 0);
		write(100, 0);
		write(102, 320);
		write(101, 160);
		write(101, 160);
		write(100, 0);
		write(102, 320);
		write(103, 480);
		expect(numbers()).toEqual([
			[10, 1600],
			[12, 1920],
			[11, 1760],
			[13, 2080],
		]);
	});

	it("joins another source without a gap, after the time that has passed, with a marker", () => {
		const { write, sent, numbers, advance } = uplink({ sequence: 10, timestamp: 1600 });
		write(100, 0);
		advance(100);
		write(40_000, 99_999);
		advance(20);
		write(40_001, 100_159);
		expect(numbers()).toEqual([
			[10, 1600],
			[11, 1600 + 800],
			[12, 1600 + 960],
		]);
		expect(sent.map(({ marker }) => marker)).toEqual([false, true, false]);
	});

	it("writes a header that any RTP stack reads: version, type, SSRC, audio level of RFC 6464", () => {
		const { write, sent } = uplink();
		write(1, 0, { level: 15, marker: true });
		write(2, 160, { level: 127 });
		const [first, second] = sent.map(({ packet }) => packet);
		expect(first?.header).toMatchObject({ version: 2, payloadType: 0, ssrc: 0x11223344, marker: true, padding: false });
		expect(first?.header.extensions).toEqual([{ id: 1, payload: Buffer.of(15) }]);
		expect(second?.header.extensions).toEqual([{ id: 1, payload: Buffer.of(127) }]);
		expect(first?.payload).toEqual(Buffer.of(1, 2, 3));
	});

	it("has no extension when the server took none", () => {
		const { write, sent } = uplink({ audioLevelId: undefined });
		write(1, 0);
		expect(sent[0]?.packet.header.extension).toBe(false);
		expect(sent[0]?.packet.payload).toEqual(Buffer.of(1, 2, 3));
	});

	it("throws on a frame of another codec", () => {
		const { track } = uplink();
		expect(() => track.write({ codec: "opus", payload: Uint8Array.of(1), sequence: 1, timestamp: 1, marker: false }, 0)).toThrow(
			/opus .* PCMU/,
		);
	});

	it("reports what it sent, with the timestamp of now", () => {
		const { track, write, advance } = uplink({ sequence: 0, timestamp: 0 });
		expect(track.report()).toBeUndefined();
		write(1, 0);
		write(2, 160);
		advance(10);
		expect(track.report()).toEqual({ ssrc: 0x11223344, timestamp: 160 + 80, packets: 2, octets: 6 });
	});
});
