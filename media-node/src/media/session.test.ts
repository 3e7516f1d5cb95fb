import { writeRtp } from "@trunkline/rtp";
import { expect, it } from "vitest";
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

function started() {
	const events: MediaEvent[] = [];
	const frames: EncodedFrame[] = [];
	const session = new RtpMediaSession({
		ticker: new Ticker(),
		advertisedAddress: "192.0.2.9",
		now: () => 0,
		random: () => ({ ssrc: 1, sequence: 0, timestamp: 0 }),
		onEvent: (event) => events.push(event),
		onClose: () => {},
	});
	session.attach({ port: 10_000, send: () => {}, close: () => {} });
	session.start(AUDIO, PEER);
	session.connect({ codec: "PCMU", write: (frame) => frames.push({ ...frame }) });
	const audio = (sequence: number, payloadType = 0): Uint8Array =>
		writeRtp({ payloadType, sequence, timestamp: sequence * 160, ssrc: 7 }, new Uint8Array(160).fill(0xff));
	return { session, events, frames, audio };
}

it("only a packet of the call's audio tells where the telephone's audio comes from", () => {
	const { session, events, frames, audio } = started();
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
