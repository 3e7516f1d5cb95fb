import { audioLevelPcm, decodeG711, encodeG711, G722Decoder, measureTone, tone } from "@trunkline/audio";
import { DtmfReceiver, parseRtp, type RtpPacket } from "@trunkline/rtp";
import { describe, expect, it } from "vitest";
import type { EncodedFrame, NegotiatedAudio, RemoteAudioTrack, RoomCodec } from "../call/ports.ts";
import { Downlink } from "./downlink.ts";
import { OpusFromPcm } from "./opus.ts";
import { RtpSender } from "./rtp-sender.ts";

const AUDIO: NegotiatedAudio = {
	codec: "PCMU",
	payloadType: 0,
	receivePayloadType: 0,
	telephoneEventPayloadType: 101,
	telephoneEventReceivePayloadType: 101,
	remote: { address: "127.0.0.1", port: 4000 },
	sends: true,
	receives: true,
};

function set(negotiated: Partial<NegotiatedAudio> = {}) {
	let now = 1_000;
	const packets: RtpPacket[] = [];
	const sender = new RtpSender(7, (bytes) => {
		const packet = parseRtp(bytes.slice());
		if (packet !== undefined) packets.push(packet);
	});
	const downlink = new Downlink(sender, 65_530, 0xffff_ff00, () => now);
	downlink.negotiated({ ...AUDIO, ...negotiated });
	const track = (trackSid: string, codec: RoomCodec = "PCMU") => {
		let listener: ((frame: EncodedFrame) => void) | undefined;
		let sequence = 100;
		let timestamp = 5_000;
		const remote: RemoteAudioTrack = {
			trackSid,
			participantIdentity: trackSid,
			onFrame: (given) => {
				listener = given;
			},
		};
		downlink.addTrack(remote);
		const say = (pcm: Int16Array) => {
			const payload = new Uint8Array(pcm.length);
			encodeG711(codec === "PCMA" ? "PCMA" : "PCMU", pcm, payload);
			sequence += 1;
			timestamp += pcm.length;
			listener?.({ codec, payload, sequence, timestamp, marker: false });
		};
		/** as a stream with another SSRC would: numbers of its own */
		const renumber = (newSequence: number, newTimestamp: number): void => {
			sequence = newSequence;
			timestamp = newTimestamp;
		};
		return Object.assign(say, { renumber });
	};
	return {
		downlink,
		packets,
		track,
		/** nothing runs for so long: a node without CPU time */
		freeze(ms: number): void {
			now += ms;
		},
		/** runs 20 ms steps; `each` is what the room sends in that time */
		run(steps: number, each: (step: number) => void = () => {}): void {
			for (let step = 0; step < steps; step++) {
				each(step);
				now += 20;
				downlink.tick();
			}
		},
	};
}

const frames = (hz: number, steps: number, levelDbov = -20) => {
	const pcm = tone(8_000, hz, steps * 20, levelDbov);
	return (step: number) => pcm.subarray(step * 160, (step + 1) * 160);
};

function heard(packets: readonly RtpPacket[], codec: "PCMU" | "PCMA" = "PCMU"): Int16Array {
	const pcm = new Int16Array(packets.length * 160);
	for (const [index, packet] of packets.entries()) decodeG711(codec, packet.payload, pcm, index * 160);
	return pcm;
}

function expectContinuous(packets: readonly RtpPacket[]): void {
	for (let i = 1; i < packets.length; i++) {
		expect(packets[i]?.sequence, `sequence of packet ${i}`).toBe(((packets[i - 1]?.sequence ?? 0) + 1) & 0xffff);
		expect(packets[i]?.timestamp, `timestamp of packet ${i}`).toBe(((packets[i - 1]?.timestamp ?? 0) + 160) >>> 0);
	}
}

it("one G.711 track goes through byte for byte, at once and re-stamped", () => {
	const s = set();
	const send = s.track("TR_a");
	const audio = frames(440, 50);
	s.run(50, (step) => {
		send(audio(step));
		expect(s.packets, "before any tick").toHaveLength(step + 1);
	});
	expectContinuous(s.packets);
	const expected = new Uint8Array(160);
	encodeG711("PCMU", audio(7), expected);
	expect(s.packets[7]?.payload).toEqual(expected);
	expect(s.packets.map((packet) => packet.marker)).toEqual([true, ...Array.from({ length: 49 }, () => false)]);
});

it("the other law is converted on the way", () => {
	const s = set({ codec: "PCMA", payloadType: 8, receivePayloadType: 8 });
	const send = s.track("TR_a", "PCMU");
	const audio = frames(440, 50);
	s.run(50, (step) => send(audio(step)));
	expect(s.packets.every((packet) => packet.payloadType === 8)).toBe(true);
	expect(measureTone(heard(s.packets, "PCMA"), 8_000, 440).levelDb).toBeCloseTo(-20, 0);
});

it("silence goes out while nobody speaks, and audio continues its numbers afterwards", () => {
	const s = set();
	const send = s.track("TR_a");
	const audio = frames(440, 10);
	s.run(10);
	expect(s.packets).toHaveLength(10);
	expect(s.packets.every((packet) => packet.payload.every((byte) => byte === 0xff))).toBe(true);
	s.run(10, (step) => send(audio(step)));
	s.run(10);
	expectContinuous(s.packets.slice(0, 20));
	const sequences = s.packets.map((packet) => packet.sequence);
	expect(new Set(sequences).size).toBe(sequences.length);
	expect(s.packets.length, "10 silent, 10 through, then silence again after a short wait").toBeGreaterThanOrEqual(27);
	for (let i = 1; i < s.packets.length; i++)
		expect(((s.packets[i]?.timestamp ?? 0) - (s.packets[i - 1]?.timestamp ?? 0)) | 0).toBeGreaterThan(0);
});

it("two tracks are mixed, each at its own level, and a third one joins them", () => {
	const s = set();
	const senders = [s.track("TR_a"), s.track("TR_b", "PCMA"), s.track("TR_c")];
	const tones = [frames(440, 100), frames(700, 100), frames(1_100, 100)];
	s.run(100, (step) => {
		for (const [index, send] of senders.entries()) {
			const audio = tones[index];
			if (audio !== undefined) send(audio(step));
		}
	});
	expectContinuous(s.packets.slice(10));
	const pcm = heard(s.packets.slice(30, 90));
	for (const hz of [440, 700, 1_100]) expect(measureTone(pcm, 8_000, hz).levelDb, `${hz} Hz`).toBeCloseTo(-20, 0);
	expect(measureTone(pcm, 8_000, 900).levelDb).toBeLessThan(-50);
});

it("goes back to straight through when the other track is muted, gone or still", () => {
	const s = set();
	const a = s.track("TR_a");
	const b = s.track("TR_b");
	const audio = frames(440, 40);
	s.run(10, (step) => {
		a(audio(step));
		b(audio(step));
	});
	s.downlink.muteTrack("TR_b", true);
	const before = s.packets.length;
	a(audio(11));
	expect(s.packets.length, "sent without waiting for the clock").toBe(before + 1);
});

it("a room that pauses is quiet noise, one without anybody is silence", () => {
	for (const [codec, payloadType] of [
		["PCMU", 0],
		["PCMA", 8],
	] as const) {
		const s = set({ codec, payloadType, receivePayloadType: payloadType });
		s.run(10);
		const silence = codec === "PCMU" ? 0xff : 0xd5;
		expect(s.packets.every(({ payload }) => payload.every((byte) => byte === silence))).toBe(true);
		const send = s.track("TR_a");
		const audio = frames(440, 10);
		s.run(10, (step) => send(audio(step)));
		const before = s.packets.length;
		s.run(60);
		const pcm = new Int16Array(160);
		const levels = s.packets.slice(before + 10).map(({ payload }) => {
			decodeG711(codec, payload, pcm);
			return audioLevelPcm(pcm);
		});
		expect(levels.length).toBeGreaterThan(40);
		for (const level of levels) expect(Math.abs(level - 65), `${codec}: −${level} dBov`).toBeLessThanOrEqual(4);
		s.downlink.removeTrack("TR_a");
		const gone = s.packets.length;
		s.run(5);
		expect(s.packets.slice(gone).every(({ payload }) => payload.every((byte) => byte === silence))).toBe(true);
	}
});

it("digits take the place of audio: each once, with three end packets, and the promise waits for them", async () => {
	const s = set();
	const send = s.track("TR_a");
	const audio = frames(440, 100);
	let done = false;
	const sent = s.downlink.sendDigits("1#").then(() => {
		done = true;
	});
	s.run(60, (step) => send(audio(step)));
	await sent;
	expect(done).toBe(true);
	const events = s.packets.filter((packet) => packet.payloadType === 101);
	const receiver = new DtmfReceiver();
	const digits = events.flatMap((packet, index) => receiver.receive(packet.payload, packet.timestamp, packet.marker, index * 20));
	expect(digits.filter((event) => event.type === "start").map((event) => event.digit)).toEqual(["1", "#"]);
	for (const end of digits.filter((event) => event.type === "end")) expect(end.durationMs).toBe(260);
	expect(events.filter((packet) => ((packet.payload[1] ?? 0) & 0x80) !== 0)).toHaveLength(6);
	expect(new Set(s.packets.map((packet) => packet.sequence)).size).toBe(s.packets.length);
});

it("between two digits the room is heard, and what was said during one is not heard later", () => {
	const s = set();
	const send = s.track("TR_a");
	const audio = frames(440, 100);
	void s.downlink.sendDigits("11");
	const first = s.packets.length;
	s.run(56, (step) => send(audio(step)));
	const sent = s.packets.slice(first);
	const lastDigit = sent.findLastIndex(({ payloadType }) => payloadType === 101);
	const firstDigit = sent.findIndex(({ payloadType }) => payloadType === 101);
	const between = sent.slice(firstDigit, lastDigit).filter(({ payloadType }) => payloadType === 0);
	expect(between.length).toBeGreaterThanOrEqual(9);
	expect(measureTone(heard(between), 8_000, 440).levelDb, "the room's tone, as loud as it is").toBeGreaterThan(-20);
	expect(new Set(sent.map(({ sequence }) => sequence)).size).toBe(sent.length);
	expect(s.downlink.roomReception().delayMs, "nothing has piled up").toBeLessThan(80);
});

it("keys that somebody leans on do not silence the room for a minute: what waits is bounded", async () => {
	for (const telephoneEventPayloadType of [101, undefined]) {
		const s = set();
		const negotiated: NegotiatedAudio = { ...AUDIO };
		if (telephoneEventPayloadType === undefined) delete negotiated.telephoneEventPayloadType;
		s.downlink.negotiated(negotiated);
		let waiting = 86;
		for (let i = 0; i < 86; i++) void s.downlink.sendDigits("5").then(() => (waiting -= 1));
		await Promise.resolve();
		// 26 frames each: the tenth is taken when 4.7 s wait, another one is not
		expect(waiting).toBe(10);
		s.run(10 * 26 + 2);
		await Promise.resolve();
		expect(waiting).toBe(0);
		// one string that was asked for as a whole is sent as a whole
		let done = false;
		void s.downlink.sendDigits("1234567890123456789012345678901234567890").then(() => (done = true));
		s.run(40 * 26 - 15);
		await Promise.resolve();
		expect(done).toBe(false);
		s.run(20);
		await Promise.resolve();
		expect(done).toBe(true);
	}
});

it("without telephone-event the digits are tones", () => {
	const plain: NegotiatedAudio = { ...AUDIO };
	delete plain.telephoneEventPayloadType;
	delete plain.telephoneEventReceivePayloadType;
	const s = set();
	s.downlink.negotiated(plain);
	void s.downlink.sendDigits("5");
	s.run(12);
	const pcm = heard(s.packets.slice(1, 12));
	expect(measureTone(pcm, 8_000, 770).levelDb).toBeCloseTo(-13, 0);
	expect(measureTone(pcm, 8_000, 1_336).levelDb).toBeCloseTo(-13, 0);
});

it("a peer that does not want to receive gets nothing", () => {
	const s = set({ sends: false });
	const send = s.track("TR_a");
	const audio = frames(440, 10);
	s.run(10, (step) => send(audio(step)));
	expect(s.packets).toHaveLength(0);
});

it("the mix keeps one frame per tick however unevenly the ticks come", () => {
	const s = set();
	s.run(3);
	for (let i = 0; i < 5; i++) s.downlink.tick();
	expectContinuous(s.packets);
});

it("audio that stalled and then comes at once does not put the stream back", () => {
	const { packets, track, run } = set();
	const speak = track("one");
	const pcm = frames(440, 60);
	run(10, (step) => speak(pcm(step)));
	const before = packets.at(-1)?.timestamp ?? 0;
	// nothing for 100 ms, then the five frames of that time with the next one
	run(5);
	run(1, () => [10, 11, 12, 13, 14, 15].forEach((step) => speak(pcm(step))));
	run(10, (step) => speak(pcm(16 + step)));
	const after = packets.at(-1)?.timestamp ?? 0;
	expect((after - before) >>> 0).toBe(16 * 160);
	expect(packets.slice(-10).map((packet) => packet.payload)).toEqual(Array.from({ length: 10 }, (_, step) => encoded(pcm(16 + step))));
	expect(measureTone(heard(packets.slice(-11, -10)), 8_000, 440).levelDb, "quiet noise in the place of what came too late").toBeLessThan(
		-60,
	);
});

it("neither does a node that stood still and makes up for its ticks", () => {
	const { downlink, packets, track, run, freeze } = set();
	const speak = track("one");
	const pcm = frames(440, 60);
	run(10, (step) => speak(pcm(step)));
	const before = packets.at(-1)?.timestamp ?? 0;
	freeze(80);
	for (let i = 0; i < 4; i++) downlink.tick();
	for (let step = 10; step < 14; step++) speak(pcm(step));
	run(10, (step) => speak(pcm(14 + step)));
	expect(((packets.at(-1)?.timestamp ?? 0) - before) >>> 0).toBe(14 * 160);
	expect(packets.slice(-9).map((packet) => packet.payload)).toEqual(Array.from({ length: 9 }, (_, step) => encoded(pcm(15 + step))));
});

it("a source that goes on with its timestamps after a pause is heard again", () => {
	const { packets, track, run } = set();
	const speak = track("one");
	const pcm = frames(440, 60);
	run(10, (step) => speak(pcm(step)));
	run(20);
	run(10, (step) => speak(pcm(10 + step)));
	expect(packets.slice(-10).map((packet) => packet.payload)).toEqual(Array.from({ length: 10 }, (_, step) => encoded(pcm(10 + step))));
	expectContinuous(packets.slice(-11));
});

function encoded(pcm: Int16Array): Uint8Array {
	const payload = new Uint8Array(pcm.length);
	encodeG711("PCMU", pcm, payload);
	return payload;
}

// RFC 3550 §8. Towards SRTP a number that goes back would be a replay: minutes of silence.
it.each([
	["far back", 30_000, 4_000_000_000],
	["far ahead", 20_000, 77],
	["a little ahead, its time back", 160, 4],
	["a little ahead, its time far ahead", 160, 900_000],
])("a telephone behind a bridge whose stream begins anew (numbers %s) goes on where it was", (_how, sequence, timestamp) => {
	const s = set();
	const say = s.track("A");
	const pcm = frames(440, 100);
	if (sequence === 30_000) say.renumber(60_000, 1_000);
	s.run(50, (step) => say(pcm(step)));
	say.renumber(sequence, timestamp);
	s.run(50, (step) => say(pcm(50 + step)));
	expect(s.packets.length).toBe(100);
	expectContinuous(s.packets);
	expect(s.packets[50]?.marker).toBe(true);
});

it("a late packet of the room, and one after a gap, keep their places", () => {
	const s = set();
	const say = s.track("A");
	const pcm = frames(440, 20);
	s.run(10, (step) => say(pcm(step)));
	const before = s.packets.length;
	say.renumber(113, 5_000 + 13 * 160);
	say(pcm(11));
	say.renumber(111, 5_000 + 11 * 160);
	say(pcm(12));
	const [last, ahead, late] = s.packets.slice(before - 1);
	expect([ahead, late].map((packet) => ((packet?.sequence ?? 0) - (last?.sequence ?? 0)) & 0xffff)).toEqual([4, 2]);
	expect([ahead, late].map((packet) => ((packet?.timestamp ?? 0) - (last?.timestamp ?? 0)) >>> 0)).toEqual([640, 320]);
});

it("ringback takes the place of the room, and the room comes back where it was", () => {
	const s = set();
	const send = s.track("TR_a");
	const audio = frames(1_000, 400);
	const stop = s.downlink.ring();
	s.run(60, (step) => send(audio(step)));
	const ringing = heard(s.packets.slice(0, 45));
	expect(measureTone(ringing, 8_000, 425).levelDb).toBeGreaterThan(-23);
	expect(measureTone(ringing, 8_000, 1_000).levelDb).toBeLessThan(-50);
	// 1 s of tone, then 4 s without: the room stays out of it
	expect(measureTone(heard(s.packets.slice(52, 60)), 8_000, 1_000).levelDb).toBeLessThan(-50);
	stop();
	const before = s.packets.length;
	s.run(60, (step) => send(audio(60 + step)));
	expectContinuous(s.packets.slice(0, before));
	expect(measureTone(heard(s.packets.slice(before + 10)), 8_000, 1_000).levelDb).toBeGreaterThan(-22);
	expect(measureTone(heard(s.packets.slice(before + 10)), 8_000, 425).levelDb).toBeLessThan(-50);
});

it("the stop of an earlier ringback does not stop a later one", () => {
	const s = set();
	const stop = s.downlink.ring();
	s.downlink.ring();
	stop();
	s.run(40);
	expect(measureTone(heard(s.packets), 8_000, 425).levelDb).toBeGreaterThan(-23);
});

describe("to a wide-band telephone (G.722)", () => {
	const G722: Partial<NegotiatedAudio> = { codec: "G722", payloadType: 9, receivePayloadType: 9 };
	const decoded = (packets: readonly RtpPacket[]): Int16Array => {
		const decoder = new G722Decoder();
		const pcm = new Int16Array(packets.length * 320);
		for (const [i, packet] of packets.entries()) decoder.decode(packet.payload, pcm, i * 320);
		return pcm;
	};
	/** the second half: jitter buffer and filters have settled */
	const level = (packets: readonly RtpPacket[], hz: number): number => {
		const pcm = decoded(packets);
		return measureTone(pcm.subarray(pcm.length / 2), 16_000, hz).levelDb;
	};

	it("Opus is heard in its whole width; packets are 160 ticks apart (RFC 3551 §4.5.2)", () => {
		const { downlink, packets, run } = set(G722);
		let listener: ((frame: EncodedFrame) => void) | undefined;
		downlink.addTrack({ trackSid: "TR_1", participantIdentity: "agent", onFrame: (given) => (listener = given) });
		const encoder = new OpusFromPcm(16_000);
		const pcm = tone(16_000, 5_500, 2_000, -20);
		run(100, (step) =>
			encoder.encode(pcm.subarray(step * 320, (step + 1) * 320), (payload) =>
				listener?.({ codec: "opus", payload, sequence: step, timestamp: step * 960, marker: false }),
			),
		);
		expect(packets.every((packet) => packet.payloadType === 9 && packet.payload.length === 160)).toBe(true);
		const steps = packets.slice(1).map((packet, i) => (packet.timestamp - (packets[i]?.timestamp ?? 0)) >>> 0);
		expect(new Set(steps)).toEqual(new Set([160]));
		expect(Math.abs(level(packets, 5_500) + 20)).toBeLessThan(2);
	});

	it("G.711 of the room is encoded anew, not passed through", () => {
		const { packets, track, run } = set(G722);
		const send = track("TR_1");
		const frame = frames(1_000, 100);
		run(100, (step) => send(frame(step)));
		expect(Math.abs(level(packets, 1_000) + 20)).toBeLessThan(2);
	});

	it("ringback and digits have their pitch", () => {
		const { downlink, packets, run } = set();
		const { remote, sends, receives } = AUDIO;
		downlink.negotiated({ codec: "G722", payloadType: 9, receivePayloadType: 9, remote, sends, receives });
		const stop = downlink.ring();
		run(40);
		expect(level(packets, 425)).toBeGreaterThan(-30);
		stop();
		packets.length = 0;
		void downlink.sendDigits("5");
		run(12);
		expect(level(packets, 770)).toBeGreaterThan(-20);
		expect(level(packets, 1_336)).toBeGreaterThan(-20);
	});

	it("a re-INVITE that changes the codec changes it for what goes on", () => {
		const { downlink, packets, track, run } = set();
		const send = track("TR_1");
		const frame = frames(1_000, 300);
		run(50, (step) => send(frame(step)));
		downlink.negotiated({ ...AUDIO, ...G722 });
		packets.length = 0;
		run(100, (step) => send(frame(step + 50)));
		expect(Math.abs(level(packets, 1_000) + 20)).toBeLessThan(2);
		downlink.negotiated(AUDIO);
		packets.length = 0;
		run(100, (step) => send(frame(step + 150)));
		expect(packets.every((packet) => packet.payloadType === 0)).toBe(true);
		expect(measureTone(heard(packets).subarray(4_000), 8_000, 1_000).levelDb).toBeCloseTo(-20, 0);
	});
});
