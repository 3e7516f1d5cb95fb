import { createSocket, type Socket } from "node:dgram";
import { isRtcp, parseRtcp, type RtcpPacket, writeReceiverReport, writeRtp } from "@trunkline/rtp";
import { afterEach, expect, it } from "vitest";
import type { EncodedFrame, MediaEvent, MediaSession, NegotiatedAudio } from "../call/ports.ts";
import { RtpMediaPort } from "./media-port.ts";

/** The second address of this machine is the attacker's: what is "RTP bleed" (CVE-2025-53399) for a public node. */
const PEER = "127.0.0.1";
const ATTACKER = "127.0.0.2";

const opened: { close(): unknown }[] = [];
afterEach(() => {
	for (const each of opened.splice(0)) each.close();
});

async function socket(address: string): Promise<{ socket: Socket; port: number; received: Buffer[] }> {
	const bound = createSocket("udp4");
	const received: Buffer[] = [];
	bound.on("message", (message) => received.push(message));
	await new Promise<void>((resolve) => bound.bind(0, address, resolve));
	opened.push(bound);
	return { socket: bound, port: bound.address().port, received };
}

async function until(what: () => boolean, withinMs = 3_000): Promise<void> {
	for (let i = 0; i < withinMs / 10 && !what(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
	expect(what()).toBe(true);
}

async function call(first: number, last: number): Promise<{ session: MediaSession; frames: EncodedFrame[]; events: MediaEvent[] }> {
	const events: MediaEvent[] = [];
	const port = new RtpMediaPort({ bindHost: "0.0.0.0", advertisedAddress: PEER, portRange: [first, last] });
	const session = await port.open((event) => events.push(event));
	opened.push(session);
	const frames: EncodedFrame[] = [];
	return { session, frames, events };
}

const packet = (sequence: number, ssrc: number, fill: number): Uint8Array =>
	writeRtp({ payloadType: 0, sequence, timestamp: sequence * 160, ssrc }, new Uint8Array(160).fill(fill));

it.each(["before the telephone has sent anything", "in the middle of the call"])(
	"whoever sprays the whole port range %s is not heard and hears nothing",
	async (when) => {
		const first = 42_000 + 2 * Math.floor(Math.random() * 4_000);
		const last = first + 39;
		const { session, frames } = await call(first, last);
		const peer = await socket(PEER);
		const attacker = await socket(ATTACKER);
		const audio: NegotiatedAudio = {
			...{ codec: "PCMU", payloadType: 0, receivePayloadType: 0, sends: true, receives: true },
			remote: { address: PEER, port: peer.port },
		};
		session.start(audio, PEER);
		session.connect({ codec: "PCMU", write: (frame) => frames.push({ ...frame, payload: frame.payload.slice() }) });
		const speak = (from: number, count: number): void => {
			for (let i = 0; i < count; i++) peer.socket.send(packet(from + i, 7, 0x11), session.localPort, PEER);
		};
		if (when === "in the middle of the call") {
			speak(0, 10);
			await until(() => frames.length === 10);
		}
		// RTP as the call's own (payload type, even its SSRC), and RTCP, to every port of the range
		for (let port = first; port <= last; port++) {
			for (let i = 0; i < 5; i++) attacker.socket.send(packet(20 + i, i % 2 === 0 ? 7 : 99, 0x77), port, PEER);
			attacker.socket.send(writeReceiverReport(7, [], "a@x"), port, PEER);
		}
		await until(() => ((session.stats() as { packetsRefused: number }).packetsRefused ?? 0) >= 6);
		speak(10, 10);
		await until(() => frames.length >= 10 && peer.received.length > 5);
		expect(frames.filter(({ payload }) => payload.includes(0x77))).toEqual([]);
		expect(session.stats()).toMatchObject({ packetsReceived: when === "in the middle of the call" ? 20 : 10, packetsLost: 0 });
		expect(attacker.received).toEqual([]);
	},
);

it("reports and BYE reach the telephone over real sockets, on RTP's port and on the one after it", async () => {
	const begin = async (mux: boolean): Promise<string[]> => {
		const first = 52_000 + 4 * Math.floor(Math.random() * 1_000);
		const { session } = await call(first, first + 3);
		const [rtp, rtcp] = [await socket(PEER), await socket(PEER)];
		session.start(
			{
				...{ codec: "PCMU", payloadType: 0, receivePayloadType: 0, sends: true, receives: true },
				remote: { address: PEER, port: rtp.port },
				rtcp: { mux, address: PEER, port: mux ? rtp.port : rtcp.port },
			},
			PEER,
		);
		session.connect({ codec: "PCMU", write: () => {} });
		const from = new Set<number>();
		rtcp.socket.on("message", (_bytes, { port }) => from.add(port - session.localPort));
		const reports = (): RtcpPacket[] =>
			(mux ? rtp : rtcp).received.filter((bytes) => isRtcp(bytes)).flatMap((bytes) => parseRtcp(bytes) ?? []);
		// RFC 3550 §6.3.1: the first one after 1.03 to 3.08 s
		await until(() => reports().length > 0, 4_000);
		expect([...from], "by the port after RTP's").toEqual(mux ? [] : [1]);
		session.close();
		await until(() => reports().some(({ type }) => type === "bye"));
		return reports().map(({ type }) => type);
	};
	const kinds = ["sr", "other", "rr", "other", "bye"];
	expect(await Promise.all([begin(true), begin(false)])).toEqual([kinds, kinds]);
});
