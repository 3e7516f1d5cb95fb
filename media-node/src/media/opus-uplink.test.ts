import { encodeG711, G722Encoder, measureTone, tone } from "@trunkline/audio";
import { describe, expect, it } from "vitest";
import type { EncodedFrame, NegotiatedAudio } from "../call/ports.ts";
import { Downlink } from "./downlink.ts";
import { OpusFromPcm, OpusToPcm } from "./opus.ts";
import { RtpSender } from "./rtp-sender.ts";
import { Uplink } from "./uplink.ts";

const FRAME = 160;

type Written = Omit<EncodedFrame, "payload"> & { payload: Uint8Array; level: number };

/** A room that takes this codec, and what was written to it. */
function room(codec: "opus" | "PCMU", takesG711?: true) {
	const written: Written[] = [];
	const uplink = new Uplink({
		codec,
		...(takesG711 && { takesG711 }),
		write: (frame, level) => written.push({ ...frame, payload: frame.payload.slice(), level }),
	});
	return { written, uplink };
}

function opusPackets(pcm: Int16Array, rate: 8_000 | 16_000 = 16_000): Uint8Array[] {
	const packets: Uint8Array[] = [];
	new OpusFromPcm(rate).encode(pcm, (packet) => packets.push(packet.slice()));
	return packets;
}

function decoded(packets: readonly Uint8Array[], rate: 8_000 | 16_000): Int16Array {
	const decoder = new OpusToPcm(rate);
	return Int16Array.from(packets.flatMap((packet) => [...(decoder.decode(packet) ?? [])]));
}

function sendG711(uplink: Uplink, pcm: Int16Array, keep: (index: number) => boolean, order = (index: number) => index): void {
	for (let i = 0; i < pcm.length / FRAME; i++) {
		const index = order(i);
		if (!keep(index)) continue;
		const payload = new Uint8Array(FRAME);
		encodeG711("PCMU", pcm.subarray(index * FRAME, (index + 1) * FRAME), payload);
		uplink.write("PCMU", payload, 7_000 + index * FRAME, (65_500 + index) & 0xffff, false);
	}
}

describe("Opus of a telephone", () => {
	const packets = opusPackets(tone(16_000, 5_000, 1_000, -20));

	it.each([
		["a room of Opus", "opus", undefined],
		["the other telephone of a bridge", "PCMU", true],
	] as const)("goes to %s byte for byte, with its numbers, and its loudness is told", (_, codec, takesG711) => {
		const { written, uplink } = room(codec, takesG711);
		for (const [i, payload] of packets.entries()) uplink.write("opus", payload, 500 + i * 960, (65_530 + i) & 0xffff, i === 0);
		expect(written.map(({ payload }) => payload)).toEqual(packets);
		expect(written.map(({ codec: name, timestamp, sequence, marker }) => [name, timestamp, sequence, marker])).toEqual(
			packets.map((__, i) => ["opus", 500 + i * 960, (65_530 + i) & 0xffff, i === 0]),
		);
		// 5 kHz is more than what loudness is measured from: a level of silence would be no level
		const spoken = room("opus");
		for (const [i, payload] of opusPackets(tone(16_000, 500, 1_000, -20)).entries())
			spoken.uplink.write("opus", payload, i * 960, i, false);
		expect(spoken.written.at(-1)?.level).toBeGreaterThanOrEqual(18);
		expect(spoken.written.at(-1)?.level).toBeLessThanOrEqual(23);
	});

	it("is narrowed to µ-law for a room of G.711, on its clock", () => {
		const { written, uplink } = room("PCMU");
		for (const [i, payload] of opusPackets(tone(16_000, 440, 1_000, -20)).entries())
			uplink.write("opus", payload, (0xffff_f000 + i * 960) >>> 0, i, false);
		expect(written.map(({ codec, payload }) => [codec, payload.length])).toEqual(written.map(() => ["PCMU", FRAME]));
		const steps = written.slice(1).map(({ timestamp }, i) => (timestamp - (written[i]?.timestamp ?? 0)) >>> 0);
		expect(new Set(steps)).toEqual(new Set([FRAME]));
	});
});

describe("G.711 to a room of Opus", () => {
	const pcm = tone(8_000, 440, 2_000, -20);

	it("what is lost is made up: the stream has every packet, and the tone goes on", () => {
		const { written, uplink } = room("opus");
		sendG711(uplink, pcm, (index) => index % 10 !== 5);
		expect(written).toHaveLength(100);
		expect(written.map(({ timestamp }) => timestamp)).toEqual(Array.from({ length: 100 }, (_, i) => i * 960));
		const heard = decoded(
			written.map(({ payload }) => payload),
			8_000,
		);
		expect(measureTone(heard.subarray(800), 8_000, 440).levelDb).toBeGreaterThan(-21);
	});

	it("a packet that comes after its time was made up is dropped", () => {
		const { written, uplink } = room("opus");
		sendG711(
			uplink,
			pcm,
			() => true,
			(i) => (i % 10 === 5 ? i + 1 : i % 10 === 6 ? i - 1 : i),
		);
		expect(written.map(({ timestamp }) => timestamp)).toEqual(Array.from({ length: 100 }, (_, i) => i * 960));
	});

	it("a long gap is time that passes, not sound that is made up", () => {
		const { written, uplink } = room("opus");
		sendG711(uplink, pcm, (index) => index < 20 || index >= 60);
		expect(written).toHaveLength(60);
		expect((written[20]?.timestamp ?? 0) - (written[19]?.timestamp ?? 0)).toBe(41 * 960);
	});

	it("silence is not sent, a quiet tone is", () => {
		const silent = room("opus");
		sendG711(silent.uplink, new Int16Array(8_000 * 4), () => true);
		expect(silent.written.length).toBeLessThan(60);
		const ticks = silent.written.map(({ timestamp }) => timestamp);
		expect(Math.max(...ticks.slice(1).map((at, i) => at - (ticks[i] ?? 0)))).toBeLessThanOrEqual(48 * 420);
		const tones = room("opus");
		sendG711(tones.uplink, tone(8_000, 440, 4_000, -45), () => true);
		expect(tones.written).toHaveLength(200);
	});
});

it("G.722 with a gap is made up in its whole width", () => {
	const { written, uplink } = room("opus");
	const pcm = tone(16_000, 5_500, 1_000, -20);
	const encoder = new G722Encoder();
	for (let i = 0; i < 50; i++) {
		const payload = new Uint8Array(FRAME);
		encoder.encode(pcm.subarray(i * 320, (i + 1) * 320), payload);
		if (i !== 20) uplink.write("G722", payload, i * FRAME, i, false);
	}
	expect(written).toHaveLength(50);
	const heard = decoded(
		written.map(({ payload }) => payload),
		16_000,
	);
	expect(measureTone(heard.subarray(1_600), 16_000, 5_500).levelDb).toBeGreaterThan(-23);
});

describe("towards a telephone of Opus", () => {
	const OPUS: NegotiatedAudio = {
		codec: "opus",
		payloadType: 111,
		receivePayloadType: 111,
		telephoneEventPayloadType: 110,
		telephoneEventReceivePayloadType: 110,
		telephoneEventClockRate: 48_000,
		opus: { maxPlaybackRate: 48_000, useInbandFec: true, useDtx: false, stereo: false, cbr: false },
		remote: { address: "127.0.0.1", port: 9 },
		sends: true,
		receives: true,
	};

	function telephone(negotiated: NegotiatedAudio = OPUS) {
		let now = 1_000;
		const sent: { payload: Uint8Array; timestamp: number; sequence: number; type: number }[] = [];
		const sender = new RtpSender(1, (bytes) => {
			const view = new DataView(bytes.buffer, bytes.byteOffset);
			sent.push({ payload: bytes.slice(12), sequence: view.getUint16(2), timestamp: view.getUint32(4), type: view.getUint8(1) & 0x7f });
		});
		const downlink = new Downlink(sender, 10, 5_000, () => now);
		downlink.negotiated(negotiated);
		const track = (trackSid: string) => {
			let listener: (frame: EncodedFrame) => void = () => {};
			downlink.addTrack({ trackSid, participantIdentity: trackSid, onFrame: (given) => (listener = given) });
			return (payload: Uint8Array, index: number) =>
				listener({ codec: "opus", payload, sequence: 300 + index, timestamp: 70_000 + index * 960, marker: false });
		};
		return {
			downlink,
			sent,
			track,
			run(steps: number, each: (step: number) => void = () => {}): void {
				for (let step = 0; step < steps; step++) {
					each(step);
					now += 20;
					downlink.tick();
				}
			},
		};
	}

	const one = opusPackets(tone(16_000, 440, 1_000, -20));
	const other = opusPackets(tone(16_000, 1_000, 1_000, -20));

	it("one track goes straight through, byte for byte, at once and re-stamped", () => {
		const { sent, track, run } = telephone();
		const send = track("TR_a");
		run(50, (step) => {
			send(one[step] ?? new Uint8Array(), step);
			expect(sent).toHaveLength(step + 1);
		});
		expect(sent.map(({ payload }) => payload)).toEqual(one);
		expect(sent.map(({ type, sequence, timestamp }) => [type, sequence, timestamp])).toEqual(
			one.map((_, i) => [111, 11 + i, 5_000 + 960 + i * 960]),
		);
	});

	it("two tracks are mixed in wide band, and the clock's time goes on", () => {
		const { sent, track, run } = telephone();
		const [a, b] = [track("TR_a"), track("TR_b")];
		run(50, (step) => {
			a(one[step] ?? new Uint8Array(), step);
			b(other[step] ?? new Uint8Array(), step);
		});
		const heard = decoded(
			sent.slice(15).map(({ payload }) => payload),
			16_000,
		);
		for (const hz of [440, 1_000]) expect(measureTone(heard, 16_000, hz).levelDb).toBeGreaterThan(-22);
		for (let i = 10; i < sent.length; i++) expect((sent[i]?.timestamp ?? 0) - (sent[i - 1]?.timestamp ?? 0)).toBe(960);
	});

	it.each<[string, Partial<NonNullable<NegotiatedAudio["opus"]>>]>([
		["a lower bit rate than others send", { maxAverageBitrate: 16_000 }],
		["a constant bit rate", { cbr: true }],
	])("a telephone that wants %s gets packets of ours", (_, wanted) => {
		const { sent, track, run } = telephone({ ...OPUS, opus: { ...(OPUS.opus as NonNullable<typeof OPUS.opus>), ...wanted } });
		const send = track("TR_a");
		run(50, (step) => send(one[step] ?? new Uint8Array(), step));
		const sounding = sent.slice(10, 45).map(({ payload }) => payload);
		expect(measureTone(decoded(sounding, 8_000).subarray(800), 8_000, 440).levelDb).toBeGreaterThan(-22);
		const bytes = sounding.map(({ length }) => length);
		if (wanted.cbr) expect(new Set(bytes).size).toBe(1);
		else expect(bytes.reduce((sum, each) => sum + each, 0) / bytes.length).toBeLessThan(50);
	});

	it("digits run on the 48 kHz clock (RFC 4733 §2.1)", () => {
		const { downlink, sent, run } = telephone();
		void downlink.sendDigits("5");
		run(20);
		const events = sent.filter(({ type }) => type === 110).map(({ payload }) => payload);
		const durations = events.map((payload) => new DataView(payload.buffer).getUint16(2));
		expect(durations.slice(0, 3)).toEqual([960, 1_920, 2_880]);
		// 250 ms are 13 packets of 20 ms
		expect(durations.at(-1)).toBe(13 * 960);
	});

	it("another codec in the middle of a call", () => {
		const { downlink, sent, track, run } = telephone();
		const send = track("TR_a");
		run(5, (step) => send(one[step] ?? new Uint8Array(), step));
		const { remote } = OPUS;
		downlink.negotiated({ codec: "PCMU", payloadType: 0, receivePayloadType: 0, remote, sends: true, receives: true });
		run(20, (step) => send(one[step + 5] ?? new Uint8Array(), step + 5));
		const after = sent.slice(5);
		expect(after.every(({ type, payload }) => type === 0 && payload.length === FRAME)).toBe(true);
		expect(after.map(({ sequence }) => sequence)).toEqual(after.map((_, i) => 16 + i));
	});
});
