import {
	CODEC_IMPAIRMENTS,
	meanOpinionScore,
	parseRtcp,
	parseRtp,
	ReceptionStatistics,
	RtcpReports,
	type RtcpPacket,
	type RtpPacket,
	transmissionRating,
	writeRtp,
} from "@trunkline/rtp";
import { SrtpReceiver, SrtpSender } from "@trunkline/srtp";
import { nodeCrypto } from "@trunkline/srtp/node";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { EncodedFrame, MediaEvent, NegotiatedAudio } from "../call/ports.ts";
import { Uplink as RoomUplink } from "../room/uplink.ts";
import { RtpMediaSession } from "./session.ts";
import type { RtpSocket } from "./socket/rtp-socket.ts";
import { Ticker } from "./ticker.ts";

const PEER = "192.0.2.1";
const STRANGER = "203.0.113.66";
const PEER_SSRC = 0x7777;
const OUR_SSRC = 0x8000_0000;
const AUDIO: NegotiatedAudio = {
	...{ codec: "PCMU", payloadType: 0, receivePayloadType: 0, telephoneEventPayloadType: 101, telephoneEventReceivePayloadType: 101 },
	remote: { address: PEER, port: 4000 },
	rtcp: { mux: true, address: PEER, port: 4000 },
	sends: true,
	receives: true,
};
const NOT_MUXED: NegotiatedAudio = { ...AUDIO, rtcp: { mux: false, address: PEER, port: 4001 } };
const KEYS = { suite: "AES_CM_128_HMAC_SHA1_80", send: new Uint8Array(30).fill(1), receive: new Uint8Array(30).fill(2) } as const;

interface Sent {
	bytes: Uint8Array;
	to: string;
	by: "rtp" | "rtcp";
	at: number;
}
type OnPacket = (bytes: Uint8Array, address: string, port: number) => void;

beforeEach(() => {
	vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
});
afterEach(() => {
	vi.useRealTimers();
});

function opened(negotiated = AUDIO) {
	const events: MediaEvent[] = [];
	const frames: (EncodedFrame & { level: number })[] = [];
	const sent: Sent[] = [];
	const closed: string[] = [];
	const rtcpPort: { onPacket?: OnPacket } = {};
	const socket = (by: Sent["by"], port: number): RtpSocket => ({
		port,
		send: (bytes, toPort, address) => sent.push({ bytes: bytes.slice(), to: `${address}:${toPort}`, by, at: performance.now() }),
		close: () => closed.push(by),
	});
	const session = new RtpMediaSession({
		ticker: new Ticker(),
		advertisedAddress: "192.0.2.9",
		now: () => performance.now(),
		// 0.5 of the spread of report intervals
		random: () => ({ ssrc: OUR_SSRC, sequence: 0, timestamp: 0, cname: "abc" }),
		openRtcp: async (onPacket) => {
			rtcpPort.onPacket = onPacket;
			return socket("rtcp", 10_001);
		},
		onEvent: (event) => events.push(event),
		onClose: () => {},
	});
	session.attach(socket("rtp", 10_000));
	session.start(negotiated, PEER);
	session.connect({ codec: "PCMU", write: (frame, level) => frames.push({ ...frame, payload: frame.payload.slice(), level }) });
	let sequence = 0;
	/** 20 ms of the telephone's audio for each, and the time that it takes; `lost` says which do not arrive */
	const speak = (packets: number, options: { lost?: (index: number) => boolean; fill?: number; marker?: boolean } = {}): void => {
		for (let i = 0; i < packets; i++) {
			vi.advanceTimersByTime(20);
			if (options.lost?.(i) !== true) session.onPacket(audio(sequence, options.fill), PEER, 4000);
			sequence += 1;
		}
	};
	const rtcp = (): (Sent & { packets: RtcpPacket[] })[] =>
		sent.flatMap((each) => (isRtcp(each.bytes) ? [{ ...each, packets: parseRtcp(each.bytes) ?? [] }] : []));
	return { session, events, frames, sent, closed, rtcpPort, speak, rtcp, next: () => sequence++ };
}

const isRtcp = (bytes: Uint8Array): boolean => (bytes[1] ?? 0) >= 200 && (bytes[1] ?? 0) <= 207;
const audio = (sequence: number, fill = 0x10, payloadType = 0, payload = new Uint8Array(160).fill(fill)): Uint8Array =>
	writeRtp({ payloadType, sequence: sequence & 0xffff, timestamp: sequence * 160, ssrc: PEER_SSRC }, payload);
const quality = (events: readonly MediaEvent[]) => events.flatMap((event) => (event.type === "quality" ? [event] : []));

it("reports with CNAME every five seconds or so, by RTP's port where that was agreed, BYE at the end", () => {
	const { session, speak, rtcp } = opened();
	speak(1000, { lost: (i) => i % 20 === 7 });
	const reports = rtcp();
	// 20 s: one after 2.05 s, then every 4.1 s (RFC 3550 §6.3.1 with the middle of its spread)
	expect(reports).toHaveLength(5);
	for (const { to, by } of reports) expect([to, by]).toEqual([`${PEER}:4000`, "rtp"]);
	const [sr, sdes] = reports[4]?.packets ?? [];
	expect(sdes).toEqual({ type: "other", packetType: 202 });
	if (sr?.type !== "sr") throw new Error("no sender report");
	const lost = sr.reports[0]?.cumulativeLost ?? 0;
	expect(sr).toMatchObject({ ssrc: OUR_SSRC, reports: [{ ssrc: PEER_SSRC, jitterTicks: 0 }] });
	const heard = (sr.reports[0]?.extendedHighest ?? 0) + 1;
	expect(lost).toBe(Math.floor((heard + 12) / 20));
	expect(sr.sender.octetCount).toBe(sr.sender.packetCount * 160);
	session.close();
	expect(
		rtcp()
			.at(-1)
			?.packets.map(({ type }) => type),
	).toEqual(["rr", "other", "bye"]);
});

it("who asks for VoIP metrics gets them behind the report, and nobody else (RFC 3611)", () => {
	for (const asked of [true, false]) {
		const rtcp = { mux: true, address: PEER, port: 4000 };
		const call = opened({ ...AUDIO, rtcp: asked ? { ...rtcp, voipMetrics: true } : rtcp });
		// a burst of ten in each hundred
		call.speak(1000, { lost: (i) => i % 100 >= 40 && i % 100 < 50 });
		const latest = call.rtcp().at(-1);
		expect(latest?.packets.map((packet) => (packet.type === "other" ? packet.packetType : packet.type))).toEqual([
			"sr",
			202,
			...(asked ? [207] : []),
		]);
		if (!asked) continue;
		const xr = latest?.bytes.subarray(-44) ?? new Uint8Array();
		const view = new DataView(xr.buffer, xr.byteOffset, xr.length);
		expect([xr[1], view.getUint32(4), xr[8], view.getUint32(12)]).toEqual([207, OUR_SSRC, 7, PEER_SSRC]);
		expect((xr[16] ?? 0) / 256, "loss rate").toBeCloseTo(0.1, 1);
		expect(xr[18], "nothing of a burst came").toBe(255);
		expect(view.getUint16(20) / 20, "ten packets are a burst").toBeCloseTo(10, -0.5);
		expect(view.getUint16(22) / 20, "the gap between two").toBeGreaterThan(80);
		const [rFactor = 0, , mos = 0] = xr.subarray(32, 35);
		expect(rFactor).toBeLessThan(80);
		expect(mos).toBeLessThan(40);
		call.session.close();
	}
});

it("one port further without rtcp-mux, and what comes there is the telephone's alone", async () => {
	const { session, speak, rtcp, rtcpPort, closed } = opened(NOT_MUXED);
	await Promise.resolve();
	speak(250);
	expect(rtcp().map(({ to, by }) => [to, by])).toEqual([[`${PEER}:4001`, "rtcp"]]);
	const far = new RtcpReports(PEER_SSRC, "far@x");
	const statistics = new ReceptionStatistics(8000);
	statistics.onPacket(1, 160, 0);
	const report = far.report(0, 0, 0.5, undefined, { ...statistics.report(), cumulativeLost: 9 }, OUR_SSRC);
	rtcpPort.onPacket?.(report, STRANGER, 4001);
	session.onPacket(report, PEER, 4000);
	speak(250);
	expect(session.stats()).toMatchObject({ packetsRefused: 2, quality: { downlink: { lost: 0 } } });
	rtcpPort.onPacket?.(report, PEER, 4001);
	expect(session.stats()).toMatchObject({ packetsRefused: 2, quality: { downlink: { lost: 9 } } });
	session.close();
	expect(closed.toSorted()).toEqual(["rtcp", "rtp"]);
});

it("a port that opens when the call is over is closed again", async () => {
	const { session, closed } = opened(NOT_MUXED);
	session.close();
	await Promise.resolve();
	await Promise.resolve();
	expect(closed.toSorted()).toEqual(["rtcp", "rtp"]);
});

it("SRTCP where there is SRTP: reports are encrypted, and those in the clear are not read", () => {
	const { session, sent, rtcp } = opened({ ...AUDIO, srtp: { ...KEYS } });
	const peer = new SrtpSender(nodeCrypto, KEYS.suite, KEYS.receive);
	const receiver = new SrtpReceiver(nodeCrypto, KEYS.suite, KEYS.send);
	for (let i = 0; i < 200; i++) {
		vi.advanceTimersByTime(20);
		session.onPacket(sealed(peer, audio(i)), PEER, 4000);
	}
	const [report] = sent.filter(({ bytes }) => isRtcp(bytes));
	const plain = report && receiver.unprotectRtcp(report.bytes);
	expect(plain && parseRtcp(plain)).toMatchObject([{ type: "sr", ssrc: OUR_SSRC }, { packetType: 202 }]);
	expect(rtcp().length).toBe(1);
	const far = new RtcpReports(PEER_SSRC, "far@x");
	const statistics = new ReceptionStatistics(8000);
	statistics.onPacket(1, 160, 0);
	const answer = (lost: number): Uint8Array => far.report(0, 0, 0.5, undefined, { ...statistics.report(), cumulativeLost: lost }, OUR_SSRC);
	session.onPacket(answer(5), PEER, 4000);
	expect(session.stats()).toMatchObject({ srtpErrors: 1, quality: { downlink: { lost: 0 } } });
	const protectedRtcp = new Uint8Array(200);
	protectedRtcp.set(answer(6));
	session.onPacket(protectedRtcp.subarray(0, peer.protectRtcp(protectedRtcp, answer(6).length)), PEER, 4000);
	expect(session.stats()).toMatchObject({ srtpErrors: 1, quality: { downlink: { lost: 6 } } });
	session.close();
});

it("a sample every five seconds: 5 % lost is 5 %, a round trip of 80 ms is 80 ms, and the score is the E-model's", () => {
	const { session, events, speak, rtcp } = opened();
	const far = new RtcpReports(PEER_SSRC, "far@x");
	const atFar = new ReceptionStatistics(8000);
	speak(150, { lost: (i) => i % 20 === 7 });
	// the far end has got all but every tenth packet, and answers the sender report 80 ms later
	for (let i = 0; i < 100; i++) if (i % 10 !== 3) atFar.onPacket(i, i * 160, i * 20);
	const ours = rtcp().at(-1);
	if (ours === undefined) throw new Error("no report");
	far.receive(ours.bytes, OUR_SSRC, 1_000);
	const answer = far.report(1_000 + performance.now() - ours.at - 80, 0, 0.5, undefined, atFar.report(), OUR_SSRC);
	session.onPacket(answer, PEER, 4000);
	speak(101, { lost: (i) => i % 20 === 17 });
	const [sample] = quality(events);
	expect(sample?.uplink).toMatchObject({ packets: 237, lost: 13, late: 0, duplicates: 0, concealed: 0, jitterMs: 0, roundTripMs: 80 });
	expect(sample?.uplink.lossPercent).toBe(5.2);
	// half the round trip and a packet's length
	expect(sample?.uplink.mos).toBeCloseTo(
		meanOpinionScore(transmissionRating(CODEC_IMPAIRMENTS.PCMU, { delayMs: 60, lossPercent: 5.2 })),
		2,
	);
	expect(sample?.downlink).toMatchObject({ lost: 10, roundTripMs: 80, jitterMs: 0 });
	session.close();
});

function sealed(sender: SrtpSender, packet: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(packet.length + 20);
	bytes.set(packet);
	return bytes.subarray(0, sender.protectRtp(bytes, packet.length));
}

it("a NAT that gives the telephone another port in a pause: followed under SRTP, for the same stream, and never in the clear", () => {
	for (const secure of [true, false]) {
		const { session, sent } = opened(secure ? { ...AUDIO, srtp: { ...KEYS } } : AUDIO);
		const peer = new SrtpSender(nodeCrypto, KEYS.suite, KEYS.receive);
		const from = (packet: Uint8Array, port: number, address = PEER): void =>
			session.onPacket(secure ? sealed(peer, packet) : packet, address, port);
		from(audio(1), 4000);
		vi.advanceTimersByTime(100);
		from(audio(2), 5000);
		expect(session.stats(), "while it still speaks elsewhere").toMatchObject({ packetsReceived: 1, packetsRefused: 1 });
		vi.advanceTimersByTime(1_000);
		session.onPacket(audio(3), PEER, 5001);
		from(audio(4), 5002, STRANGER);
		expect(session.stats()).toMatchObject({ packetsReceived: 1, packetsRefused: 3 });
		from(audio(5), 5003);
		expect(session.stats()).toMatchObject(secure ? { packetsReceived: 2, packetsRefused: 3 } : { packetsReceived: 1, packetsRefused: 4 });
		sent.length = 0;
		vi.advanceTimersByTime(200);
		expect(new Set(sent.map(({ to }) => to))).toEqual(new Set([`${PEER}:${secure ? 5003 : 4000}`]));
		session.close();
	}
});

it("a pause with comfort noise (RFC 3389): the room hears quiet noise until the telephone speaks again, and nothing is lost", () => {
	const { session, frames, speak, next } = opened();
	speak(5);
	session.onPacket(audio(next(), 0, 13, Uint8Array.of(50)), PEER, 4000);
	vi.advanceTimersByTime(1_000);
	const pause = frames.slice(5);
	expect(pause.length).toBeGreaterThanOrEqual(49);
	expect(pause.length).toBeLessThanOrEqual(51);
	expect(new Set(pause.map(({ level }) => level))).toEqual(new Set([50]));
	pause.forEach(({ sequence, timestamp }, i) => {
		expect(sequence).toBe(((pause[0]?.sequence ?? 0) + i) & 0xffff);
		expect(timestamp).toBe((pause[0]?.timestamp ?? 0) + i * 160);
	});
	expect(pause[3]?.payload).not.toEqual(pause[4]?.payload);
	speak(5);
	expect(frames.slice(-5).map(({ payload }) => payload[0])).toEqual([0x10, 0x10, 0x10, 0x10, 0x10]);
	const after = frames.length;
	vi.advanceTimersByTime(200);
	expect(frames.length, "the pause is over").toBe(after);
	expect(session.stats()).toMatchObject({ packetsReceived: 11, packetsLost: 0 });
	session.close();
});

it("digits are no gap in what the room gets, and no jitter", () => {
	const { session, frames, speak, next } = opened();
	speak(5);
	for (let i = 0; i < 13; i++) {
		vi.advanceTimersByTime(20);
		const event = Uint8Array.of(5, i > 9 ? 0x8a : 0x0a, ((i + 1) * 160) >> 8, ((i + 1) * 160) & 0xff);
		session.onPacket(writeRtp({ payloadType: 101, sequence: next(), timestamp: 800, ssrc: PEER_SSRC }, event), PEER, 4000);
	}
	speak(5);
	expect(frames.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
	expect(session.stats()).toMatchObject({ packetsReceived: 23, packetsLost: 0, jitterMs: 0 });
	session.close();
});

it("what is late, lost or there twice goes to the room as it came, and is counted", () => {
	const { session, frames } = opened();
	for (const sequence of [0, 1, 3, 2, 4, 4, 7, 8]) {
		vi.advanceTimersByTime(20);
		session.onPacket(audio(sequence), PEER, 4000);
	}
	expect(frames.map(({ sequence }) => sequence)).toEqual([0, 1, 3, 2, 4, 4, 7, 8]);
	expect(session.stats()).toMatchObject({ packetsLost: 2, quality: { uplink: { packets: 8, lost: 2, late: 1, duplicates: 1 } } });
	session.close();
});

// What a LiveKit server's receiver sees: numbers without a gap but for what was lost, none of them twice, and time that goes on.
it("the room's stream over digits, losses, a late packet, a pause and another SSRC", () => {
	const { session, frames, speak, next } = opened();
	const sent: { sequence: number; timestamp: number; at: number }[] = [];
	const room = new RoomUplink({
		...{ codec: "PCMU", payloadType: 0, ssrc: 1, audioLevelId: undefined, sequence: 0, timestamp: 0, now: () => performance.now() },
		send: (_payload, header) => {
			const { sequence, timestamp } = parseRtp(header) as RtpPacket;
			sent.push({ sequence, timestamp, at: performance.now() });
		},
	});
	session.listen(room);
	const order = (...numbers: readonly number[]): void => {
		for (const number of numbers) {
			vi.advanceTimersByTime(20);
			session.onPacket(audio(number), PEER, 4000);
		}
	};
	speak(5);
	for (let i = 0; i < 3; i++) session.onPacket(audio(next(), 0, 101, Uint8Array.of(5, 0x0a, 0, 160)), PEER, 4000);
	speak(5);
	order(15, 14, 13, 16, 16, 18);
	session.onPacket(audio(19, 0, 13, Uint8Array.of(60)), PEER, 4000);
	vi.advanceTimersByTime(400);
	order(40, 41, 42);
	const other = (sequence: number): Uint8Array =>
		writeRtp({ payloadType: 0, sequence, timestamp: 7_000_000 + sequence * 160, ssrc: 99 }, new Uint8Array(160).fill(1));
	for (let i = 30_000; i < 30_003; i++) {
		vi.advanceTimersByTime(20);
		session.onPacket(other(i), PEER, 4000);
	}
	const numbers = sent.map(({ sequence }) => sequence);
	expect(new Set(numbers).size, "none twice").toBe(numbers.length);
	const sorted = numbers.toSorted((a, b) => a - b);
	const gaps = sorted.flatMap((number, i) => (i > 0 && number !== (sorted[i - 1] ?? 0) + 1 ? [number] : []));
	// the 17th of the telephone, which never came
	expect(gaps).toHaveLength(1);
	for (const [i, { sequence, timestamp, at }] of sent.entries()) {
		const before = sent[i - 1];
		if (before === undefined || sequence < before.sequence) continue;
		// never more than two frames off real time
		expect(Math.abs((timestamp - before.timestamp) / 8 - (at - before.at))).toBeLessThanOrEqual(60);
	}
	expect(frames).toEqual([]);
	session.close();
});

it.each([
	["held by the telephone", { sends: false, receives: true }],
	["held by us", { sends: true, receives: false }],
	["held by both", { sends: false, receives: false }],
])("nobody owes audio while the call is %s; afterwards the time-out begins anew", (_what, direction) => {
	const { session, events, speak } = opened();
	session.watch(2_000, 1_000);
	speak(10);
	session.start({ ...AUDIO, ...direction }, PEER);
	vi.advanceTimersByTime(60_000);
	const timeouts = () => events.filter(({ type }) => type === "media-timeout");
	expect(timeouts()).toEqual([]);
	session.start(AUDIO, PEER);
	vi.advanceTimersByTime(940);
	expect(timeouts()).toEqual([]);
	vi.advanceTimersByTime(120);
	expect(timeouts()).toEqual([{ type: "media-timeout", beforeFirstPacket: false }]);
	session.close();
});

it("the first packet has its own time-out, and RTCP is no audio", () => {
	const { session, events } = opened();
	session.watch(2_000, 1_000);
	const far = new RtcpReports(PEER_SSRC, "far@x");
	for (let i = 0; i < 20; i++) {
		vi.advanceTimersByTime(99);
		session.onPacket(far.report(i, 0, 0.5, undefined, undefined, -1), PEER, 4000);
	}
	expect(events.filter(({ type }) => type === "media-timeout")).toEqual([]);
	vi.advanceTimersByTime(100);
	expect(events).toContainEqual({ type: "media-timeout", beforeFirstPacket: true });
	session.close();
});
