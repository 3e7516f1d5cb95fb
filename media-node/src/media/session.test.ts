import { writeRtp } from "@trunkline/rtp";
import { afterEach, expect, it, vi } from "vitest";
import type { EncodedFrame, MediaEvent, NegotiatedAudio } from "../call/ports.ts";
import { RtpMediaSession } from "./session.ts";
import { Ticker } from "./ticker.ts";

const PEER = "192.0.2.1";
const AUDIO: NegotiatedAudio = {
	codec: "PCMU",
	payloadType: 0,
	receivePayloadType: 0,
	telephoneEventPayloadType: 101,
	telephoneEventReceivePayloadType: 101,
	remote: { address: PEER, port: 4000 },
	sends: true,
	receives: true,
};

afterEach(() => {
	vi.useRealTimers();
});

function opened(ticker = new Ticker()) {
	const events: MediaEvent[] = [];
	const frames: EncodedFrame[] = [];
	const session = new RtpMediaSession({
		ticker,
		advertisedAddress: "192.0.2.9",
		now: () => 0,
		random: () => ({ ssrc: 1, sequence: 0, timestamp: 0 }),
		onEvent: (event) => events.push(event),
		onClose: () => {},
	});
	const sent: string[] = [];
	session.attach({ port: 10_000, send: (_bytes, port, address) => sent.push(`${address}:${port}`), close: () => {} });
	const connect = (): void => session.connect({ codec: "PCMU", write: (frame) => frames.push({ ...frame }) });
	const audio = (sequence: number, payloadType = 0): Uint8Array =>
		writeRtp({ payloadType, sequence, timestamp: sequence * 160, ssrc: 7 }, new Uint8Array(160).fill(0xff));
	return { session, events, frames, audio, sent, connect };
}

it("only a packet of the call's audio tells where the telephone's audio comes from", () => {
	const { session, events, frames, audio, connect } = opened();
	session.start(AUDIO, PEER);
	connect();
	try {
		session.onPacket(Uint8Array.of(0), PEER, 5001);
		session.onPacket(new Uint8Array(4), PEER, 5002);
		session.onPacket(audio(1, 96), PEER, 5003);
		session.onPacket(audio(1), PEER, 4000);
		session.onPacket(audio(2), PEER, 4000);
		session.onPacket(audio(3), PEER, 5004);
	} finally {
		session.close();
	}
	expect(frames.map(({ sequence }) => sequence)).toEqual([1, 2]);
	expect(events).toEqual([{ type: "media-started" }]);
	expect(session.stats()).toMatchObject({ packetsReceived: 2, packetsRefused: 1 });
});

// RFC 3264 §6.1: the answerer may send once it has sent the answer. A telephone that hears something before it stops its own ringing tone, and whoever
// writes another's address into an offer would have us send there for as long as it rings.
it.each(["connect", "sendDigits"] as const)("nothing is sent before the call is answered: not before %s", (begin) => {
	vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
	const { session, sent, connect } = opened();
	session.start(AUDIO, PEER);
	vi.advanceTimersByTime(1_000);
	expect(sent).toEqual([]);
	if (begin === "connect") connect();
	else void session.sendDigits("1");
	vi.advanceTimersByTime(1_000);
	expect(sent.length).toBeGreaterThanOrEqual(49);
	expect(new Set(sent)).toEqual(new Set([`${PEER}:4000`]));
	session.close();
});

it.each(["ack", "packet"] as const)("nothing is sent to an address that only an INVITE names, until there is proof: %s", (proof) => {
	vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
	const { session, audio, sent, connect } = opened();
	session.awaitProof();
	session.start(AUDIO, PEER);
	connect();
	vi.advanceTimersByTime(1_000);
	expect(sent).toEqual([]);
	if (proof === "ack") session.proven();
	else session.onPacket(audio(1), PEER, 4000);
	vi.advanceTimersByTime(200);
	expect(sent.length).toBeGreaterThanOrEqual(9);
	session.close();
});

it("a telephone that moves to another port is heard there, though packets from the former one are still on their way", () => {
	vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
	const { session, frames, audio, connect, sent } = opened();
	session.start(AUDIO, PEER);
	connect();
	session.onPacket(audio(1), PEER, 4000);
	session.start({ ...AUDIO, remote: { address: PEER, port: 5000 } }, PEER);
	session.onPacket(audio(2), PEER, 4000);
	vi.advanceTimersByTime(20);
	session.onPacket(audio(3), PEER, 5000);
	sent.length = 0;
	vi.advanceTimersByTime(100);
	session.close();
	expect(frames.map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
	expect(new Set(sent)).toEqual(new Set([`${PEER}:5000`]));
});

it("a fault of ours in a packet, or in a tick, ends the call, is thrown once, and is not repeated 50 times a second", () => {
	for (const where of ["packet", "tick"] as const) {
		const ticks: (() => void)[] = [];
		const ticker = new Ticker();
		vi.spyOn(ticker, "subscribe").mockImplementation((tick) => {
			ticks.push(tick);
			return () => {};
		});
		const { session, events, audio } = opened(ticker);
		session.start(AUDIO, PEER);
		session.connect({
			codec: "PCMU",
			write: () => {
				throw new Error("boom");
			},
		});
		const [tick] = ticks;
		// comfort noise is made up by the clock
		const work =
			where === "packet"
				? (): void => session.onPacket(audio(1), PEER, 4000)
				: (): void => {
						session.onPacket(writeRtp({ payloadType: 13, sequence: 1, timestamp: 160, ssrc: 7 }, Uint8Array.of(60)), PEER, 4000);
						tick?.();
					};
		expect(work).toThrow("boom");
		session.onPacket(audio(2), PEER, 4000);
		expect(events).toEqual([{ type: "media-started" }, { type: "media-lost", message: "boom" }]);
		session.close();
	}
});
